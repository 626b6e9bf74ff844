"""The local fit: match erf(x / sqrt 2) and tanh(a x + b x^3) at 0.

Source: https://kexue.fm/archives/7309, eq. (6)-(8).
"""

import math

from core.gelu.functions import LINEAR


def taylor_residual(a: float, b: float) -> tuple[float, float]:
    """The coefficients of x and x^3 in erf(x / sqrt 2) - tanh(a x + b x^3): eq. (6)."""
    return LINEAR - a, a**3 / 3 - b - 1 / (3 * math.sqrt(2 * math.pi))


def local_coefficients() -> dict[str, float]:
    """a and b that make both vanish, eq. (7), and c = b / a = (4 - pi) / (6 pi), eq. (8)."""
    b = (4 - math.pi) / (3 * math.sqrt(2) * math.pi**1.5)
    return {"a": LINEAR, "b": b, "c": (4 - math.pi) / (6 * math.pi)}
