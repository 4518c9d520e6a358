"""AML118: one column that alone predicts better than everything else together: a noisy copy of the target looks like that."""

from __future__ import annotations

from dataclasses import dataclass

from automl.core.case import Case, Check, Turn
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.judge.probe import Sample, affordable, lacking, sample_of
from automl.judge.scoring import not_applicable
from automl.judge.wording import drop_command, figures_text, number

TITLE = "One column against all others"
MOST_LOOKED_AT = 2
ALONE = {"ROC-AUC": 0.85, "R2": 0.6}
"""Scores of a column alone from which it is worth a comparison: a copy of a number with noise of three quarters of its standard
deviation, or of two classes with three labels in ten drawn anew, has as much."""
STRONG = {"ROC-AUC": 0.9, "R2": 0.85}
"""Scores from which a column that leaves half of the error of all others is a suspect whatever it looks like."""
NEARLY_ALL = 0.95
SHARE_LEFT, OF_STRONG = 0.75, 0.5
"""A suspect leaves at most this share of the error that all other columns together leave. Of 51 strong columns of 34 public
tables the honest one that leaves least leaves 0.82 (T3 of sick; then hr of bike-sharing-hourly 0.84, titanic's Sex 0.96)."""
LEAST_KNOWN = 0.1
"""What the others must explain of the target, so that a copy with noise can be told from the only cause that there is."""
SLACK = 0.05
"""Of chance, in how much more the others explain of what a column leaves open."""
FEWEST_OTHERS = 3


@dataclass(frozen=True)
class Compared:
    """Scores on rows that were not learned from, of a column alone, of all others together, and of all."""

    column: str
    measure: str
    floor: float
    alone: float
    others: float
    together: float

    @property
    def suspicious(self) -> bool:
        """Far better than all others. One that is not nearly perfect must also look like a copy of the target with noise."""
        left = (1 - self.alone) / max(1 - self.others, 1e-9)
        if self.alone >= STRONG[self.measure] and left <= OF_STRONG:
            return True
        some = self.alone >= ALONE[self.measure] and left <= SHARE_LEFT and self.known >= LEAST_KNOWN
        return some and not self.completed

    @property
    def completed(self) -> bool:
        """Whether the others explain more of what the column leaves open than of the target itself.

        Causes complete each other like that. Beside a copy with noise that has nothing to do with the other columns they
        explain less: of a normal target, r2 / (1 + (1 - r2) / s2), where they explain r2 of it and the noise has variance s2.
        """
        of_rest = (self.together - self.alone) / max(1 - self.alone, 1e-9)
        return of_rest > self.known + SLACK

    @property
    def known(self) -> float:
        """What the others explain of the target, from 0 to 1."""
        return max(0.0, (self.others - self.floor) / (1 - self.floor))


def run(case: Case) -> list[Finding]:
    measure = "ROC-AUC" if case.profile.task.is_classification else "R2"
    known = {each.column for each in case.profile.suspected_leaks}
    strong = [
        column
        for column in case.profile.features
        if column.association is not None and column.association >= ALONE[measure] - 0.1 and column.name not in known
    ]
    strong = sorted(strong, key=lambda column: -(column.association or 0.0))[:MOST_LOOKED_AT]
    if len(case.profile.features) <= FEWEST_OTHERS:
        sentence = f"There are at most {FEWEST_OTHERS} columns, too few to hold one against all others."
        return not_applicable("AML118", TITLE, Section.DATA, sentence)
    if not strong:
        sentence = f"No column that is not suspected already predicts the target alone with a {measure} near {ALONE[measure]}."
        return [Finding("AML118", TITLE, Severity.PASSED, Section.DATA, sentence)]
    sample = sample_of(case) if affordable(case) else None
    if sample is None:
        return not_applicable("AML118", TITLE, Section.DATA, f"No column was compared with all others, {lacking(case)}.")
    found = _compared(sample, [column.name for column in strong if column.name in sample.columns.names], known)
    suspects = [each for each in found if each.suspicious]
    if not found:
        return not_applicable("AML118", TITLE, Section.DATA, "No strong column can be read by a small model.")
    worst = max(suspects or found, key=lambda each: each.alone)
    told = (
        f'"{worst.column}" alone predicts the target with a {measure} of {figures_text(worst.alone)}, all other columns together'
        " with"
        f" {figures_text(worst.others)}"
    )
    if suspects:
        told += ": it may not be known before the target is."
    elif worst.alone > worst.others:
        told += f", and both together {figures_text(worst.together)}: it does not look like a copy of the target."
    else:
        told += "; no single column outdoes the others."
    return [
        Finding(
            code="AML118",
            title=TITLE,
            severity=_severity(suspects),
            section=Section.DATA,
            sentence=told,
            numbers={each.column: number(each.alone) for each in suspects or found},
            figures=(_figure(measure, found),),
            table={
                "columns": ["column", f"{measure} alone", "all others", "all together"],
                "rows": [[each.column, each.alone, each.others, each.together] for each in found],
            },
            action=(
                f'Ask when "{worst.column}" is written down; if after the target, fit again with'
                f" `{drop_command([worst.column])}`."
                if suspects
                else ""
            ),
        )
    ]


def _severity(suspects: list[Compared]) -> Severity:
    if not suspects:
        return Severity.PASSED
    return Severity.ISSUE if max(each.alone for each in suspects) >= NEARLY_ALL else Severity.TIP


def _compared(sample: Sample, names: list[str], known: set[str]) -> list[Compared]:
    fold = sample.folds()
    together = sample.score(sample.out_of_fold(fold, tuple(known)))
    found = []
    for name in names:
        others = [each for each in sample.columns.names if each != name]
        alone = sample.score(sample.out_of_fold(fold, others))
        rest = sample.score(sample.out_of_fold(fold, (name, *known)))
        found.append(Compared(name, sample.measure, sample.floor, alone, rest, together))
    return found


def _figure(measure: str, found: list[Compared]) -> Figure:
    labels = tuple(each.column for each in found)
    series = (
        Series("alone", labels, tuple(each.alone for each in found)),
        Series("all others together", labels, tuple(each.others for each in found)),
    )
    how = (
        f"Each pair is the {measure} of a small model that sees one column, and of one that sees all others, on rows that were"
        " not learned from. A column that knows much more than the rest put together is rare in nature."
    )
    return Figure("dominant_column", "interval", TITLE, how, series, "column", measure)


CHECK = Check("AML118", TITLE, Section.DATA, run, needs_model=False, independent=True, turn=Turn.VERDICT, seconds=1)
