"""Proof: every number of a report that can be computed again from the run folder and the data is, and is held against it."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.case import Case
from automl.core.dataset import Dataset
from automl.core.errors import AutomlError, InputError
from automl.core.events import Event, Listener, silent
from automl.core.evidence import Decision, Evidence, Trial, scores_of_choice
from automl.core.files import decode, encode, read_json, sha256_of
from automl.core.finding import Finding
from automl.core.memory import shares_of
from automl.core.metrics import Metric
from automl.core.options import Options
from automl.core.plan import Plan
from automl.core.profile import Profile
from automl.core.readout import Readout
from automl.core.record import digests, read_record
from automl.core.version import VERSION, program_digest
from automl.runfolder import versions

Array = np.ndarray[Any, Any]

RELATIVE, ABSOLUTE = 1e-6, 1e-9
"""Two numbers within these are the same: sums in another order, on another machine, differ by less."""
ROUNDED = 1e-4
"""Scores of a search were computed before its predictions were rounded to what the folder keeps (float32)."""
CLOCKED = re.compile(r"seconds|milliseconds")
NOTED_WHILE_RUNNING = ("AML307", "AML308", "AML309")
"""Findings about what happened in the run itself; they are taken as they stand."""
LEFT_ASIDE = (
    "what was measured by the clock: seconds, milliseconds a row, the price of a climb",
    "what only training again would give: out-of-fold predictions, the scores of trials and of rungs on fresh folds, the"
    " learning curve, the parity of the exported graph with the pipeline it came from, the probes of sanity, importances by fold,"
    " the fairness of single trials, predictions without the mitigation",
    "what the shipped model predicts, where it was fitted again on all rows: its file is held against its digest",
)
NESTED = "the predictions of nested cross-validation, whose models were not kept; what is computed from them is recomputed"


@dataclass(frozen=True)
class Difference:
    """One value that does not hold. file: of the run folder, or the data; where: the place in it; both values, or words."""

    file: str
    where: str
    kept: Any = None
    again: Any = None

    def __str__(self) -> str:
        place = f"{self.file}: {self.where}" if self.where else self.file
        if self.kept is None and self.again is None:
            return place
        return f"{place} is {_short(self.kept)}, computed again {_short(self.again)}"


def _short(value: Any) -> str:
    text = "absent" if value is None else " ".join(str(value).split())
    return text if len(text) <= 90 else f"{text[:87]}..."


@dataclass(frozen=True)
class Part:
    """One part of the proof. values: how many were computed again; sentence: what was done."""

    name: str
    sentence: str
    values: int = 0
    differences: tuple[Difference, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.differences


@dataclass(frozen=True)
class Verification:
    """What was computed again, what differs, and what cannot be computed again (left_aside)."""

    run: str
    parts: tuple[Part, ...]
    left_aside: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return all(part.holds for part in self.parts)

    @property
    def values(self) -> int:
        return sum(part.values for part in self.parts)

    @property
    def differences(self) -> tuple[Difference, ...]:
        return tuple(each for part in self.parts for each in part.differences)

    def as_json(self) -> dict[str, Any]:
        parts = [{**encode(part), "holds": part.holds} for part in self.parts]
        said = {"run": self.run, "holds": self.holds, "values": self.values, "parts": parts}
        return {**said, "left_aside": list(self.left_aside), "notes": list(self.notes)}


def verify(folder: Path, data: Any = None, test: Any = None, listener: Listener = silent) -> Verification:
    """Compute the report of a finished run again and hold it against what the folder says. Nothing is trained but the baseline.

    data, test: what the run was made from, where it is not at the place that the run remembers; a run that was made from a
    data frame needs it. Raises InputError where the folder is no finished run, or the data cannot be found.
    """
    kept = _Kept(folder, read_record(folder), data, test)
    _ = kept.dataset
    steps: tuple[tuple[str, Callable[[_Kept], Part]], ...] = (
        ("files", _files),
        ("data", _data),
        ("profile", _profile),
        ("split", _split),
        ("predictions", _predictions),
        ("search", _search),
        ("findings", _findings),
        ("report", _report),
        ("pages", _pages),
        ("model", _model),
    )
    parts = []
    for name, step in steps:
        if name in _OF_THE_DATA and kept.other_data:
            continue
        listener(Event("verify", f"computing again: {name}", "start"))
        parts.append(_guarded(name, step, kept))
    aside = [*LEFT_ASIDE]
    notes = []
    if kept.other_data:
        notes.append("the data is another, so what follows from it was not computed again: " + ", ".join(_OF_THE_DATA))
    elif kept.of_folds:
        aside.append(NESTED)
    made, here = kept.record.get("versions", {}), versions()
    other = [f"{name} {made[name]} then, {here[name]} now" for name in here if name in made and made[name] != here[name]]
    if other:
        notes.append("other versions may compute other numbers: " + "; ".join(other))
    program = kept.record.get("program")
    if program is not None and program != program_digest() and made.get("automl") == here["automl"]:
        notes.append(
            f"the run was made by another state of automl {VERSION} ({program} then, {program_digest()} now), which may compute"
            " other numbers"
        )
    return Verification(str(folder), tuple(parts), tuple(aside), tuple(notes))


def data_of(folder: Path, data: Any = None) -> Dataset:
    """The data of a finished run, arranged as it was for the run; see `verify` for `data` and what is raised."""
    return _Kept(folder, read_record(folder), data, None).dataset


_OF_THE_DATA = ("profile", "split", "predictions", "search", "findings")


def _guarded(name: str, step: Callable[[_Kept], Part], kept: _Kept) -> Part:
    """The boundary at which a file that cannot be read, or is none of ours any more, becomes a difference."""
    try:
        return step(kept)
    except AutomlError as error:
        return Part(name, "could not be computed again", differences=(Difference(name, str(error)),))
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return Part(name, "could not be computed again", differences=(Difference(name, f"a file it needs is damaged ({said})"),))


@dataclass
class _Kept:
    """The run folder and the data, each word read when it is asked for."""

    folder: Path
    record: dict[str, Any]
    given: Any
    given_test: Any
    findings: list[dict[str, Any]] | None = None
    """Those that were made again, where they differ from those of the folder."""
    _words: dict[str, Any] = field(default_factory=dict)

    def word(self, name: str) -> Any:
        if name not in self._words:
            self._words[name] = read_json(self.folder / name)
        return self._words[name]

    @cached_property
    def options(self) -> Options:
        return decode(Options, self.record["options"])

    @cached_property
    def dataset(self) -> Dataset:
        """The data, as it was arranged for the run."""
        from automl.profiling import arranged
        from automl.reading import read

        described = read_json(self.folder / "dataset.json")
        reading = described.get("reading", {})
        source, test = described["source"], (reading.get("test") or {}).get("source")
        if self.given is None and reading.get("format") == "frame":
            raise InputError("the run was made from a data frame", "give it in Python: automl.load(RUN).verify(frame)")
        if self.given is None and not Path(source).exists():
            raise InputError(f"{source}, which the run was made from, is not there", "say where it is with --data")
        if self.given is not None:
            source, test = self.given, test if self.given_test is None else self.given_test
        limit = reading.get("memory_bytes")
        read_again = read(source, test, None if limit is None else shares_of(limit), self.plan.seed)
        self.found = read_again.content_hash
        return arranged(read_again, self.options)

    @property
    def other_data(self) -> bool:
        return bool(self.dataset.content_hash != self.record["data_hash"])

    @cached_property
    def profile(self) -> Profile:
        return decode(Profile, self.word("profile.json"))

    @cached_property
    def plan(self) -> Plan:
        """The plan, as it was carried out: without refitting where there was no time for it."""
        from automl.recipe import read_recipe

        plan = read_recipe(self.folder / "plan.yaml")
        return plan if self.facts["shipped"]["refitted"] else dataclasses.replace(plan, refit=False)

    @cached_property
    def evidence(self) -> Evidence:
        return decode(Evidence, self.word("evidence.json"))

    @cached_property
    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = self.word("report.json")["facts"]
        return found

    @cached_property
    def prepared(self) -> Any:
        from automl.search import prepare

        return prepare(self.dataset, self.profile, self.plan)

    @property
    def of_folds(self) -> bool:
        """No rows were sealed: the judged predictions are those of folds, whose models were not kept."""
        return not len(self.prepared.sealed)

    def arrays(self, name: str) -> dict[str, Array]:
        if name not in self._words:
            path = self.folder / "evaluated" / f"{name}.npz"
            if not path.is_file():
                raise InputError(f"{path} is missing")
            with np.load(path, allow_pickle=False) as content:
                self._words[name] = dict(content)
        found: dict[str, Array] = self._words[name]
        return found

    @cached_property
    def judged(self) -> Any:
        """The judged rows: the sealed ones predicted again; of cross-validation as they were kept."""
        from automl.search.evaluating import JudgedRows, sealed_baseline, sealed_rows

        kept, context = self.arrays("predictions"), self.prepared.context
        if self.of_folds:
            rows = np.searchsorted(self.prepared.row_ids, kept["row_ids"])
            if not np.array_equal(self.prepared.row_ids[rows % len(self.prepared.row_ids)], kept["row_ids"]):
                raise InputError("evaluated/predictions.npz is about rows that have no target")
            return JudgedRows(rows, kept["prediction"], kept["baseline"], str(self.facts["judged_on"]))
        simplest, baseline = self.simplest, kept["baseline"]
        if simplest is not None and context.architecture(simplest.architecture).rung == 0:
            baseline = sealed_baseline(self.prepared, simplest)
        judged = sealed_rows(self.folder / "evaluated", self.prepared, baseline)
        return dataclasses.replace(judged, unmitigated=kept.get("unmitigated"))

    @property
    def simplest(self) -> Trial | None:
        """The best trial of the lowest rung that has one."""
        from automl.core.metrics import metric

        ladder = [rung.architecture for rung in self.plan.ladder]
        scored = [trial for trial in self.evidence.trials if trial.score is not None and trial.architecture in ladder]
        first = min((trial.architecture for trial in scored), key=ladder.index, default=None)
        return None if first is None else _best(self.evidence, first, metric(self.plan.metric))

    @cached_property
    def case(self) -> Case:
        """The case as the judge had it."""
        from automl.core.clock import Deadline
        from automl.search.evaluating import case_of

        return case_of(
            self.folder / "evaluated",
            self.dataset,
            self.prepared,
            self.evidence,
            self.facts["evaluated"],
            self.judged,
            self.arrays("out_of_fold")["prediction"],
            Deadline(None),
        )


# --- the parts -------------------------------------------------------------------------------------------------------


def _files(kept: _Kept) -> Part:
    listed, found = kept.record.get("files", {}), digests(kept.folder)
    differences = [
        Difference(name, "is missing" if name not in found else "is not the file that the run wrote")
        for name in listed
        if found.get(name) != listed[name]
    ]
    differences += [Difference(name, "is not of the run") for name in found if name not in listed and _of_the_run(name)]
    return Part("files", "files held against the SHA-256 digests in run.json", len(listed), tuple(differences))


def _of_the_run(name: str) -> bool:
    """Files that others put beside the run are theirs; in the model folders there is none but the run's."""
    return name.startswith(("model/", "evaluated/")) and "__pycache__" not in name


def _data(kept: _Kept) -> Part:
    sentence = f"{kept.dataset.source} held against the content hash of the run"
    if not kept.other_data:
        return Part("data", sentence, 1)
    other = Difference(str(kept.dataset.source), "content hash", kept.record["data_hash"], kept.dataset.content_hash)
    return Part("data", sentence, 1, (other,))


def _profile(kept: _Kept) -> Part:
    from automl.profiling import profile

    again = encode(profile(kept.dataset, kept.options))
    return _compared("profile", "the data profiled again", "profile.json", kept.word("profile.json"), again)


def _split(kept: _Kept) -> Part:
    from automl.search.context import load_folds

    prepared = kept.prepared
    differences: list[Difference] = []
    values = 0
    if not kept.of_folds:
        values += len(prepared.sealed)
        judged = np.sort(kept.arrays("predictions")["row_ids"])
        if not np.isin(judged, prepared.row_ids[prepared.sealed]).all():
            differences.append(Difference("evaluated/predictions.npz", "row_ids are not the sealed rows"))
    for name, folds in (("search_folds", prepared.context.search_folds), ("fresh_folds", prepared.context.fresh_folds)):
        found = load_folds(kept.folder / "evaluated" / f"{name}.npz")
        values += sum(len(fold.training) + len(fold.validation) for fold in folds)
        same = len(found) == len(folds) and all(
            np.array_equal(prepared.row_ids[ours.training], theirs.training)
            and np.array_equal(prepared.row_ids[ours.validation], theirs.validation)
            for ours, theirs in zip(folds, found, strict=True)
        )
        if not same:
            differences.append(Difference(f"evaluated/{name}.npz", "holds other folds than the seed gives"))
    return Part("split", "sealed part and folds drawn again with the seed of the plan", values, tuple(differences))


def _predictions(kept: _Kept) -> Part:
    file, judged, arrays = "evaluated/predictions.npz", kept.judged, kept.arrays("predictions")
    context = kept.prepared.context
    again = {"row_ids": kept.prepared.row_ids[judged.rows], "truth": context.target[judged.rows]}
    if not kept.of_folds:
        again.update(prediction=judged.prediction, baseline=judged.baseline)
    for name, values in (("weight", context.weight), ("error_scale", context.error_scale)):
        if values is not None and name in arrays:  # runs of earlier versions did not keep them
            again[name] = values[judged.rows]
    if kept.case.limits is not None and "limits" in arrays:
        again["limits"] = kept.case.limits
    differences = [each for name, values in again.items() for each in _arrays(file, name, arrays.get(name), values)]
    held = kept.arrays("out_of_fold")
    differences += _arrays("evaluated/out_of_fold.npz", "row_ids", held.get("row_ids"), kept.prepared.row_ids)
    differences += _arrays("evaluated/out_of_fold.npz", "truth", held.get("truth"), context.target)
    done = "the truth of the judged rows" if kept.of_folds else "the judged rows predicted by evaluated/model.onnx"
    return Part("predictions", f"{done}, computed again", sum(each.size for each in again.values()), tuple(differences))


def _arrays(file: str, name: str, kept: Array | None, again: Array) -> list[Difference]:
    """One difference an array, with the first row that differs."""
    again = np.asarray(again)
    if kept is None or kept.shape != again.shape:
        return [Difference(file, f"{name} has another shape", None if kept is None else kept.shape, again.shape)]
    scale = max(1.0, float(np.nanmax(np.abs(again), initial=0.0))) if again.dtype.kind == "f" else 1.0
    same = np.isclose(kept, again, rtol=RELATIVE, atol=RELATIVE * scale, equal_nan=True)
    if same.all():
        return []
    wrong = np.flatnonzero(~same.reshape(len(same), -1).all(axis=1))
    row = int(wrong[0])
    return [Difference(file, f"{name}, {len(wrong):,} of {len(same):,} rows, the first at {row:,}", kept[row], again[row])]


def _search(kept: _Kept) -> Part:
    """The journal, the champion's scores on its out-of-fold predictions, and every decision, from the scores of the finals."""
    evidence, context = kept.evidence, kept.prepared.context
    trials = [encode(trial) for trial in evidence.trials]
    lines = [encode(decode(Trial, line)) for line in _lines(kept.folder / "trials.jsonl")]
    values, differences = _count(trials), list(_differences("evidence.json", "trials", trials, lines[: len(trials)]))
    champion = next(each for each in evidence.trials if (each.architecture, each.number) == _champion(evidence))
    single = len({fold.repeat for fold in context.search_folds}) == 1 and not context.rolling
    if single:
        held = kept.arrays("out_of_fold")["prediction"]
        scores = [context.score(fold.validation, held[fold.validation]) for fold in context.search_folds]
        values += len(scores)
        differences += _differences(
            "evidence.json", f"fold scores of {champion.id}", list(champion.fold_scores), scores, relative=ROUNDED
        )
    if not context.rolling:
        for part in (_read_out, _guardrails):
            count, unlike = part(kept)
            values, differences = values + count, differences + unlike
    for number, final in enumerate(evidence.searched):
        tried = [trial for trial in evidence.trials if trial.architecture == final.architecture]
        chosen = [trial for trial in tried if trial.number == final.trial]  # none where evidence.json was changed
        again = [score for trial in chosen for score in scores_of_choice(trial, tried, context.metric.greater_is_better)]
        values += len(again)
        differences += _differences("evidence.json", f"searched.{number}", list(final.fold_scores), again)
    for number, decision in enumerate(evidence.decisions):
        said, again = _decided(kept, decision)
        values += _count(again)
        differences += _differences("evidence.json", f"decisions.{number}", said, again)
    said = (
        "the trials held against their journal; the champion's fold scores, its readout and guardrail, and the test of each climb"
        " computed again"
    )
    return Part("search", said, values, tuple(differences))


def _read_out(kept: _Kept) -> tuple[int, list[Difference]]:
    """Calibrator and threshold fitted again on the out-of-fold predictions, and what the contracts say of them."""
    from automl.search.reading_out import fit_readout

    said, predictions = kept.evidence.readout, kept.arrays("out_of_fold")["prediction"]
    again = encode(fit_readout(kept.prepared.context, predictions, not kept.of_folds, kept.prepared.thresholds_by))
    differences = list(_differences("evidence.json", "readout", encode(said), again))
    for place in ("evaluated", "model"):
        told = read_json(kept.folder / place / "contract.json").get("readout") or encode(Readout())
        wanted = encode(said.shipped)
        differences += _differences(f"{place}/contract.json", "readout", told, wanted)
    return _count(again), differences


def _guardrails(kept: _Kept) -> tuple[int, list[Difference]]:
    """The guardrails of both models fitted again; runs of earlier versions have none."""
    from automl.search.guarding import fit_guardrail

    context, values, differences = kept.prepared.context, 0, list[Difference]()
    rows = {"evaluated": context.training_rows, "model": np.arange(len(context.target))}
    if not kept.facts["shipped"]["refitted"]:
        rows["model"] = context.training_rows
    for place, part in rows.items():
        contract = read_json(kept.folder / place / "contract.json")
        if "guardrail" in contract:
            again = encode(fit_guardrail(contract["columns"], context, part))
            values += _count(again)
            differences += _differences(f"{place}/contract.json", "guardrail", contract["guardrail"], again)
    return values, differences


def _decided(kept: _Kept, decision: Decision) -> tuple[Any, Any]:
    """What a decision says, and what follows from the scores of its two rungs: on fresh folds all of it, else its numbers."""
    from automl.search.deciding import decide, gain_of

    evidence, context = kept.evidence, kept.prepared.context
    folds, pair = sum(fold.repeat == 0 for fold in context.search_folds), (decision.candidate, decision.incumbent)
    finals = {final.architecture: final for final in evidence.finals}
    if "search folds" not in decision.test:
        titles = {rung.architecture: rung.title for rung in kept.plan.ladder}
        ours, theirs = (finals[name] for name in pair)
        obey = kept.plan.preset != "best"
        again = decide(ours, theirs, context.metric, folds, titles, obey, context.rolling)
        if decision.level != again.level:  # of an earlier version, which showed another interval and worded it otherwise
            interval = gain_of(ours, theirs, context.metric, folds, context.rolling, decision.level)[1:3]
            again = dataclasses.replace(again, interval=interval, level=decision.level, sentence=decision.sentence)
        return encode(decision), encode(again)
    searched = {final.architecture: final for final in evidence.searched}
    best, other = (searched.get(name) or _best(evidence, name, context.metric) for name in pair)
    mean, low, high, p_value = gain_of(best, other, context.metric, folds, context.rolling, decision.level)
    said = {"gain": decision.gain, "interval": decision.interval, "p_value": decision.p_value}
    return encode(said), encode({"gain": mean, "interval": (low, high), "p_value": p_value})


def _best(evidence: Evidence, architecture: str, metric: Metric) -> Trial:
    """The rung's finalist: the best score on the search folds, the earlier trial on a tie, or the one taken as the fairest."""
    scored = [trial for trial in evidence.trials if trial.architecture == architecture and trial.score is not None]
    if architecture in evidence.finalists:
        return next(trial for trial in scored if trial.number == evidence.finalists[architecture])
    return max(scored, key=lambda trial: (metric.gain(trial.score or 0.0, 0.0), -trial.number))


def _champion(evidence: Evidence) -> tuple[str, int]:
    return evidence.champion, evidence.champion_trial


def _lines(path: Path) -> list[Any]:
    import json

    if not path.is_file():
        raise InputError(f"{path} is missing")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _findings(kept: _Kept) -> Part:
    """The checks made again on the same case, with what they read from the clock then."""
    from automl.judge import Clocks, judge

    clocks = None
    if (kept.folder / "evaluated" / "clock.json").is_file():
        clocks = Clocks(**read_json(kept.folder / "evaluated" / "clock.json"), again=True)
    noted = [decode(Finding, each) for each in kept.word("findings.json")]
    noted = [each for each in noted if each.code in NOTED_WHILE_RUNNING]
    again = encode([*noted, *judge(kept.case, clocks=clocks)])
    said = "every check made again on the rows, predictions and folds of the folder"
    found = _compared("findings", said, "findings.json", _named(kept.word("findings.json")), _named(again))
    if not found.holds:
        kept.findings = again
    return found


def _named(findings: list[dict[str, Any]]) -> dict[str, Any]:
    """The findings by code, so that one more or less does not shift the others."""
    found: dict[str, Any] = {}
    for each in findings:
        count = sum(name.partition(" ")[0] == each["code"] for name in found)
        found[f"{each['code']} {count + 1}" if count else each["code"]] = each
    return found


def _report(kept: _Kept) -> Part:
    """report.json put together again from the profile, the plan, the evidence and the findings, made again where those of the
    folder were changed."""
    content, again = kept.word("report.json"), _report_again(kept)
    values = _count({**again, "facts": _facts(kept)})
    said = "verdict, headline, ladder, actions and every word in it made again from the other files"
    return Part("report", said, values, tuple(_differences("report.json", "", content, again)))


def _report_again(kept: _Kept) -> dict[str, Any]:
    from automl.report import report

    findings = [decode(Finding, each) for each in kept.findings or kept.word("findings.json")]
    again: dict[str, Any] = encode(report(kept.profile, kept.plan, kept.evidence, findings, {**kept.facts, **_facts(kept)}))
    return again


def _facts(kept: _Kept) -> dict[str, Any]:
    """What the folder says besides of the facts in the report."""
    facts = kept.facts
    found: dict[str, Any] = {name: kept.record[name] for name in ("name", "versions", "data_hash")}
    found["seed"] = kept.plan.seed
    for name, place in (("shipped", "model"), ("evaluated", "evaluated")):
        graph = kept.folder / place / "model.onnx"
        if graph.is_file():
            found[name] = {**facts[name], "bytes": graph.stat().st_size}
    return found


def _pages(kept: _Kept) -> Part:
    """The pages made again from report.json, or, where that was changed, from the report that the other files give."""
    from automl.report import card, render

    pages: dict[str, Callable[[dict[str, Any]], str]] = {"report.html": render, "MODEL_CARD.md": card}
    reports: tuple[Callable[[], dict[str, Any]], ...] = (lambda: kept.word("report.json"), lambda: _report_again(kept))
    differences = []
    for name, made in pages.items():
        held = (kept.folder / name).read_bytes() if (kept.folder / name).is_file() else None
        if held is None:
            differences.append(Difference(name, "is missing"))
        elif all(held != made(each()).encode("utf-8", "replace") for each in reports):
            differences.append(Difference(name, "does not say what report.json says: one of the two was changed"))
    return Part("pages", "report.html and MODEL_CARD.md made again", len(pages), tuple(differences))


def _model(kept: _Kept) -> Part:
    """The graphs are those that the report names; what is shipped is the evaluated model, or answers the same question."""
    from automl.core.predictor import open_predictor

    folders = {"shipped": kept.folder / "model", "evaluated": kept.folder / "evaluated"}
    named = {place / "model.onnx": kept.facts[name].get("sha256") for name, place in folders.items()}
    differences = [
        Difference(path.relative_to(kept.folder).as_posix(), "is not the graph that report.json names")
        for path, digest in named.items()
        if digest is not None and (not path.is_file() or sha256_of(path) != digest)
    ]
    if not kept.facts["shipped"]["refitted"]:
        names = ("model.onnx", "contract.json", "predict.py", "forecast.json")
        both = [(folders["shipped"] / name, folders["evaluated"] / name) for name in names]
        differences += [
            Difference(f"model/{ours.name}", "is not the file of the evaluated model, which was to be shipped")
            for ours, theirs in both
            if theirs.is_file() and (not ours.is_file() or sha256_of(ours) != sha256_of(theirs))
        ]
        return Part("model", "the graphs that the report names; the shipped one is the evaluated one", 6, tuple(differences))
    shipped, evaluated = (
        {name: open_predictor(place).contract.get(name) for name in ("task", "target", "classes")} for place in folders.values()
    )
    differences += _differences("model/contract.json", "", shipped, evaluated)
    said = "the graphs that the report names; the shipped one has the task, target and classes of the evaluated one"
    return Part("model", said, 2 + _count(shipped), tuple(differences))


# --- comparing -------------------------------------------------------------------------------------------------------


def _compared(name: str, sentence: str, file: str, kept: Any, again: Any) -> Part:
    return Part(name, sentence, _count(again), tuple(_differences(file, "", kept, again)))


def _count(value: Any) -> int:
    """Numbers, words and truth values in a JSON document."""
    if isinstance(value, dict):
        return sum(_count(each) for key, each in value.items() if not CLOCKED.search(key))
    return sum(map(_count, value)) if isinstance(value, list | tuple) else 1


def _differences(file: str, where: str, kept: Any, again: Any, relative: float = RELATIVE) -> Iterator[Difference]:
    """Where two JSON documents differ; what was measured by the clock is passed over."""
    if isinstance(kept, dict) and isinstance(again, dict):
        for key in dict.fromkeys([*kept, *again]):
            if not CLOCKED.search(key):
                yield from _differences(file, f"{where}.{key}" if where else str(key), kept.get(key), again.get(key), relative)
    elif isinstance(kept, list | tuple) and isinstance(again, list | tuple):
        if len(kept) != len(again):
            yield Difference(file, where, f"{len(kept)} entries", f"{len(again)} entries")
            return
        for number, (ours, theirs) in enumerate(zip(kept, again, strict=True)):
            yield from _differences(file, f"{where}.{number}", ours, theirs, relative)
    elif not _same(kept, again, relative):
        yield Difference(file, where, kept, again)


def _same(kept: Any, again: Any, relative: float) -> bool:
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (kept, again))
    return math.isclose(kept, again, rel_tol=relative, abs_tol=ABSOLUTE) if numbers else bool(kept == again)
