"""What numerical work in every topic shares."""


class NoConvergence(RuntimeError):
    """An iteration ended without an answer; the message says which and why."""
