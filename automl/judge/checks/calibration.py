"""AML301: whether probabilities come true as often as they say."""

from __future__ import annotations

import numpy as np

from automl.core.case import Case, Check
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.core.metrics import METRICS
from automl.core.tasks import Task
from automl.judge.curves import Reliability, brier_split, plain, reliability
from automl.judge.scoring import judged_on, not_applicable
from automl.judge.wording import number, score_text

TITLE = "Calibration"
NOTICEABLE, LARGE = 0.02, 0.1


def run(case: Case) -> list[Finding]:
    if not case.profile.task.is_classification:
        return not_applicable("AML301", TITLE, Section.TRUST, "Calibration of probabilities does not apply to a regression.")
    if not len(case.truth):
        return not_applicable("AML301", TITLE, Section.TRUST, "No rows were judged, so nothing is known about calibration.")
    binary = case.profile.task is Task.BINARY
    probability = case.prediction[:, case.positive] if binary else case.prediction.max(axis=1)
    happened = case.truth == case.positive if binary else case.prediction.argmax(axis=1) == case.truth
    found = reliability(probability, happened, case.weight, case.plan.seed)
    split = _split(case, binary)
    brier = METRICS["brier"].score(case.truth, case.prediction, case.weight, case.positive)
    brier_baseline = METRICS["brier"].score(case.truth, case.baseline, case.weight, case.positive)
    off = found.error > max(found.largest_by_chance, NOTICEABLE)
    over = _overconfident(found, binary)
    event = f'"{case.profile.positive}"' if binary else "the predicted class"
    sentence = (
        f"On {judged_on(case)} the probabilities of {event} differ from how often it came true by {found.error:.3f} on average"
        f" (expected calibration error, 0 is best; up to {found.largest_by_chance:.3f} can be chance); Brier score"
        f" {score_text(METRICS['brier'], brier)}"
    )
    if off:
        sentence += f"; they are {'too extreme' if over else 'off'}, most where the model says {_worst(found):.2f}"
    told, attempts = _attempts(case)
    return [
        Finding(
            code="AML301",
            title=TITLE,
            severity=(Severity.ISSUE if found.error > LARGE else Severity.TIP) if off else Severity.PASSED,
            section=Section.TRUST,
            sentence=f"{sentence}{told}.",
            about="evaluated",
            numbers={
                "expected_calibration_error": number(found.error),
                "largest_by_chance": number(found.largest_by_chance),
                "brier": number(brier),
                "baseline_brier": number(brier_baseline),
                "brier_reliability": number(split[0]),
                "brier_resolution": number(split[1]),
                "brier_uncertainty": number(split[2]),
                **attempts,
            },
            figures=(_figure(found, event),),
            action="Use the ranking, not the probabilities as such, or optimise them: `--metric log_loss`." if off else "",
        )
    ]


def _split(case: Case, binary: bool) -> tuple[float, float, float]:
    """Reliability, resolution and uncertainty: of the positive class, or summed over the classes as the Brier score is."""
    codes = [case.positive] if binary else range(case.prediction.shape[1])
    parts = [brier_split(case.prediction[:, code], case.truth == code, case.weight) for code in codes]
    reliability, resolution, uncertainty = np.sum(parts, axis=0).tolist()
    return reliability, resolution, uncertainty


def _attempts(case: Case) -> tuple[str, dict[str, Number]]:
    """What calibrating was found to bring by cross-fitting, in words and numbers."""
    tried = () if case.evidence is None else case.evidence.readout.attempts
    numbers = {f"{each.method}_gain_in_log_loss": number(each.gain) for each in tried}
    kept = [each for each in tried if each.kept]
    if kept:
        return f"; calibrated by {kept[0].method} on out-of-fold predictions ({kept[0].sentence} by cross-fitting)", numbers
    said = "; ".join(f"{each.method}: {each.sentence}" for each in tried)
    return (f"; not calibrated, as cross-fitting shows no gain ({said})" if tried else ""), numbers


def _overconfident(found: Reliability, binary: bool) -> bool:
    """High probabilities come true less often than they say, and low ones of a binary task more often."""
    middle = found.predicted.mean() if binary else 0.0
    signed = np.where(found.predicted > middle, found.predicted - found.observed, found.observed - found.predicted)
    return bool((signed * found.counts).sum() > 0.5 * found.error * found.counts.sum())


def _worst(found: Reliability) -> float:
    return float(found.predicted[np.argmax(np.abs(found.predicted - found.observed) * found.counts)])


def _figure(found: Reliability, event: str) -> Figure:
    order = np.argsort(found.predicted, kind="stable")
    series = Series(
        "observed",
        plain(found.predicted[order]),
        plain(found.observed[order]),
        plain(found.low[order]),
        plain(found.high[order]),
        tuple(int(count) for count in found.counts[order]),
    )
    how = (
        f"Each point is a tenth of the judged rows: how probable the model said {event} is (right) and how often that came true"
        " (up), with a 95 % interval. On the diagonal probabilities can be taken at their word; below it the model promises too"
        " much."
    )
    return Figure("reliability", "line", "Reliability", how, (series,), "predicted probability", "observed frequency", "diagonal")


CHECK = Check("AML301", TITLE, Section.TRUST, run, seconds=0.8)
