"""Numbers as people read them: significant digits, thousands separators, units, intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from automl.core.finding import Number, decimals_for
from automl.core.statistics import corrected_resampled_t

ABSENT = "–"
MINUS = "\u2212"
_SMALL = 1e-4
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def is_number(value: Any) -> bool:
    """A finite number that is no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def fixed(value: float, decimals: int) -> str:
    """With this many decimals, thousands separators and a real minus sign."""
    text = f"{abs(value):,.{max(0, decimals)}f}"
    return f"{MINUS}{text}" if value < 0 and any(digit in "123456789" for digit in text) else text


def number(value: Any, digits: int = 4) -> str:
    """At most `digits` significant digits; whole numbers in full; anything else as it stands."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ABSENT
    if not is_number(value):
        return str(value)
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        return fixed(value, 0)
    size = abs(value)
    if size < _SMALL or size >= 1e15:
        mantissa, _, exponent = f"{size:.{max(0, digits - 2)}e}".partition("e")
        sign = MINUS if value < 0 else ""
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{sign}{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    text = fixed(value, digits - 1 - math.floor(math.log10(size)))
    return text.rstrip("0").rstrip(".") if "." in text else text


def span(low: float | None, high: float | None, decimals: int) -> str:
    """An interval in words, such as "0.912 to 0.931"; empty where there is none."""
    if not (is_number(low) and is_number(high)):
        return ""
    assert low is not None
    assert high is not None
    return f"{fixed(low, decimals)} to {fixed(high, decimals)}"


def measured(value: Number, signed: bool = False) -> tuple[str, str]:
    """A number and its interval, both with the same decimals; the interval is empty where there is none."""
    if not is_number(value.value):
        return ABSENT, ""
    plain = value.low is None or value.high is None or value.low == value.high
    if plain and value.unit in _UNITS:
        return _UNITS[value.unit](value.value), ""
    scale = 100.0 if value.unit in ("fraction", "share") else 1.0
    low, high = (None if each is None else each * scale for each in (value.low, value.high))
    decimals = decimals_for(value.value * scale, low, high, value.unit)
    alone = low is None and (float(value.value).is_integer() or abs(value.value) < _SMALL)
    text = number(value.value * scale) if alone else fixed(value.value * scale, decimals)
    if signed and value.value > 0 and any(digit in "123456789" for digit in text):
        text = f"+{text}"
    interval = "" if plain else span(low, high, decimals)
    suffix = unit_suffix(value.unit)
    return text + suffix, interval + (suffix if interval else "")


def beside(value: Number, reference: Number) -> str:
    """A number without its interval, with the decimals of the number that it is compared with, or fewer where it is larger."""
    if not (is_number(value.value) and is_number(reference.value)) or reference.unit in ("fraction", "share"):
        return measured(value)[0]
    own = decimals_for(value.value, unit=value.unit)
    decimals = min(own, decimals_for(reference.value, reference.low, reference.high, reference.unit))
    return fixed(value.value, decimals) + unit_suffix(value.unit)


def unit_suffix(unit: str) -> str:
    """What is put behind a number of this unit; nothing for a pure number, a measure's name or the target's own unit."""
    return f" {_SHORT[unit]}" if unit in _SHORT else ""


def seconds(value: Any) -> str:
    if not is_number(value):
        return ABSENT
    if 0 <= value < 0.005:
        return "< 0.01 s"
    if value < 1:
        return f"{fixed(value, 2)} s"
    if value < 120:
        return f"{fixed(value, 1 if value < 10 else 0)} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def size(value: Any) -> str:
    """Bytes as kB or MB (powers of ten)."""
    if not is_number(value):
        return ABSENT
    for limit, divisor, unit in ((1e3, 1, "bytes"), (1e6, 1e3, "kB"), (1e9, 1e6, "MB"), (math.inf, 1e9, "GB")):
        if abs(value) < limit:
            scaled = value / divisor
            return f"{number(float(f'{scaled:.3g}'), 3)} {unit}"
    return ABSENT


def milliseconds(value: Any) -> str:
    return f"{number(value, 2)} ms" if is_number(value) else ABSENT


def percent(fraction: Any) -> str:
    """A share as per cent; a share that is there never shows as 0 %, and one that lacks something never as 100 %."""
    if not is_number(fraction):
        return ABSENT
    if 0 < fraction < 0.001:
        return "< 0.1 %"
    if 0.999 < fraction < 1:
        return "> 99.9 %"
    return f"{fixed(100 * fraction, 0 if fraction in (0, 1) else 1)} %"


def p_value(value: Any) -> str:
    if not is_number(value):
        return ABSENT
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def mean_interval(scores: Sequence[float], folds: int) -> tuple[float, float] | None:
    """95 % interval of a mean over cross-validation folds, by the corrected resampled t (Nadeau and Bengio, 2003).

    None where there are fewer than three scores.
    """
    known = [score for score in scores if is_number(score)]
    if len(known) < 3 or folds < 2:
        return None
    _, low, high, _ = corrected_resampled_t(known, 1 / (folds - 1))
    return low, high


_SHORT = {
    "percent": "%",
    "%": "%",
    "fraction": "%",
    "share": "%",
    "seconds": "s",
    "s": "s",
    "milliseconds": "ms",
    "ms": "ms",
    "bytes": "bytes",
    "rows": "rows",
    "points": "points",
}
_UNITS = {
    "seconds": seconds,
    "s": seconds,
    "bytes": size,
    "milliseconds": milliseconds,
    "ms": milliseconds,
    "fraction": percent,
    "share": percent,
}
