"""AML120: labels that are likely wrong, by confident learning on out-of-fold probabilities.

Northcutt, Jiang and Chuang, Confident learning: estimating uncertainty in dataset labels, JAIR 70, 2021.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from automl.core.case import Array, Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.judge.scoring import not_applicable
from automl.judge.wording import count_text, number, percent_text

TITLE = "Labels that are likely wrong"
FEWEST_ROWS = 100
SHOWN = 200
WORTH_A_LOOK, FEWEST = 0.005, 5
APART = 0.9
"""Where the model is right about this share of the rows, classes lie apart, and what contradicts it is likely a wrong label."""


@dataclass(frozen=True)
class Suspects:
    """rows: (suspects,) the likely errors, the least expected label first; likely: (suspects,) the classes that they more
    likely are. estimated: how many labels are wrong by the confident joint."""

    rows: Array
    likely: Array
    estimated: float


def confident_learning(probabilities: Array, labels: Array) -> Suspects:
    """Rows whose label is likely another one.

    probabilities: (rows, classes) of rows that the model was not trained on; labels: (rows,) codes as they were given.

    A row counts as confidently of a class k where its probability reaches the mean probability of k over the rows that are
    labelled k; of several, as of the most probable. These counts by given and confident class, scaled to the counts of the
    given labels, estimate how many labels of each kind are wrong; so many rows with the widest margin are taken of each kind
    ("prune by noise rate"), if their most probable class is another one than the given.
    """
    classes = probabilities.shape[1]
    given = np.bincount(labels, minlength=classes).astype(np.float64)
    own = np.bincount(labels, probabilities[np.arange(len(labels)), labels], classes)
    thresholds = np.divide(own, given, out=np.full(classes, np.inf), where=given > 0)
    reached = np.where(probabilities >= thresholds - 1e-12, probabilities, -1.0)
    confident = reached.max(axis=1) >= 0
    joint = np.zeros((classes, classes))
    np.add.at(joint, (labels[confident], reached[confident].argmax(axis=1)), 1.0)
    joint[joint.sum(axis=1) == 0] = np.eye(classes)[joint.sum(axis=1) == 0]
    joint *= (given / joint.sum(axis=1))[:, None]
    suspect = np.zeros(len(labels), bool)
    for label in np.flatnonzero(given):
        members = np.flatnonzero(labels == label)
        for other in np.flatnonzero(joint[label] > 0):
            if other != label:
                margin = probabilities[members, other] - probabilities[members, label]
                suspect[members[np.argsort(-margin, kind="stable")[: round(joint[label, other])]]] = True
    likely = probabilities.argmax(axis=1)
    rows = np.flatnonzero(suspect & (likely != labels))
    rows = rows[np.argsort(probabilities[rows, labels[rows]], kind="stable")]
    return Suspects(rows, likely[rows], float(joint.sum() - np.trace(joint)))


def run(case: Case) -> list[Finding]:
    probabilities, labels = case.out_of_fold, case.out_of_fold_truth
    if not case.profile.task.is_classification:
        return not_applicable("AML120", TITLE, Section.DATA, "Likely wrong labels are looked for in classes only.")
    if len(labels) < FEWEST_ROWS or probabilities.ndim != 2:
        why = f"Likely wrong labels were not looked for: that takes {FEWEST_ROWS} out-of-fold predictions."
        return not_applicable("AML120", TITLE, Section.DATA, why)
    found = confident_learning(probabilities, labels.astype(np.int64))
    share = len(found.rows) / len(labels)
    right = float((probabilities.argmax(axis=1) == labels).mean())
    telling = right >= APART and share >= WORTH_A_LOOK and len(found.rows) >= FEWEST
    many = f"{count_text(len(found.rows), 'label')} of {len(labels):,} ({percent_text(share)})"
    if right < APART:
        sentence = (
            f"The classes overlap (out of fold {percent_text(right)} of the rows are told right), so wrong labels cannot be told"
            f" from rows that are hard to tell; {many} go against what the model is confident of"
        )
    else:
        sentence = f"Confident learning on out-of-fold probabilities takes {many} for likely wrong"
    shown = case.plan.samples and len(found.rows) > 0
    return [
        Finding(
            code="AML120",
            title=TITLE,
            severity=Severity.NOT_APPLICABLE if right < APART else Severity.TIP if telling else Severity.PASSED,
            section=Section.DATA,
            sentence=f"{sentence}.",
            about="data",
            numbers={
                "labels_against_the_model": number(len(found.rows)),
                "share_of_the_labels": number(share, unit="fraction"),
                "wrong_labels_by_the_confident_joint": number(round(found.estimated)),
            },
            table=_table(case, found, probabilities, labels) if shown else {},
            action="Look at the labels of these rows, the least expected first; rows are counted from 0." if telling else "",
        )
    ]


def _table(case: Case, found: Suspects, probabilities: Array, labels: Array) -> dict[str, object]:
    names = case.profile.classes
    numbered = len(case.out_of_fold_rows) == len(labels)
    rows = [
        [
            int(case.out_of_fold_rows[row]) if numbered else int(row),
            names[int(labels[row])],
            percent_text(float(probabilities[row, int(labels[row])])),
            names[int(likely)],
            percent_text(float(probabilities[row, int(likely)])),
        ]
        for row, likely in zip(found.rows[:SHOWN], found.likely[:SHOWN], strict=True)
    ]
    return {"columns": ["row", "label", "its probability", "more likely", "its probability "], "rows": rows}


CHECK = Check("AML120", TITLE, Section.DATA, run, independent=True, seconds=0.1)
