"""Numbers as a reader wants them: enough digits, powers of ten written as such."""

import math

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def pretty(value: float | None, digits: int = 6) -> str:
    """0.0447149, 1.78921×10⁻⁴, ∞; an absent number is a dash."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    if not exponent and value != 0 and abs(value) < 1e-3:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
    mantissa = mantissa.replace("-", "−")
    return f"{mantissa}×10{str(int(exponent)).translate(_SUPERSCRIPTS)}" if exponent else mantissa


def latex(value: float, digits: int = 6) -> str:
    """The same for a formula: 1.78921\\times 10^{-4}."""
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    return f"{mantissa}\\times 10^{{{int(exponent)}}}" if exponent else mantissa
