"""A reader's own formula as a function of tensors: parsed, checked, never evaluated as code.

`parse("x * tanh(log(1 + exp(x)))")` reads Python's syntax and keeps only numbers, x, pi, e, the
operators + - * / ** and the functions below. What is kept is a tree of closures over torch. With
`variables=("x", "y")` it is a function of two tensors.
"""

import ast
import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

LENGTH = 120  # characters
DEPTH = 20  # of brackets within brackets
EXPONENT = 20  # the largest |exponent|, which must be a number
LARGEST = 1e6  # the largest number that may be written


def _absolute(x: Tensor) -> Tensor:
    """|x|. The second derivative of torch's own has torch import its compiler: a second, 70 MB."""
    return x * x.detach().sign()


FUNCTIONS: dict[str, tuple[int, Callable[..., Tensor]]] = {
    "exp": (1, torch.exp),
    "log": (1, torch.log),
    "sqrt": (1, torch.sqrt),
    "abs": (1, _absolute),
    "floor": (1, torch.floor),
    "sin": (1, torch.sin),
    "cos": (1, torch.cos),
    "tanh": (1, torch.tanh),
    "atan": (1, torch.atan),
    "erf": (1, torch.erf),
    "sigmoid": (1, torch.sigmoid),
    "relu": (1, torch.relu),
    "softplus": (1, torch.nn.functional.softplus),
    "max": (2, torch.maximum),
    "min": (2, torch.minimum),
}
CONSTANTS = {"pi": math.pi, "e": math.e}
_OPERATORS: dict[type[ast.operator], Callable[[Tensor, Tensor], Tensor]] = {
    ast.Add: torch.add,
    ast.Sub: torch.sub,
    ast.Mult: torch.mul,
    ast.Div: torch.div,
}

Formula = Callable[..., Tensor]  # of one tensor for each variable


class BadFormula(ValueError):
    """A text that is no formula. `code` says why, `part` is what was not understood."""

    def __init__(self, code: str, part: str) -> None:
        super().__init__(f"the formula {_REASONS[code].format(part=repr(part))}")
        self.code, self.part = code, part


_REASONS = {
    "long": f"has more than {LENGTH} characters: {{part}}",
    "characters": "has a character that is not plain ASCII: {part}",
    "syntax": "cannot be read: {part}",
    "deep": f"has more than {DEPTH} brackets within brackets: {{part}}",
    "name": "has the name {part}; known are its variables and "
    + ", ".join([*CONSTANTS, *FUNCTIONS]),
    "part": "has a part that is not allowed: {part}",
    "number": f"has a number beyond {LARGEST:g}: {{part}}",
    "exponent": f"needs a number from -{EXPONENT} to {EXPONENT} as exponent, not {{part}}",
    "arguments": "calls a function with the wrong number of arguments: {part}",
}


@lru_cache(maxsize=256)
def parse(text: str, variables: tuple[str, ...] = ("x",)) -> Formula:
    """The formula as an elementwise function of its variables. Raises BadFormula if it is none.

    A value outside a function's domain is NaN, as in torch.
    """
    if len(text) > LENGTH:
        raise BadFormula("long", text[:20] + "...")
    if not (text.isascii() and text.isprintable()):
        raise BadFormula("characters", next(c for c in text if not 32 <= ord(c) < 127))
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise BadFormula("syntax", text) from error
    return _built(tree, 0, variables)


def _built(node: ast.expr, depth: int, variables: tuple[str, ...]) -> Formula:
    if depth > DEPTH:
        raise BadFormula("deep", ast.unparse(node))
    if isinstance(node, ast.Constant):
        return _number(node)
    if isinstance(node, ast.Name):
        return _name(node, variables)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _built(node.operand, depth + 1, variables)
        return (lambda *x: -inner(*x)) if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return _power(node, depth, variables)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        operator = _OPERATORS[type(node.op)]
        left, right = (_built(side, depth + 1, variables) for side in (node.left, node.right))
        return lambda *x: operator(left(*x), right(*x))
    if isinstance(node, ast.Call):
        return _call(node, depth, variables)
    raise BadFormula("part", _words(node))


def _number(node: ast.Constant) -> Formula:
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadFormula("part", _words(node))
    if not abs(value) <= LARGEST:
        raise BadFormula("number", _words(node))
    return lambda *x: torch.full_like(x[0], float(value))


def _name(node: ast.Name, variables: tuple[str, ...]) -> Formula:
    if node.id in variables:
        place = variables.index(node.id)
        return lambda *x: x[place]
    if node.id not in CONSTANTS:
        raise BadFormula("name", node.id)
    value = CONSTANTS[node.id]
    return lambda *x: torch.full_like(x[0], value)


def _power(node: ast.BinOp, depth: int, variables: tuple[str, ...]) -> Formula:
    base, sign, exponent = _built(node.left, depth + 1, variables), 1, node.right
    if isinstance(exponent, ast.UnaryOp) and isinstance(exponent.op, ast.USub):
        sign, exponent = -1, exponent.operand
    value = exponent.value if isinstance(exponent, ast.Constant) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not abs(value) <= EXPONENT:  # type: ignore[arg-type]
        raise BadFormula("exponent", _words(node.right))
    power = sign * float(value)  # type: ignore[arg-type]
    return lambda *x: base(*x) ** power


def _call(node: ast.Call, depth: int, variables: tuple[str, ...]) -> Formula:
    if not isinstance(node.func, ast.Name):
        raise BadFormula("part", _words(node.func))
    if node.func.id not in FUNCTIONS:
        raise BadFormula("name", node.func.id)
    count, known = FUNCTIONS[node.func.id]
    if node.keywords or len(node.args) != count:
        raise BadFormula("arguments", _words(node))
    inside = [_built(argument, depth + 1, variables) for argument in node.args]
    return lambda *x: known(*(part(*x) for part in inside))


def _words(node: ast.expr) -> str:
    return ast.unparse(node)[:40]
