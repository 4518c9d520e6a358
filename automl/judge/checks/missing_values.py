"""AML108: cells without a value."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.judge.wording import count_text, names_text, number, percent_text

TITLE = "Missing values"
MOSTLY = 0.5
MOST_BARS = 30


def run(case: Case) -> list[Finding]:
    features = case.profile.features
    gaps = sorted((column for column in features if column.missing_fraction > 0), key=lambda column: -column.missing_fraction)
    if not gaps:
        return [Finding("AML108", TITLE, Severity.PASSED, Section.DATA, "No feature has missing values.")]
    mostly = [column for column in gaps if column.missing_fraction > MOSTLY]
    worst = gaps[0]
    sentence = (
        f"{len(gaps):,} of {count_text(len(features), 'feature')} {'has' if len(gaps) == 1 else 'have'} missing values, "
        f'most in "{worst.name}" ({percent_text(worst.missing_fraction)})'
    )
    if mostly:
        sentence += f"; more than half is missing in {names_text(column.name for column in mostly)}"
    shown = gaps[:MOST_BARS]
    series = Series("missing", tuple(column.name for column in shown), tuple(column.missing_fraction for column in shown))
    how = "Each bar is the share of rows in which the column is empty; the model treats an empty cell as information of its own."
    return [
        Finding(
            code="AML108",
            title=TITLE,
            severity=Severity.TIP if mostly else Severity.PASSED,
            section=Section.DATA,
            sentence=f"{sentence}.",
            numbers={"columns": number(len(gaps)), "largest_fraction": number(worst.missing_fraction, unit="fraction")},
            figures=(Figure("missing", "bar", "Missing values by column", how, (series,), "column", "share of rows"),),
            table={"columns": ["column", "missing"], "rows": [[column.name, column.missing_fraction] for column in gaps[:200]]},
            action="Find out why they are empty, and whether they will be as empty when the model is used." if mostly else "",
        )
    ]


CHECK = Check("AML108", TITLE, Section.DATA, run, needs_model=False)
