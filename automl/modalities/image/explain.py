"""What the model looks at, what it was trained on, which images it gets wrong, and what is odd about them: AML510 to AML514."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from automl.core.case import Case
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.core.media import Image
from automl.core.metrics import log_losses
from automl.core.png import data_uri
from automl.core.profile import ColumnProfile, Kind
from automl.training.augment_arrays import DRAWN, augmented_arrays
from automl.training.symmetry import MOST_ROWS, Symmetry, symmetries
from automl.training.trunks.image import augmentation

Array = np.ndarray[Any, Any]

MOST_EXPLAINED, MOST_SAMPLES, MOST_MISTAKES = 10, 18, 12
PLACES = 7
"""A square is put on so many places along either side, each a quarter of the side wide, half over the one before."""
LEAST_SECONDS, PROBE_SECONDS = 2.0, 6.0
SHOWN_SIDE = 64
SHADES = 32
"""Levels of a colour in a picture; fewer compress better."""
BLUE, ORANGE = np.asarray([37.0, 99.0, 235.0]), np.asarray([226.0, 105.0, 12.0])
OPACITY = 0.65
NETS = ("cnn", "residual")
LOOKING, SHEET, MISTAKES, FORM, MIRRORS = (
    "What the model looks at",
    "A training batch as the net sees it",
    "Images that the model gets wrong",
    "The images",
    "Which mirror images mean the same",
)
_SECTIONS = {"AML510": Section.WHY, "AML512": Section.FAILURES}


def explain(case: Case) -> list[Finding]:
    """The findings of this modality. Pictures are left out with --no-samples."""
    column = case.profile.features_of(Kind.IMAGE)[0]
    findings = [_form(case, column), _mirrors(case, column)]
    if not case.plan.samples:
        why = "Images are not shown because of --no-samples."
        return [*findings, *(_left_out(code, title, why) for code, title in _TITLES.items())]
    findings += [_sheet(case, column), _mistakes(case, column)]
    if case.deadline.lacks(LEAST_SECONDS) or case.predict is None or not len(case.truth):
        return [*findings, _not_run("AML510", LOOKING, "There was no time left to look with parts covered.")]
    return [*findings, _looking(case, column)]


_TITLES = {"AML510": LOOKING, "AML511": SHEET, "AML512": MISTAKES}


# --- what it looks at ------------------------------------------------------------------------------------------------


def _looking(case: Case, column: ColumnProfile) -> Finding:
    """AML510: how far the prediction moves when a square is covered, by the exported model."""
    chosen = _explained(case)
    images, read = _decoded(case, column, case.judged[column.name].iloc[chosen])
    series, middle, whole = [], 0.0, 0.0
    for number in read:
        if case.deadline.lacks(LEAST_SECONDS):
            break
        row = int(chosen[number])
        moved = covered_change(case, column, images[number], row)
        size = np.abs(moved)
        inner = slice(moved.shape[0] // 4, -(moved.shape[0] // 4)), slice(moved.shape[1] // 4, -(moved.shape[1] // 4))
        middle, whole = middle + float(size[inner].sum()), whole + float(size.sum())
        series.append(Series(_caption(case, column, row), (picture(images[number], moved / max(1e-9, float(size.max()))),), ()))
    if not series:
        return _not_run("AML510", LOOKING, "There was no time left to look with parts covered.")
    told = (
        f"{middle / max(1e-9, whole):.0%} of what moves predictions lies in the middle half of the sides (a quarter of the area)"
    )
    loses, gains = (
        ("the predicted class loses", "it gains") if case.profile.task.is_classification else ("the value falls", "it rises")
    )
    how = (
        f"A square was put on {PLACES} x {PLACES} places of each image, in the image's own median colour, and the exported"
        f" model asked again: blue where {loses} by it, orange where {gains}."
    )
    return Finding(
        code="AML510",
        title=LOOKING,
        severity=Severity.PASSED,
        section=Section.WHY,
        sentence=f"Parts of {len(series)} images were covered one by one: {told}.",
        about="evaluated",
        figures=(Figure("looking", "images", LOOKING, how, tuple(series)),),
        action="Where the colour lies on the background or a mark, the model may know the photographer and not the thing.",
    )


def covered_change(case: Case, column: ColumnProfile, image: Array, row: int) -> Array:
    """How far the prediction falls when what lies around each pixel is covered, (height, width).

    image: (height, width, channels) as the net sees it, of judged row `row`.
    """
    assert case.predict is not None
    height, width = image.shape[:2]
    squares = [(_span(height, down), _span(width, right)) for down in range(PLACES) for right in range(PLACES)]
    colour = np.median(image.reshape(-1, image.shape[2]), axis=0).astype(np.uint8)
    variants = np.repeat(image[None], 1 + len(squares), axis=0)
    for number, (down, right) in enumerate(squares, start=1):
        variants[number, down, right] = colour
    others = {each.name: [case.judged[each.name].iloc[row]] * len(variants) for each in case.profile.features}
    frame = pd.DataFrame({**others, column.name: pd.Series(list(variants), dtype=object)})
    predicted = np.asarray(case.predict(frame), np.float64)
    if case.profile.task.is_classification:
        predicted = np.log(np.clip(predicted[:, int(predicted[0].argmax())], 1e-6, 1.0))
    change, times = np.zeros((height, width)), np.zeros((height, width))
    for (down, right), moved in zip(squares, predicted[0] - predicted[1:], strict=True):
        change[down, right] += moved
        times[down, right] += 1
    return change / np.maximum(times, 1)


def _span(size: int, place: int) -> slice:
    side = max(1, round(size / 4))
    start = round(place * (size - side) / (PLACES - 1))
    return slice(start, start + side)


def _explained(case: Case) -> Array:
    """Judged images to explain: one of every class, or over the range of values."""
    if case.profile.task.is_classification:
        order = np.argsort(case.truth, kind="stable")
        chosen = np.concatenate([order[case.truth[order] == code][:1] for code in np.unique(case.truth)])[:MOST_EXPLAINED]
    else:
        chosen = np.argsort(case.truth, kind="stable")[np.linspace(0, len(case.truth) - 1, MOST_EXPLAINED).astype(int)]
    return np.unique(chosen)


# --- what it was trained on ------------------------------------------------------------------------------------------


def _sheet(case: Case, column: ColumnProfile) -> Finding:
    """AML511: training images as the net sees them, with the augmentation that the chosen net was trained with."""
    frame, rows = case.dataset.frame, case.training_rows
    generator = np.random.default_rng(case.plan.seed)
    chosen = np.sort(generator.permutation(rows)[: MOST_SAMPLES + 6])
    images, read = _decoded(case, column, frame[column.name].iloc[chosen])
    read = read[:MOST_SAMPLES]
    if not read:
        return _left_out("AML511", SHEET, "None of the images that were drawn for the sheet can be decoded.")
    images, settings = images[read], _settings(case)
    arguments = None if settings is None else augmentation(images.shape[1:], settings)
    told = "as it is: the chosen model is no net" if settings is None else "as it is: the search chose no augmentation"
    if arguments is not None:
        images = augmented_arrays(images, arguments, generator.random((len(images), DRAWN)))
        told = f"{_said(arguments)}, anew in every epoch"
    labels = frame[case.profile.target].iloc[chosen[read]].tolist()
    series = tuple(Series(str(label), (picture(each),), ()) for label, each in zip(labels, images, strict=True))
    return Finding(
        code="AML511",
        title=SHEET,
        severity=Severity.PASSED,
        section=Section.DATA,
        sentence=f"{len(series)} training images with their label, each {told}.",
        figures=(Figure("sheet", "images", SHEET, "As the net sees it in training; the caption is the label.", series),),
        action="Look whether images and labels belong together, and whether a change can take away what tells the label.",
    )


def _said(arguments: dict[str, Any]) -> str:
    """The augmentation in words."""
    movement = arguments["movement"]
    words = [
        f"moved by up to {movement['shift']:.0%}",
        f"turned by up to {movement['rotate']:.0f} degrees",
        f"resized by up to {movement['zoom']:.0%}",
    ]
    words += ["mirrored left to right"] * arguments["flip_horizontal"] + ["mirrored top to bottom"] * arguments["flip_vertical"]
    words += ["turned by quarters"] * arguments["quarter_turns"]
    words += [f"changed in brightness and colour by up to {arguments['colour']:.0%}"] * (arguments["colour"] > 0)
    words += ["covered in one square"] * (arguments["cutout"] > 0)
    return ", ".join(words[:-1]) + f" and {words[-1]}"


def _settings(case: Case) -> dict[str, Any] | None:
    """The settings of the chosen net; None where the champion is none."""
    evidence = case.evidence
    if evidence is None or evidence.champion not in NETS:
        return None
    of_champion = (evidence.champion, evidence.champion_trial)
    return next((each.settings for each in evidence.trials if (each.architecture, each.number) == of_champion), None)


def _mirrors(case: Case, column: ColumnProfile) -> Finding:
    """AML514: what a small classifier still knows of mirrored and turned images."""
    if case.deadline.lacks(PROBE_SECONDS):
        return _not_run("AML514", MIRRORS, "There was no time left to show how the augmentation was decided.")
    rows = case.training_rows
    rows = np.sort(np.random.default_rng(case.plan.seed).permutation(rows)[:MOST_ROWS])
    frame = case.dataset.frame.iloc[rows]
    images, read = _decoded(case, column, frame[column.name])
    values = frame[case.profile.target].iloc[read]
    classes = None
    if case.profile.task.is_classification:
        target, names = pd.factorize(values.astype(str), sort=True)
        classes = len(names)
    else:
        target = pd.to_numeric(values, errors="coerce").to_numpy(np.float64)
        known = np.isfinite(target)
        images, target, read = images[read][known], target[known], list(range(int(known.sum())))
    found = symmetries(images[read], np.asarray(target), classes)
    settings = _settings(case)
    used = str((settings or {}).get("mirrored", "none")).split("+")
    unit = "accuracy" if classes else "R2"
    titles = {
        "flip_horizontal": "mirrored left to right",
        "flip_vertical": "mirrored top to bottom",
        "quarter_turns": "turned by quarters",
    }
    sentence = _mirror_sentence(found, used, titles, unit, len(read))
    return Finding(
        code="AML514",
        title=MIRRORS,
        severity=Severity.PASSED,
        section=Section.DATA,
        sentence=sentence,
        numbers={"upright": Number(found[0].plain, unit=unit), **{each.name: Number(each.changed, unit=unit) for each in found}},
        table={
            "columns": ["change", f"{unit} upright", f"{unit} changed", "guessing", "used for augmentation"],
            "rows": [
                [
                    titles[each.name],
                    round(each.plain, 3),
                    round(each.changed, 3),
                    round(each.guessing, 3),
                    "yes" if each.name in used else "no",
                ]
                for each in found
            ],
        },
    )


def _mirror_sentence(found: list[Symmetry], used: Sequence[str], titles: dict[str, str], unit: str, rows: int) -> str:
    chosen = [titles[each.name] for each in found if each.name in used]
    decided = f"training images are {' and '.join(chosen)} at random" if chosen else "no image is mirrored in training"
    if found[0].decided_by != "measured":
        return f"It could not be measured which mirror images mean the same ({found[0].decided_by}): {decided}."
    told = ", ".join(f"{each.changed:.2f} {titles[each.name]}" for each in found)
    return (
        f"A small classifier, taught on half of {rows:,} training images, reaches {unit} {found[0].plain:.2f} on the other half"
        f" and {told}: {decided}."
    )


# --- mistakes, form --------------------------------------------------------------------------------------------------


def _mistakes(case: Case, column: ColumnProfile) -> Finding:
    """AML512: the judged images with the largest losses."""
    if not len(case.truth):
        return _left_out("AML512", MISTAKES, "No images were judged.")
    classifies = case.profile.task.is_classification
    if classifies:
        wrong = np.flatnonzero(case.called != case.truth)
        order = wrong[np.argsort(-log_losses(case.truth[wrong], case.prediction[wrong]), kind="stable")]
    else:
        order = np.argsort(-np.abs(case.prediction - case.truth), kind="stable")
    chosen = order[:MOST_MISTAKES]
    if not len(chosen):
        sentence = f"The model gets all {len(case.truth):,} judged images right."
        return Finding("AML512", MISTAKES, Severity.PASSED, Section.FAILURES, sentence, "evaluated")
    images, read = _decoded(case, column, case.judged[column.name].iloc[chosen])
    series = tuple(Series(_caption(case, column, int(chosen[number])), (picture(images[number]),), ()) for number in read)
    counted = f"{len(order):,} of {len(case.truth):,} judged images are taken for another class"
    return Finding(
        code="AML512",
        title=MISTAKES,
        severity=Severity.TIP,
        section=Section.FAILURES,
        sentence=f"{counted if classifies else 'The images with the largest errors'}; the worst {len(series)} are shown.",
        about="evaluated",
        figures=(Figure("mistakes", "images", MISTAKES, "The caption says truth and prediction.", series),),
        action="Look at these files: wrong labels, cut-off things and poor pictures stand out here first.",
    )


def _form(case: Case, column: ColumnProfile) -> Finding:
    """AML513: what was found when all images were decoded, and the form that they were brought to."""
    facts = column.statistics
    copies = facts.get("near_duplicates", {})
    rows = [["unreadable", name, why] for name, why in facts.get("unreadable", ())]
    rows += [["near-duplicates", names[0], " and ".join(names[1:])] for names in copies.get("examples", ())]
    actions = []
    if facts.get("unreadable_count"):
        actions.append("Mend or remove the files that cannot be decoded.")
    if copies.get("across"):
        actions.append(
            "Images of the test part that have a near-duplicate in training flatter the score: remove them from one part."
        )
    elif copies.get("images"):
        actions.append("Look whether near-duplicates bear the same label.")
    issue = bool(facts.get("unreadable_count")) or copies.get("across", 0) > 0.01 * max(1, len(case.truth))
    return Finding(
        code="AML513",
        title=FORM,
        severity=Severity.ISSUE if issue else Severity.TIP if copies.get("images") else Severity.PASSED,
        section=Section.DATA,
        sentence=column.evidence.split(". ", 1)[-1].rstrip(".") + ".",
        numbers={"near-duplicates": Number(copies.get("images", 0)), "unreadable": Number(facts.get("unreadable_count", 0))},
        table={"columns": ["what", "file", "why"], "rows": rows} if rows and case.plan.samples else {},
        action=" ".join(actions),
    )


# --- pictures --------------------------------------------------------------------------------------------------------


def picture(image: Array, weight: Array | None = None) -> str:
    """A data URI of a PNG.

    image: (height, width, channels) uint8. weight: (height, width) in [-1, 1], blue where positive, orange where negative.
    """
    times = max(1, SHOWN_SIDE // max(image.shape[:2])) if weight is not None else 1
    image = image.repeat(times, axis=0).repeat(times, axis=1)
    if weight is not None:
        weight = np.round(weight.repeat(times, axis=0).repeat(times, axis=1) * 8) / 8
        grey = image.mean(axis=2, keepdims=True)
        colour = np.where(weight[:, :, None] > 0, BLUE, ORANGE)
        share = OPACITY * np.abs(weight)[:, :, None]
        image = (grey * (1 - share) + colour * share).astype(np.uint8)
    return data_uri((image // (256 // SHADES)) * (255 // (SHADES - 1)))


def _decoded(case: Case, column: ColumnProfile, cells: Iterable[Any]) -> tuple[Array, list[int]]:
    """(rows, height, width, channels) as the net sees them, and the positions of those that can be read."""
    parser = Image(column.parse)
    images = parser.column(list(cells), case.profile.root)
    return images, [number for number in range(len(images)) if number not in parser.problems]


def _caption(case: Case, column: ColumnProfile, row: int) -> str:
    cell = case.judged[column.name].iloc[row]
    name = os.path.basename(cell) if isinstance(cell, str) else f"image {row:,}"
    name = name if len(name) <= 24 else f"…{name[-22:]}"
    if case.profile.task.is_classification:
        classes, likely = case.profile.classes, int(case.called[row])
        truth, share = classes[int(case.truth[row])], float(case.prediction[row, likely])
        return f"{name}: {truth}, predicted {classes[likely]} ({share:.0%})"
    return f"{name}: {case.truth[row]:.3g}, predicted {case.prediction[row]:.3g}"


def _left_out(code: str, title: str, sentence: str) -> Finding:
    return Finding(code, title, Severity.NOT_APPLICABLE, _SECTIONS.get(code, Section.DATA), sentence)


def _not_run(code: str, title: str, sentence: str) -> Finding:
    return replace(_left_out(code, title, sentence), severity=Severity.NOT_RUN)
