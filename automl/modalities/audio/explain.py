"""What the model listens to, what it was trained on, and which clips it hears wrong: AML525 to AML528."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from automl.core.case import Case
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.core.media import Audio
from automl.core.metrics import log_losses
from automl.core.profile import ColumnProfile, Kind
from automl.encoders.audio import Framing, LogMelEncoder
from automl.modalities.audio.drawing import picture
from automl.training.trunks import audio

Array = np.ndarray[Any, Any]

MOST_EXPLAINED, MOST_SAMPLES, MOST_MISTAKES = 10, 16, 12
STRETCHES, RANGES = 10, 6
"""Parts of a clip in time and in frequency that are silenced one by one."""
LEAST_SECONDS = 2.0
LISTENING, SHEET, MISTAKES, FORM = (
    "What the model listens to",
    "A training batch as the model hears it",
    "Clips that the model hears wrong",
    "The sounds",
)


def explain(case: Case) -> list[Finding]:
    """The findings of this modality. Pictures are left out with --no-samples."""
    column = next(column for column in case.profile.features if column.kind is Kind.AUDIO)
    findings = [_form(case, column)]
    if not case.plan.samples:
        why = "Clips are not shown because of --no-samples."
        return [*findings, *(_not_applicable(code, title, why) for code, title in (("AML525", LISTENING), ("AML527", SHEET)))]
    ears = Ears(case, column)
    findings.append(_sheet(case, column, ears))
    findings.append(_mistakes(case, column, ears))
    if case.deadline.lacks(LEAST_SECONDS) or case.predict is None or not len(case.truth):
        return [*findings, _not_run("AML525", LISTENING, "There was no time left to listen with parts silenced.")]
    return [*findings, _listening(case, column, ears)]


class Ears:
    """Decodes clips and makes log-mel spectrograms of them."""

    def __init__(self, case: Case, column: ColumnProfile) -> None:
        self.parser = Audio(column.parse)
        self.root = case.profile.root
        self.encoder = LogMelEncoder.unscaled(column.name, Framing.of(self.parser.rate, self.parser.samples))

    def sounds(self, cells: Iterable[Any]) -> Array:
        """(clips, samples)."""
        return self.parser.column(list(cells), self.root)

    def spectrograms(self, sounds: Array) -> Array:
        """(clips, frames, bands), not standardised."""
        return self.encoder.transform(sounds)

    @property
    def axes(self) -> str:
        """How to read a picture's axes."""
        seconds, highest = self.parser.samples / self.parser.rate, self.parser.rate / 2000
        return (
            f"Time runs to the right over {seconds:.2g} s, frequency upwards from 0 to {highest:.2g} kHz on the mel scale;"
            " the darker, the louder."
        )


def _listening(case: Case, column: ColumnProfile, ears: Ears) -> Finding:
    """AML525: how far the prediction moves when a part in time and frequency is silenced."""
    chosen = _explained(case)
    sounds = ears.sounds(case.judged[column.name].iloc[chosen])
    spectrograms = ears.spectrograms(sounds)
    series, in_time, in_range = [], np.zeros(STRETCHES), np.zeros(RANGES)
    for number, row in enumerate(chosen.tolist()):
        if case.deadline.lacks(LEAST_SECONDS):
            break
        moved = _moved(case, column, sounds[number], row)
        weight = moved / max(1e-9, float(np.abs(moved).max()))
        in_time, in_range = in_time + np.abs(moved).sum(axis=1), in_range + np.abs(moved).sum(axis=0)
        frames, bands = spectrograms.shape[1:]
        fine = weight[np.arange(frames) * STRETCHES // frames][:, _range_of_bands(ears, bands)]
        series.append(Series(_caption(case, column, row), (picture(spectrograms[number], fine),), ()))
    if not series:
        return _not_run("AML525", LISTENING, "There was no time left to listen with parts silenced.")
    edges = _range_hertz(ears.parser.rate)
    top, part = int(in_range.argmax()), int(in_time.argmax())
    seconds = ears.parser.samples / ears.parser.rate / STRETCHES
    sentence = (
        f"In {len(series)} clips, predictions move most when {edges[top]:,.0f} to {edges[top + 1]:,.0f} Hz"
        f" are silenced ({in_range[top] / max(1e-9, in_range.sum()):.0%} of all movement), and in time most at"
        f" {part * seconds:.2g} to {(part + 1) * seconds:.2g} s ({in_time[part] / max(1e-9, in_time.sum()):.0%})."
    )
    how = (
        f"{ears.axes} Each of {STRETCHES} x {RANGES} parts was silenced alone: blue where the predicted class"
        " loses by it, orange where it gains."
        if case.profile.task.is_classification
        else f"{ears.axes} Each of {STRETCHES} x {RANGES} parts was silenced alone: blue where the predicted value"
        " falls by it, orange where it rises."
    )
    return Finding(
        code="AML525",
        title=LISTENING,
        severity=Severity.PASSED,
        section=Section.WHY,
        sentence=sentence,
        about="evaluated",
        figures=(Figure("listening", "images", LISTENING, how, tuple(series)),),
        action="Where the colour lies on silence or hum, the model may know the recording and not the sound.",
    )


def _explained(case: Case) -> Array:
    """Judged clips to explain: of every class (or range of values) in turn."""
    if case.profile.task.is_classification:
        order = np.argsort(case.truth, kind="stable")
        first = [order[case.truth[order] == code][:1] for code in np.unique(case.truth)]
        chosen = np.concatenate(first)
    else:
        chosen = np.argsort(case.truth, kind="stable")[np.linspace(0, len(case.truth) - 1, MOST_EXPLAINED).astype(int)]
    return np.asarray(np.unique(chosen)[:MOST_EXPLAINED], np.int64)


def _moved(case: Case, column: ColumnProfile, sound: Array, row: int) -> Array:
    """How far the prediction falls when each part is silenced, (STRETCHES, RANGES)."""
    assert case.predict is not None
    parts = split_up(sound, int(column.parse["rate"]))
    variants = np.concatenate([sound[None], (sound - parts.reshape(-1, len(sound)))]).astype(np.float32)
    others = {each.name: [case.judged[each.name].iloc[row]] * len(variants) for each in case.profile.features}
    frame = pd.DataFrame({**others, column.name: pd.Series(list(variants), dtype=object)})
    predicted = np.asarray(case.predict(frame), np.float64)
    if case.profile.task.is_classification:
        predicted = np.log(np.clip(predicted[:, int(predicted[0].argmax())], 1e-6, 1.0))
    return np.asarray((predicted[0] - predicted[1:]).reshape(STRETCHES, RANGES))


def split_up(sound: Array, rate: int) -> Array:
    """A sound as a sum of its parts, (STRETCHES, RANGES, samples): stretches with soft edges, ranges of frequency."""
    samples = len(sound)
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(samples, 1 / rate)
    edges = _range_hertz(rate)
    place = np.clip(np.searchsorted(edges, hertz, side="right") - 1, 0, RANGES - 1)
    ranges = np.stack([np.fft.irfft(np.where(place == number, spectrum, 0), samples) for number in range(RANGES)])
    position = (np.arange(samples) + 0.5) / samples * STRETCHES
    inside = np.stack([np.clip(1.25 * (1 - np.abs(position - number - 0.5)), 0, 1) for number in range(STRETCHES)])
    inside /= inside.sum(axis=0)  # (stretches, samples)
    return np.asarray(inside[:, None, :] * ranges[None, :, :])


def _range_hertz(rate: int) -> Array:
    """The edges of the ranges, equally far apart on the mel scale, (RANGES + 1,)."""
    top = 2595 * np.log10(1 + rate / 2 / 700)
    return np.asarray(700 * (10 ** (np.linspace(0, top, RANGES + 1) / 2595) - 1))


def _range_of_bands(ears: Ears, bands: int) -> Array:
    return np.clip(np.searchsorted(_range_hertz(ears.parser.rate), ears.encoder.band_hertz, side="right") - 1, 0, RANGES - 1)


def _sheet(case: Case, column: ColumnProfile, ears: Ears) -> Finding:
    """AML527: spectrograms of training clips with the augmentation that the chosen net was trained with."""
    frame, rows = case.dataset.frame, case.training_rows
    generator = np.random.default_rng(case.plan.seed)
    chosen = np.sort(generator.permutation(rows)[: MOST_SAMPLES + 8])
    sounds = ears.sounds(frame[column.name].iloc[chosen])
    read = [number for number in range(len(chosen)) if number not in ears.parser.problems][:MOST_SAMPLES]
    if not read:
        return _not_applicable("AML527", SHEET, "None of the clips that were drawn for the sheet can be decoded.")
    chosen, sounds = chosen[read], sounds[read]
    settings = _settings(case)
    told = "as it is: the chosen model is no net and sees no augmentation"
    spectrograms = ears.spectrograms(sounds)
    if settings is not None and audio.augmentation(settings):
        told = "with stretches of time and bands of frequency hidden, moved and turned up or down, anew in every epoch"
        mean, deviation = spectrograms.mean(axis=(0, 1)), spectrograms.std(axis=(0, 1)) + 1e-3
        spectrograms = audio.augmented_arrays((spectrograms - mean) / deviation, settings, generator) * deviation + mean
    elif settings is not None:
        told = "as it is: the search chose no augmentation"
    labels = frame[case.profile.target].iloc[chosen].tolist()
    series = [Series(str(label), (picture(each),), ()) for label, each in zip(labels, spectrograms, strict=True)]
    return Finding(
        code="AML527",
        title=SHEET,
        severity=Severity.PASSED,
        section=Section.DATA,
        sentence=f"{len(series)} training clips with their label, each {told}.",
        figures=(Figure("sheet", "images", SHEET, f"{ears.axes} The caption is the label.", tuple(series)),),
        action="Look whether clips and labels belong together, and whether a hidden part can take away what tells the label.",
    )


def _settings(case: Case) -> dict[str, Any] | None:
    """The settings of the chosen net; None where the champion is none."""
    evidence = case.evidence
    if evidence is None or evidence.champion not in ("cnn", "gru"):
        return None
    trials = (
        each for each in evidence.trials if (each.architecture, each.number) == (evidence.champion, evidence.champion_trial)
    )
    return next((each.settings for each in trials), None)


def _mistakes(case: Case, column: ColumnProfile, ears: Ears) -> Finding:
    """AML528: the judged clips with the largest losses."""
    if not len(case.truth):
        return _not_applicable("AML528", MISTAKES, "No clips were judged.")
    if case.profile.task.is_classification:
        wrong = np.flatnonzero(case.called != case.truth)
        order = wrong[np.argsort(-log_losses(case.truth[wrong], case.prediction[wrong]), kind="stable")]
    else:
        order = np.argsort(-np.abs(case.prediction - case.truth), kind="stable")
    chosen = order[:MOST_MISTAKES]
    if not len(chosen):
        sentence = f"The model hears all {len(case.truth):,} judged clips right."
        return Finding("AML528", MISTAKES, Severity.PASSED, Section.FAILURES, sentence, "evaluated")
    spectrograms = ears.spectrograms(ears.sounds(case.judged[column.name].iloc[chosen]))
    captions = [_caption(case, column, row) for row in chosen.tolist()]
    series = [Series(name, (picture(each),), ()) for name, each in zip(captions, spectrograms, strict=True)]
    counted = f"{len(order):,} of {len(case.truth):,} judged clips are heard wrong"
    told = counted if case.profile.task.is_classification else "The clips with the largest errors"
    return Finding(
        code="AML528",
        title=MISTAKES,
        severity=Severity.TIP,
        section=Section.FAILURES,
        sentence=f"{told}; the worst {len(series)} are shown.",
        about="evaluated",
        figures=(Figure("mistakes", "images", MISTAKES, f"{ears.axes} The caption says truth and prediction.", tuple(series)),),
        action="Listen to these files: wrong labels, cut-off words and noise stand out here first.",
    )


def _form(case: Case, column: ColumnProfile) -> Finding:
    """AML526: what was found when all clips were decoded, and the form that they were brought to."""
    facts = column.statistics
    problems = [("unreadable", name, why) for name, why in facts.get("unreadable", ())]
    problems += [("silent", name, "every sample is the same") for name in facts.get("silent", ())]
    counted = int(facts.get("unreadable_count", 0)), int(facts.get("silent_count", 0))
    shared = bool(facts.get("recordings", {}).get("shared_with_test"))
    severity = (
        Severity.ISSUE if counted[0] else Severity.TIP if counted[1] or shared or len(facts["rates"]) > 1 else Severity.PASSED
    )
    actions = []
    if counted[0]:
        actions.append("Mend or remove the files that cannot be decoded.")
    if shared:
        actions.append("If new data come from other speakers or recordings, give a test part with such ones.")
    if len(facts["rates"]) > 1:
        actions.append("Check that the sampling rate does not go with the label: it can leave traces in the sound.")
    shown = case.plan.samples
    return Finding(
        code="AML526",
        title=FORM,
        severity=severity,
        section=Section.DATA,
        sentence=column.evidence.split(". ", 1)[-1].rstrip(".") + ".",
        table={"columns": ["what", "file", "why"], "rows": [list(each) for each in problems]} if problems and shown else {},
        action=" ".join(actions),
    )


def _caption(case: Case, column: ColumnProfile, row: int) -> str:
    cell = case.judged[column.name].iloc[row]
    name = os.path.basename(cell) if isinstance(cell, str) else f"clip {row:,}"
    if case.profile.task.is_classification:
        classes, likely = case.profile.classes, int(case.called[row])
        truth, share = classes[int(case.truth[row])], float(case.prediction[row, likely])
        return f"{name}: {truth}, predicted {classes[likely]} ({share:.0%})"
    return f"{name}: {case.truth[row]:.3g}, predicted {case.prediction[row]:.3g}"


def _not_applicable(code: str, title: str, sentence: str) -> Finding:
    section = {"AML525": Section.WHY, "AML528": Section.FAILURES}.get(code, Section.DATA)
    return Finding(code, title, Severity.NOT_APPLICABLE, section, sentence)


def _not_run(code: str, title: str, sentence: str) -> Finding:
    return replace(_not_applicable(code, title, sentence), severity=Severity.NOT_RUN)
