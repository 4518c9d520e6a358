"""Explained rows as a page that opens offline: for each its prediction, the way to it as a chart, what would change it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from automl.core.finding import Figure, Series
from automl.report import html, svg
from automl.report.numbers import is_number, number, percent

MOST_ROWS, MOST_STEPS = 50, 12
NO_VALUE = " has no readable value, which it always had"
"""As the guardrail says it; of several columns it is said once."""


def unlike(reasons: Sequence[str]) -> str:
    """What is said of a row that the guardrail flags for these reasons; "" without any."""
    told = "This row is unlike the training data, so trust neither the prediction nor this"
    empty = [each.removesuffix(NO_VALUE) for each in reasons if each.endswith(NO_VALUE)]
    said = [each for each in reasons if len(empty) < 2 or not each.endswith(NO_VALUE)]
    said += [f"{', '.join(empty)} have no readable value, which they always had"] if len(empty) > 1 else []
    return f"{told}: {'; '.join(said)}." if reasons else ""


def page(content: dict[str, Any]) -> str:
    """content: what `automl.explaining.Explanations.as_json` gives."""
    return html._environment().get_template("explanation.html").render(_view(content))


def fragment(content: dict[str, Any]) -> str:
    """The same for a notebook: a drawing and a sentence a row, without a style sheet."""
    shown = _view(content)
    parts = []
    for each in shown["rows"][:5]:
        told = "".join(f"<li>{svg.clean(answer)}</li>" for answer in each["answers"])
        told += f"<li>{svg.clean(each['unusual'])}</li>" if each["unusual"] else ""
        steps = "".join(f"<tr><td>{svg.clean(name)}</td><td>{svg.clean(value)}</td></tr>" for name, value in each["steps"])
        parts.append(f"<h4>{svg.clean(each['title'])}</h4><table>{steps}</table><ul>{told}</ul>")
    return f"<div>{''.join(parts)}<p>{svg.clean(shown['how'])}</p></div>"


def _view(content: dict[str, Any]) -> dict[str, Any]:
    rows = [_row(each, content, at) for at, each in enumerate(content["rows"][:MOST_ROWS])]
    scale = "log-odds" if content["scale"] == "log-odds" else f'the unit of "{content["target"]}"'
    how = (
        f"Each chart leads from the {content['start_name']} of the background rows ({content['background_rows']:,} training rows)"
        f" to the row: every bar is what the row's value of a column adds, in {scale}, averaged over the orders in which the"
        " columns can be set (Shapley values); they add up. What a column adds is no cause: changing it in the world need not"
        " have this effect."
    )
    if content["scale"] == "log-odds":
        how += " The mean is taken of the log-odds, so the share at the start is not the mean of the probabilities, nor how"
        how += " frequent the class is."
        how += " 1 more in log-odds multiplies the odds by 2.7, which takes 50 % to 73 % and 90 % to 96 %."
    if content["goal"] is not None:
        how += f" What would change it takes “{content['target']}” to {number(content['goal'])} or past it."
    return {
        "run": content["run"],
        "target": content["target"],
        "held": content["held"],
        "how": how,
        "rows": rows,
        "left_out": max(0, len(content["rows"]) - MOST_ROWS),
    }


def _row(each: dict[str, Any], content: dict[str, Any], at: int) -> dict[str, Any]:
    parts = each["contributions"]
    steps = [
        (f"{part['column']} = {part['value']}" if part["value"] else part["column"], part["adds"]) for part in parts[:MOST_STEPS]
    ]
    if parts[MOST_STEPS:]:
        left = len(parts) - MOST_STEPS
        steps.append((f"{left} other{'s' * (left > 1)}", sum(part["adds"] for part in parts[MOST_STEPS:])))
    about = f'log-odds of "{each["about"]}"' if content["scale"] == "log-odds" else each["about"]
    series = Series("steps", (content["start_name"], *(name for name, _ in steps)), (each["base"], *(adds for _, adds in steps)))
    title = f"Row {each['row']:,}: {content['target']} = {_said(each)}"
    figure = Figure(f"row-{at}", "waterfall", title, "", (series,), "this row", about)
    shares = ""
    if each["base_probability"] is not None:
        shares = f"starts at {each['start']}, ends at {percent(each['output_probability'])} for “{each['about']}”"
        shares += "" if each.get("called_from") is None else f", which is called from {percent(each['called_from'])} on"
    return {
        "title": title,
        "svg": Markup(svg.draw(figure, f"row-{at}", 480.0)),
        "table": html._table(svg.table(figure), html._LIMITS[0]),
        "steps": [(name, number(adds, 3)) for name, adds in steps],
        "shares": shares,
        "unusual": unlike(each["unusual"]),
        "answers": [_answer(answer) for answer in each["counterfactuals"]],
        "note": each["note"],
    }


def _said(told: dict[str, Any]) -> str:
    text = number(told["prediction"]) if is_number(told["prediction"]) else str(told["prediction"])
    return text if told["probability"] is None else f"{text} ({percent(told['probability'])})"


def _answer(answer: dict[str, Any]) -> str:
    changes = " and ".join(f"{part['column']} = {part['instead']} (now {part['value']})" for part in answer["changes"])
    return f"{_said(answer)} with {changes}" + ("; such a row is unlike the training data" if answer["unusual"] else "")
