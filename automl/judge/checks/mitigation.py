"""AML414: what weighing the rows, or thresholds by group, changed for the gaps between groups, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from automl.core.case import Array, Case, Check, Turn
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.core.metrics import METRICS, Metric
from automl.core.options import FAIREST
from automl.core.profile import Role
from automl.core.readout import GroupThresholds
from automl.core.statistics import percentile_interval
from automl.judge.bootstrap import count_blocks, judged_groups, replicator, resamples_for
from automl.judge.fairness import MEASURES, ODDS, Gap, around, measured
from automl.judge.scoring import headline_metric, judged_on, not_applicable, scaled
from automl.judge.wording import figures_text, finite, names_text, number

TITLE = "Before and after mitigation"
SHOWN = ("selection", "equalised_odds")
UNSURE = "Do not count on it: so few judged rows cannot tell it from chance. More of them would."
MOST_NAMED = 4
WORTH_TELLING = 0.005
"""A gap that grew by less is not told in the sentence; the table has it."""


@dataclass(frozen=True)
class Change:
    """A number without and with the mitigation; `by` is the change with its interval, where it has one.

    selection: it is a gap of demographic parity, which thresholds by group do not aim at.
    """

    label: str
    before: float
    after: float
    by: Number
    selection: bool = False


def run(case: Case) -> list[Finding]:
    if case.plan.mitigate is None or not len(case.truth):
        return not_applicable("AML414", TITLE, Section.FAILURES, "Nothing was mitigated (--mitigate), so there is no before.")
    if case.plan.mitigate == FAIREST:
        sentence = "The fairest of the best trials was asked for; AML413 tells what that changed."
        return not_applicable("AML414", TITLE, Section.FAILURES, sentence)
    if _plain(case) is None:
        sentence = (
            "The rows were weighed so that the target does not depend on the groups; what that changed was not measured, which"
            " takes a sealed part (from 500 rows on), time, and a model other than a net."
        )
        return not_applicable("AML414", TITLE, Section.FAILURES, sentence)
    by_group = _group_thresholds(case)
    if by_group is not None and not by_group.own:
        return [_nothing_gained(case, by_group)]
    plain = _plain(case)
    assert plain is not None
    scores, gaps = [_score(case, plain, metric) for metric in _metrics(case)], _gaps(plain, case)
    found = _Found(scores, gaps, [each for each in gaps if by_group is None or not each.selection], _out_of_fold(case))
    changes = [*gaps, *scores]
    told = _sentence(case, plain, found)
    return [
        Finding(
            code="AML414",
            title=TITLE,
            severity=Severity.PASSED if found.sure and not found.grown else Severity.TIP,
            section=Section.FAILURES,
            sentence=f"{told}.",
            about="evaluated",
            numbers={f"change of {each.label}": each.by for each in (*changes, found.out_of_fold) if each is not None},
            figures=(_figure(changes),),
            table={
                "columns": ["measure", "without", "with", "change", "low", "high"],
                "rows": [[each.label, each.before, each.after, each.by.value, each.by.low, each.by.high] for each in changes],
            },
            action=_action(found),
        )
    ]


@dataclass(frozen=True)
class _Found:
    """Changes of scores and of gaps; of the gaps that the mitigation aims at; and, by thresholds, of that out of fold."""

    scores: list[Change]
    gaps: list[Change]
    aim: list[Change]
    out_of_fold: Change | None

    @property
    def helped(self) -> list[Change]:
        return [each for each in self.gaps if each.after < each.before]

    @property
    def sure(self) -> list[Change]:
        return [each for each in self.helped if each.by.high is not None and each.by.high < 0]

    @property
    def grown(self) -> list[Change]:
        """What it aimed at and made larger, the most last."""
        grown = [each for each in self.aim if each.after - each.before >= WORTH_TELLING]
        return sorted(grown, key=lambda each: each.after - each.before)


def _sentence(case: Case, plain: Case, found: _Found) -> str:
    by_group = _group_thresholds(case)
    price = next(each for each in found.scores if each.label == METRICS["accuracy"].title)
    done = "weighing the rows" if by_group is None else "a threshold for each group"
    told = f"On {judged_on(case)} {done} changed accuracy {_from_to(price)}"
    balance = next((each for each in found.scores if each.label == METRICS["balanced_accuracy"].title), None)
    told += "" if balance is None else f", balanced accuracy {_from_to(balance)}"
    best = min(found.sure or found.aim, key=lambda each: each.after - each.before, default=None)
    if best is not None and best.after < best.before:
        told += f", and the gap in {best.label} {_from_to(best)}"
    if found.grown:
        told += f"; the gap in {found.grown[-1].label} grew {_from_to(found.grown[-1])}"
    if found.gaps:
        told += f"; of the gaps in demographic parity and equalised odds {len(found.helped)} of {len(found.gaps)} got smaller"
        told += f", {len(found.sure) or 'none'} of them beyond chance" if found.helped else ""
    if found.out_of_fold is not None:
        rows = int(np.isfinite(case.out_of_fold).all(axis=1).sum())
        told += f"; on {rows:,} out-of-fold rows, by thresholds that others of them call for, the gap in equalised odds between"
        told += f" the groups that have thresholds of their own goes {_from_to(found.out_of_fold)}"
    return told if by_group is None else f"{told}; {_otherwise(case, plain)}{_inputs_text(case, by_group)}"


def _gaps(plain: Case, case: Case) -> list[Change]:
    """Demographic parity and equalised odds; where a half of these has too few rows, the other half."""
    before, after = measured(plain), measured(case)
    shown = [key for key in before if key in after]
    odds = [key for key in shown if key[1] in ODDS and (key[0], "equalised_odds") not in before]
    return [_gap(key, before[key], after[key]) for key in shown if key[1] in SHOWN or key in odds]


def _out_of_fold(case: Case) -> Change | None:
    """What thresholds by group bring to out-of-fold rows that they were not chosen on."""
    threshold = None if case.evidence is None else case.evidence.readout.threshold
    if threshold is None or "gap_cross_fitted" not in threshold.expected:
        return None
    before, after = threshold.expected["gap_before"], threshold.expected["gap_cross_fitted"]
    return Change("equalised odds, out of fold", before, after, number(after - before))


def _from_to(change: Change) -> str:
    return f"from {figures_text(change.before)} to {figures_text(change.after)}"


def _action(found: _Found) -> str:
    if found.gaps and not found.helped:
        return "Fit again without --mitigate: it closes no gap here."
    if found.grown:
        worst, folds = found.grown[-1], found.out_of_fold
        told = f"Decide whether the gap in {worst.label} may grow for the others; more rows would tell how far it does."
        if folds is None or folds.after >= folds.before:
            return told
        by_chance = worst.by.low is None or worst.by.low <= 0
        why = "which may be chance" if by_chance else "which chance alone seldom does"
        some = "one grew" if len(found.grown) == 1 else f"{len(found.grown)} grew"
        return f"Have it judged on more rows: the gap falls out of fold, and {some} on the judged rows, {why}."
    return "" if found.sure else UNSURE


def _otherwise(case: Case, plain: Case) -> str:
    """How many judged rows are called otherwise by thresholds of their groups."""
    count = int((case.called != plain.called).sum())
    return f"{count:,} of {len(case.truth):,} rows {'is' if count == 1 else 'are'} called otherwise"


def _group_thresholds(case: Case) -> GroupThresholds | None:
    threshold = None if case.evidence is None else case.evidence.readout.threshold
    return None if threshold is None else threshold.groups


def _plain(case: Case) -> Case | None:
    """The case without the mitigation: all groups called from one threshold on, or a model of unweighed rows."""
    if case.limits is not None:
        assert case.evidence is not None
        assert case.evidence.readout.threshold is not None
        threshold = replace(case.evidence.readout.threshold, groups=None)
        readout = replace(case.evidence.readout, threshold=threshold)
        return replace(case, evidence=replace(case.evidence, readout=readout), limits=None)
    return None if case.unmitigated is None else replace(case, prediction=case.unmitigated)


def _nothing_gained(case: Case, by_group: GroupThresholds) -> Finding:
    names = names_text([column.name for column in by_group.columns])
    sentence = (
        f"No thresholds by the groups of {names} have a smaller gap in equalised odds out of fold at the price that is allowed,"
        " so all groups are called from the same one on."
    )
    action, folds = "Allow a higher price, such as `--max-accuracy-loss 0.03`.", _out_of_fold(case)
    if folds is not None:
        closed = figures_text(max(0.0, folds.before - folds.after))
        sentence = (
            f"Thresholds by the groups of {names} close {closed} of a gap in equalised odds of {figures_text(folds.before)} on"
            " out-of-fold rows that they were not chosen on, which is too little, or a gap that may be chance: all groups are"
            " called from the same one on."
        )
        action = "More rows of the groups would help; or allow a higher price, such as `--max-accuracy-loss 0.03`."
    return Finding("AML414", TITLE, Severity.TIP, Section.FAILURES, sentence, "evaluated", action=action)


def _inputs_text(case: Case, by_group: GroupThresholds) -> str:
    """What thresholds by group ask of new data, and for whom there are none."""
    names = [column.name for column in by_group.columns]
    unseen = [name for name in names if case.profile.column(name).role is not Role.FEATURE]
    told = ""
    if unseen:
        verb = "is no feature of the model" if len(unseen) == 1 else "are no features of the model"
        told += f"; {names_text(unseen)} {verb}, but new data must have {'it' if len(unseen) == 1 else 'them'}, for the threshold"
    few = [", ".join(each) for each in by_group.few]
    if few:
        told += f"; {names_text(few[:MOST_NAMED])}{f' and {len(few) - MOST_NAMED} more' if len(few) > MOST_NAMED else ''}"
        told += (
            " had too few rows for a threshold of their own, and have the overall one"
            if len(few) > 1
            else (" had too few rows for a threshold of its own, and has the overall one")
        )
    return told


def _metrics(case: Case) -> list[Metric]:
    """The headline, and what calling a class costs."""
    names = dict.fromkeys([headline_metric(case).name, "accuracy", "balanced_accuracy"])
    return [METRICS[name] for name in names]


def _score(case: Case, plain: Case, metric: Metric) -> Change:
    """The change of a score, with the paired bootstrap interval over the judged rows."""
    pair = [(scaled(each, metric), each.prediction) for each in (plain, case)]
    values = [measure.score(case.truth, prediction, case.weight, case.positive) for measure, prediction in pair]
    replicate = [replicator(measure, case.truth, prediction, case.positive) for measure, prediction in pair]
    total = resamples_for(len(case.truth), 1, case)
    differences: list[Array] = []
    for block in count_blocks(len(case.truth), total, case.plan.seed, judged_groups(case), case.weight):
        differences.append(replicate[1](block) - replicate[0](block))
    low, high = percentile_interval(np.concatenate(differences))
    return Change(metric.title, values[0], values[1], number(values[1] - values[0], low, high))


def _gap(key: tuple[str, str], before: Gap, after: Gap) -> Change:
    label = f"{key[0]}: {MEASURES[key[1]]}"
    value = after.interval.value - before.interval.value
    ends = around(value, *percentile_interval(after.draws - before.draws))  # of the same resamples
    return Change(label, before.interval.value, after.interval.value, number(value, *ends), key[1] == "selection")


def _figure(changes: list[Change]) -> Figure:
    labels = tuple(each.label for each in changes)
    series = (
        Series("without", labels, tuple(finite(each.before) for each in changes)),
        Series("with mitigation", labels, tuple(finite(each.after) for each in changes)),
    )
    how = (
        "Each pair is a gap between groups (0 is equal treatment) or a score, without and with the mitigation: the same settings"
        " trained without and with weights of the rows, or the same model with one threshold and with one for each group."
        " Smaller gaps are what it buys, the scores are what it costs."
    )
    return Figure("mitigation", "interval", TITLE, how, series, "measure", "value", "zero")


CHECK = Check("AML414", TITLE, Section.FAILURES, run, independent=True, turn=Turn.ASKED, seconds=0.2)
