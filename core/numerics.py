"""What numerical work in every topic shares."""


class NoConvergence(RuntimeError):
    """An iteration ended without an answer; the message says which and why."""


class Diverged(ArithmeticError):
    """A training whose numbers are not finite any more; the message says which and when."""
