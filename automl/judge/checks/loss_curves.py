"""AML325: whether the losses of nets fell while they were trained: exploding, not finite, or flat."""

from __future__ import annotations

import math
from collections.abc import Callable

from automl.core.case import Case, Check, Turn
from automl.core.evidence import Trial
from automl.core.finding import Finding, Section, Severity
from automl.judge.scoring import not_applicable, ships, title_of
from automl.judge.wording import count_text, number

TITLE = "Loss curves"
FEWEST_POINTS = 5
FLAT = 1e-3
"""A loss whose curve varies by less than this share does not move."""
EXPLODING = 10.0
"""So many times the first loss at the end of a curve."""


def run(case: Case) -> list[Finding]:
    trials = () if case.evidence is None else case.evidence.trials
    nets = [trial for trial in trials if "epochs" in trial.settings and len(trial.curve) > 1]
    broken = [trial for trial in trials if trial.score is None and "not finite" in trial.message]
    if not nets and not broken:
        return not_applicable("AML325", TITLE, Section.TRUST, "No net was trained, so there are no losses to look at.")
    told: list[tuple[Trial, str]] = [(trial, "was not finite") for trial in broken]
    told += [(trial, said) for trial in nets for said, is_so in LOOKS.items() if is_so(trial)]
    best = {trial.architecture: case.evidence.best_trial(trial.architecture) for trial, _ in told if case.evidence is not None}
    chosen = [(trial, said) for trial, said in told if best[trial.architecture] == trial]
    shipped = [trial for trial, _ in chosen if ships(case, trial.architecture)]
    severity = Severity.ISSUE if shipped else Severity.TIP if chosen else Severity.PASSED
    sentence = f"The validation losses of {count_text(len(nets), 'trial')} of nets were looked at: "
    each = [f"that of {title_of(case, trial.architecture)}, trial {trial.number}, {said}" for trial, said in told]
    sentence += "; ".join(each[:3]) + (f"; and {len(each) - 3} more" if len(each) > 3 else "") if each else "all of them fell"
    rows = [[trial.id, said] for trial, said in told]
    return [
        Finding(
            code="AML325",
            title=TITLE,
            severity=severity,
            section=Section.TRUST,
            sentence=f"{sentence}.",
            about="evaluated",
            numbers={"trials": number(len(nets)), "suspicious": number(len(told))},
            table={"columns": ["trial", "its loss"], "rows": rows} if rows else {},
            action="A net whose loss does not fall was not given a fair try; report it with log.txt." if chosen else "",
        )
    ]


def _flat(trial: Trial) -> bool:
    losses = [loss for _, loss in trial.curve if math.isfinite(loss)]
    return len(losses) >= FEWEST_POINTS and max(losses) - min(losses) <= FLAT * abs(max(losses))


def _exploding(trial: Trial) -> bool:
    losses = [loss for _, loss in trial.curve]
    return len(losses) >= FEWEST_POINTS and not losses[-1] <= EXPLODING * max(abs(losses[0]), min(map(abs, losses)))


LOOKS: dict[str, Callable[[Trial], bool]] = {"did not move": _flat, "exploded": _exploding}

CHECK = Check("AML325", TITLE, Section.TRUST, run, turn=Turn.VERDICT)
