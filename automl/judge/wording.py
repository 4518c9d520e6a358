"""How numbers, intervals and lists of names read in a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable

from automl.core.finding import Number, decimals_for
from automl.core.metrics import Metric
from automl.core.profile import Profile

Three = tuple[float | None, float | None, float | None]
"""A value and the ends of its interval."""


def figures_text(value: float | None, digits: int = 3) -> str:
    """A number with about `digits` significant digits and thousands separated: 0.927, 1,240, 3.1e-07."""
    if value is None or not math.isfinite(value):
        return "undefined"
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value):,}"
    size = math.floor(math.log10(abs(value)))
    if size < -4 or size > 8:
        return f"{value:.{digits - 1}e}"
    decimals = digits if -1 <= size < 0 else max(0, digits - 1 - size)
    return f"{value:,.{decimals}f}"


def score_text(metric: Metric, value: float | None, beside: Three | None = None) -> str:
    """A score in its own unit, with the decimals of `beside` (a score and its interval) where that is given."""
    if value is None or not math.isfinite(value):
        return "undefined"
    centre, low, high = beside or (value, None, None)
    decimals = decimals_for(centre, low, high, metric.unit)
    text = f"{value:,.{decimals}f}"
    if not any(digit in "123456789" for digit in text):
        text = text.removeprefix("-") if value == 0 or beside else figures_text(value)
    return f"{text} %" if metric.unit == "percent" else text


def called(metric: Metric) -> str:
    """The metric's name inside a sentence: `log loss`, but `ROC-AUC` and `Brier score`."""
    return metric.title.lower() if metric.name in ("log_loss", "accuracy", "balanced_accuracy") else metric.title


def p_text(p_value: float) -> str:
    """`p = 0.020`, `p < 0.001`."""
    return f"p = {p_value:.3f}" if p_value >= 0.001 else "p < 0.001"


def interval_text(metric: Metric, number: Number) -> str:
    """`0.927 (95 % interval 0.921 to 0.933)`; the bare value where there is no interval."""
    if number.low is None or number.high is None:
        return score_text(metric, number.value)
    three = number.value, number.low, number.high
    value, low, high = (score_text(metric, each, three) for each in three)
    return f"{value} ({100 * number.level:.0f} % interval {low} to {high})"


def percent_text(fraction: float) -> str:
    """`12.3 %`; `below 0.1 %` and `more than 99.9 %` instead of a misleading 0 or 100."""
    if 0 < fraction < 0.001:
        return "below 0.1 %"
    if 0.999 < fraction < 1:
        return "more than 99.9 %"
    return f"{100 * fraction:.0f} %" if fraction in (0, 1) else f"{100 * fraction:.1f} %"


def count_text(number: int, one: str, many: str = "") -> str:
    """`1 row`, `12,000 rows`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def names_text(names: Iterable[str], most: int = 5) -> str:
    """`"a", "b" and 3 more`: names quoted, and no more of them than a sentence can carry."""
    every = [f'"{name}"' for name in names]
    shown, left = every[:most], len(every) - most
    if left > 0:
        return f"{', '.join(shown)} and {left:,} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "none"


def drop_command(names: Iterable[str], most: int = 5) -> str:
    """The options that leave these columns out, quoted for a shell where they need it."""
    shown = list(names)[:most]
    return " ".join(f"--drop {quoted(name)}" for name in shown)


def quoted(name: str) -> str:
    """A name as one word of a shell command."""
    plain = name and all(character.isalnum() or character in "_-." for character in name)
    return name if plain else "'" + name.replace("'", "'\\''") + "'"


def quoted_list(names: Iterable[str]) -> str:
    """Names as one comma-separated word of a shell command; one with a comma of its own in double quotes."""
    every = ['"' + name.replace('"', '""') + '"' if "," in name or name.startswith('"') else name for name in names]
    return ",".join(every) if all(quoted(name) == name for name in every) else quoted(",".join(every))


def unit_of(metric: Metric, profile: Profile) -> str:
    """The unit of a score: the target's name, "%" or nothing."""
    return {"target": profile.target, "percent": "%"}.get(metric.unit, "")


def finite(value: float | None) -> float | None:
    """The number, or None where JSON could not hold it."""
    return float(value) if value is not None and math.isfinite(value) else None


def number(value: float, low: float | None = None, high: float | None = None, unit: str = "", level: float = 0.95) -> Number:
    """A Number whose missing bounds are None, never infinite."""
    return Number(float(value), finite(low), finite(high), unit, level)
