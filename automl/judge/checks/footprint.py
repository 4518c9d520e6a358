"""AML701: how large and how fast the model is, and where it runs."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Number, Section, Severity
from automl.judge.scoring import not_applicable
from automl.judge.wording import figures_text, number

TITLE = "Size and speed"
LARGE_BYTES = 100_000_000


def run(case: Case) -> list[Finding]:
    size, milliseconds = case.model.get("bytes"), case.model.get("milliseconds_a_row")
    if size is None and milliseconds is None:
        return not_applicable("AML701", TITLE, Section.DEPLOY, "The size and the speed of the model were not measured.")
    parts: list[str] = []
    numbers: dict[str, Number] = {}
    if size is not None:
        parts.append(f"takes {_bytes(float(size))}")
        numbers["bytes"] = number(float(size), unit="bytes")
    if milliseconds is not None:
        parts.append(f"answers a row in {figures_text(float(milliseconds))} ms")
        numbers["milliseconds_a_row"] = number(float(milliseconds), unit="ms")
    large = size is not None and float(size) > LARGE_BYTES
    again = case.plan.refit and len(case.training_rows) < case.profile.rows
    sentence = (
        f"The {'judged model' if again else 'model'} {' and '.join(parts)} on this machine; it runs wherever numpy, pandas and"
        " onnxruntime do, without TensorFlow"
    )
    sentence += "; what ships was fitted again, and is larger where it has more nets or seeds." if again else "."
    action = (
        "If this is too large, compare with a lower rung: `--only linear`."
        if large
        else f"Try it in the model folder: `python predict.py {case.profile.new_data}`."
    )
    severity = Severity.TIP if large else Severity.PASSED
    return [Finding("AML701", TITLE, severity, Section.DEPLOY, sentence, "evaluated", numbers, action=action)]


def _bytes(size: float) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{figures_text(size / factor)} {unit}"
    return f"{size:.0f} bytes"


CHECK = Check("AML701", TITLE, Section.DEPLOY, run)
