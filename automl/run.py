"""A run from data to report: the only file that knows the order of the stages."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.core.case import Case
from automl.core.clock import Deadline
from automl.core.dataset import Dataset
from automl.core.errors import InputError, StoppedByCheck, TrainingError
from automl.core.events import Event, Listener, silent
from automl.core.evidence import Evidence, Trial
from automl.core.files import decode, read_json, write_json
from automl.core.finding import Finding, Section, Severity
from automl.core.memory import memory_of
from automl.core.model import Model
from automl.core.openmp import wait_briefly
from automl.core.options import Options
from automl.core.plan import Plan
from automl.core.predictor import parse_column
from automl.core.profile import Profile
from automl.runfolder import RunFolder, claim, open_folder, untimed

if TYPE_CHECKING:
    import pandas as pd

    from automl.comparing import Comparison
    from automl.explaining import Explanations
    from automl.judge import Clocks
    from automl.report.verdict import Verdict
    from automl.verifying import Verification

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Run:
    """A finished run in its folder. Everything is read from there when it is asked for."""

    folder: Path

    @cached_property
    def profile(self) -> Profile:
        return decode(Profile, read_json(self.folder / "profile.json"))

    @cached_property
    def plan(self) -> Plan:
        from automl.recipe import read_recipe

        return read_recipe(self.folder / "plan.yaml")

    @cached_property
    def evidence(self) -> Evidence:
        return decode(Evidence, read_json(self.folder / "evidence.json"))

    @cached_property
    def findings(self) -> list[Finding]:
        return [decode(Finding, finding) for finding in read_json(self.folder / "findings.json")]

    @property
    def stops(self) -> list[Finding]:
        """The findings that say that the model must not be used."""
        return [finding for finding in self.findings if finding.severity is Severity.STOP]

    @cached_property
    def model(self) -> Model:
        """The shipped model."""
        from automl.core.model import load

        return load(self.folder / "model")

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def report_path(self) -> Path:
        return self.folder / "report.html"

    @cached_property
    def report(self) -> dict[str, Any]:
        """report.json: every number of the report."""
        content: dict[str, Any] = read_json(self.folder / "report.json")
        return content

    def predict(self, rows: Any) -> Array:
        """Labels in the type that the target came in, or values: (rows,)."""
        return self.model.predict(rows)

    def predict_proba(self, rows: Any) -> Array:
        """Probabilities (rows, classes), classes in sorted order."""
        return self.model.predict_proba(rows)

    def predict_interval(self, rows: Any, level: float = 0.9) -> Array:
        """(rows, 2) intervals that hold the truth with this probability."""
        return self.model.predict_interval(rows, level)

    def predict_set(self, rows: Any, level: float = 0.9) -> list[list[Any]]:
        """Classes a row, the most probable first, that hold the truth with this probability."""
        return self.model.predict_set(rows, level)

    @property
    def verdict(self) -> Verdict:
        """Ready, Use with care or Do not use, with the reason and the rule."""
        from automl.report.verdict import verdict

        return verdict(self.findings)

    def verify(self, data: Any = None, test: Any = None) -> Verification:
        """Compute every number of the report again that folder and data allow: what holds, what differs (`holds`, `differences`).

        data, test: what the run was made from, where it is no longer at its place; a run made from a data frame needs it.
        """
        from automl.verifying import verify

        return verify(self.folder, data, test)

    def explain(
        self, rows: Any, row: int | None = None, hold: Sequence[str] = (), want: Any = None, data: Any = None
    ) -> Explanations:
        """Why rows are predicted as they are, and what would change it; see automl.explaining.explain for the arguments."""
        from automl.explaining import explain

        return explain(self.folder, rows, row, hold, want, data)

    def compare(self, other: Run) -> Comparison:
        """This run beside another: settings, scores with intervals, the paired difference on rows that both judged."""
        from automl.comparing import compare

        return compare(self, other)

    def _repr_html_(self) -> str:
        """What a notebook shows: verdict, headline, and where the report is. No script, nothing loaded."""
        from automl.report import notebook

        return notebook(self.report, self.report_path)

    def leaderboard(self) -> pd.DataFrame:
        """One row a rung, best first: its score on fresh folds (NaN where it was not run there) and on the search folds."""
        import pandas as pd

        from automl.core.metrics import metric

        finals = {final.architecture: final for final in self.evidence.finals}
        rows = []
        for rung in self.plan.ladder:
            trials = [trial for trial in self.evidence.trials if trial.architecture == rung.architecture]
            scores = [trial.score for trial in trials if trial.score is not None]
            better = max if metric(self.plan.metric).greater_is_better else min
            final = finals.get(rung.architecture)
            rows.append(
                {
                    "rung": rung.rung,
                    "architecture": rung.architecture,
                    "metric": self.plan.metric,
                    "fresh_folds": final.score if final else np.nan,
                    "search_folds": better(scores) if scores else np.nan,
                    "trials": len(trials),
                    "chosen": rung.architecture == self.evidence.champion,
                }
            )
        board = pd.DataFrame(rows)
        order = ["fresh_folds", "search_folds"]
        return board.sort_values(order, ascending=not metric(self.plan.metric).greater_is_better, ignore_index=True)


def open_run(folder: str | Path) -> Run:
    """A finished run.

    Raises InputError where the folder is not one, is unfinished, damaged or of a newer version.
    """
    return Run(open_folder(Path(folder)))


def fit(
    source: Any,
    options: Options = Options(),  # noqa: B008
    out: Path | None = None,
    fresh: bool = False,
    listener: Listener = silent,
    started: Deadline | None = None,
    test: Any = None,
    recipe: Plan | None = None,
) -> Run:
    """From data to a judged, exported model with its report.

    source: a path, a DataFrame, or anything that automl.reading.read takes. started: the deadline of a caller whose
    clock runs already. recipe: a Plan to run instead of the recommended one.
    Raises InputError before anything is written where data or options cannot be used.
    """
    deadline = started or Deadline(options.budget_seconds if recipe is None else recipe.budget_seconds)
    scratch = Path(tempfile.mkdtemp(prefix="automl-"))
    sitting = Sitting(deadline, listener, scratch)
    try:
        sitting.start_worker(options, recipe)
        dataset, profile, plan = sitting.look(source, options, test, recipe)
        prepared = sitting.prepare(dataset, profile, plan)
        folder = claim(out, dataset, plan, fresh, listener)
        sitting.listener = folder.logged(listener, deadline)
        try:
            return sitting.work(folder, dataset, prepared, options)
        except (OSError, InputError):
            folder.discard()
            raise
        except (TrainingError, StoppedByCheck) as error:
            folder.fail(str(error))
            raise
        finally:
            folder.log_worker(scratch / "worker.log")
            folder.release()
    finally:
        sitting.close()


def inspect(source: Any, options: Options = Options(), listener: Listener = silent) -> tuple[Profile, list[Finding]]:  # noqa: B008
    """The profile of the data and what is judged from the data alone: no training."""
    from automl.judge import judge
    from automl.profiling import arranged
    from automl.profiling import profile as profile_of
    from automl.reading import read
    from automl.recommending import recommend

    dataset = arranged(read(source, memory=memory_of(options.memory), seed=options.seed), options)
    profile = profile_of(dataset, options, listener)
    return profile, judge(Case(dataset, profile, recommend(profile, options)), listener)


def _nets_of(trial: Trial) -> dict[str, int]:
    """How many nets a fit of a single trial trains, where that is a setting."""
    return {"fit_nets": trial.settings["fit_nets"]} if "fit_nets" in trial.settings and not trial.members else {}


def _as_shipped(evidence: Evidence, evaluated: Any) -> Evidence:
    """The evidence with the trial that is shipped for a champion, which the export or the gate may have refused."""
    trial = evaluated.trial
    return dataclasses.replace(
        evidence,
        champion=trial.architecture,
        champion_trial=trial.number,
        rounds=evaluated.facts.get("rounds", trial.rounds),
        readout=evaluated.readout,
        unshipped=evaluated.refused,
    )


LEAST_SECONDS_FOR_WORKER = 45.0
"""Below this budget the worker's libraries would eat the time they are meant to use."""
CURVE_SHARE = 0.5
"""Of the time that is left beside what judging needs at least, what training on fewer rows may take: judging can use more."""


@dataclass
class Sitting:
    """One process's work on a run."""

    deadline: Deadline
    listener: Listener
    scratch: Path
    worker: Any = None
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[Finding] = field(default_factory=list)

    def start_worker(self, options: Options, recipe: Plan | None) -> None:
        """At once, so that its slow imports overlap reading, profiling and the lower rungs."""
        from automl.search.worker import Worker

        budget = self.deadline.budget_seconds
        limit_gb = options.memory if recipe is None else recipe.memory_gb
        memory = memory_of(limit_gb)
        if (budget is not None and budget < LEAST_SECONDS_FOR_WORKER) or not memory.worker:
            return
        self.worker = Worker(self.scratch, self.scratch / "worker.log", None if limit_gb is None else memory.limit_bytes)
        if budget is not None:  # counted trials may need no worker at all; then it is started when it is asked for
            self.worker.start()

    def close(self) -> None:
        if self.worker is not None:
            self.worker.stop()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def look(self, source: Any, options: Options, test: Any, recipe: Plan | None) -> tuple[Dataset, Profile, Plan]:
        """Read, profile, recommend."""
        from automl.profiling import arranged
        from automl.profiling import profile as profile_of
        from automl.reading import read
        from automl.recommending import recommend

        memory = memory_of(options.memory if recipe is None else recipe.memory_gb)
        with self.stage("read", "reading"):
            given = read(source, test, memory, options.seed if recipe is None else recipe.seed)
            dataset = arranged(given, options)
            if dataset is not given and given.left_out:
                why = f"the memory holds {given.rows:,} of the {given.rows + given.left_out:,} rows"
                raise InputError(f"{why}, and a series cannot be read in part", "give more with --memory")
        with self.stage("profile", f"profiling {dataset.rows:,} rows, {dataset.frame.shape[1]} columns"):
            profile = profile_of(dataset, options, self.listener)
            for note in profile.notes:
                self.tell("profile", note)
        with self.stage("recommend", "choosing the ladder"):
            plan = recipe or recommend(profile, options)
            if dataset.test is not None:
                by = plan.split.folds_kind if plan.split.folds_kind in ("grouped", "time") else None
                reason = "a test part was given"
                split = dataclasses.replace(plan.split, kind="given", sealed_fraction=0.0, reason=reason, folds_by=by)
                plan = dataclasses.replace(plan, split=split)
            self.tell("recommend", "ladder: " + " -> ".join(rung.architecture for rung in plan.ladder))
        return dataset, profile, plan

    def prepare(self, dataset: Dataset, profile: Profile, plan: Plan) -> Any:
        """Clean and split. What cannot be split is refused here, before there is a run folder."""
        from automl.search import prepare

        with self.stage("split", "splitting and encoding"):
            prepared = prepare(dataset, profile, plan)
        lost = 0 if dataset.test is None else len(dataset.test) - len(prepared.sealed)
        if lost:
            why = "their target is missing or unknown to the training rows" + (", or their weight is 0" if plan.weight else "")
            sentence = f"{lost:,} rows of the test part are not judged: {why}."
            self.notes.append(Finding("AML308", "Test rows left out", Severity.TIP, Section.DATA, sentence, "evaluated"))
        if dataset.left_out:
            kept, rows = dataset.rows, dataset.rows + dataset.left_out
            sentence = (
                f"The data has {rows:,} rows, and the memory holds {kept:,} of them: those were drawn at random and are used."
            )
            action = "Give it more with `--memory`, or leave out columns that tell nothing."
            self.notes.append(Finding("AML310", "Rows not read", Severity.TIP, Section.DATA, sentence, "data", action=action))
        weightless = 0 if plan.weight is None else int((parse_column(dataset.frame[plan.weight], {"as": "number"}) == 0.0).sum())
        if weightless:
            sentence = f'{weightless:,} rows are left out: their weight in "{plan.weight}" is 0.'
            self.notes.append(Finding("AML309", "Rows of weight 0", Severity.TIP, Section.DATA, sentence, "data"))
        return prepared

    def work(self, folder: RunFolder, dataset: Dataset, prepared: Any, options: Options) -> Run:
        """Everything that happens inside the run folder."""
        from automl import search
        from automl.judge import Clocks, bounded

        context = prepared.context
        plan = context.plan
        folder.begin(dataset, context.profile, plan, options, self.deadline)
        workshop = search.Workshop(context, self.scratch / "context", self.worker)
        journal = search.Journal(folder.path, folder.path / "work", timed=plan.trials is None)
        fairness = None if prepared.sensitive is None else search.Fairness(context, prepared.sensitive)
        climb = search.Climb(context, journal, workshop, self.deadline, self.listener, self.preparing_seconds, fairness)
        with self.stage("search", "climbing the ladder"):
            evidence = climb.run()
        chosen = climb.first_fits(climb.finals.candidates(evidence))
        rows = climb.last_rows(chosen[0])
        with self.stage("evaluate", f"fitting {evidence.champion} for the verdict"):
            try:
                place, read_out = folder.path / "evaluated", partial(search.readout_of, climb, prepared)
                last = not plan.refit or len(rows) == len(context.target)
                fits = (fit for each in chosen for fit in climb.last_fits(each)) if last else iter(chosen)
                evaluated = search.ship(dataset, prepared, fits, rows, workshop, place, self.deadline, read_out)
            except TrainingError as error:
                raise StoppedByCheck(str(error)) from error
        evidence = _as_shipped(evidence, evaluated)
        shipped = self.refit(folder, dataset, prepared, evaluated, climb, len(rows))
        evidence = self.probe(context, evidence, climb, workshop)
        evidence = self.learning_curve(context, evidence, climb)
        workshop.close()  # it has nothing more to train: judging has the memory for itself
        with self.stage("evaluate", "predicting the judged rows"):
            case = search.evaluate(folder.path / "evaluated", dataset, prepared, evidence, evaluated, climb, self.deadline)
            folder.keep(case, prepared, search.out_of_fold_of(climb, evidence))
            if not shipped["refitted"]:
                case = dataclasses.replace(case, plan=dataclasses.replace(plan, refit=False))
        with self.stage("judge", "judging"):
            case = dataclasses.replace(case, deadline=bounded(self.deadline, self.seconds["probe"]))
            clocks = Clocks(case.deadline.budget_seconds)
            findings = self.judge(case, clocks)
            if plan.trials is None:  # where trials are counted, no check asks the clock
                write_json(
                    folder.path / "evaluated" / "clock.json",
                    {"budget_seconds": clocks.budget_seconds, "readings": clocks.readings, "left_out": clocks.left_out},
                )
        with self.stage("report", "writing the report"):
            folder.finish(case, findings, shipped, self)
        return Run(folder.path)

    @property
    def preparing_seconds(self) -> float:
        """What profiling and splitting took, as both go through the columns: the measure of what judging them will take."""
        return sum(self.seconds.get(name, 0.0) for name in ("profile", "split"))

    def refit(
        self, folder: RunFolder, dataset: Dataset, prepared: Any, evaluated: Any, climb: Any, learned: int
    ) -> dict[str, Any]:
        """The shipped model: the same settings on all rows, with more seeds where there is time for them; the evaluated one
        where there is no time or no difference.

        learned: rows that the evaluated model learned from.
        """
        from automl.search import budget, sampling, ship
        from automl.search.seeding import fitted_seeds, has_more_nets

        context = prepared.context
        rows = np.arange(len(context.target))
        copy = {**evaluated.facts, "refitted": False, "rows": learned, "seeds": fitted_seeds(evaluated.trial), "more_nets": False}
        copy |= _nets_of(evaluated.trial)
        source, destination = folder.path / "evaluated", folder.path / "model"
        shutil.rmtree(destination, ignore_errors=True)
        shutil.copytree(source, destination)
        if learned == len(rows):
            return {**copy, "refitted": True}
        judging = budget.judging_seconds(self.preparing_seconds, None)  # what it cannot do without: it does less instead
        more = max(1.25, len(rows) / learned)
        longer = sampling.growth_of_seconds(more)
        needed = longer * evaluated.facts["seconds"] + evaluated.facts["export_seconds"] + judging
        if not context.plan.refit or self.deadline.left_seconds() < needed:
            return copy
        with self.stage("refit", "fitting on all rows"):
            try:
                fits = climb.last_fits(evaluated.trial, evaluated.facts, longer)
                shipped = ship(
                    dataset, prepared, fits, rows, climb.workshop, destination, self.deadline, lambda _: evaluated.readout
                )
            except TrainingError as error:
                sentence = f"The model fitted on all rows was not shipped ({error}); the evaluated one is shipped instead."
                self.notes.append(Finding("AML307", "Refit refused", Severity.ISSUE, Section.DEPLOY, sentence, "shipped"))
                return copy
        told = {"seeds": fitted_seeds(shipped.trial), "more_nets": has_more_nets(shipped.trial, evaluated.trial)}
        return {**shipped.facts, "refitted": True, "rows": len(rows), **told, **_nets_of(shipped.trial)}

    def probe(self, context: Any, evidence: Evidence, climb: Any, workshop: Any) -> Evidence:
        """Small experiments with the champion's form, in the time that judging may take."""
        from automl.search import budget
        from automl.search.sanity import probed

        again = {outcome.trial.id: outcome.again_seconds for outcome in climb.standing.outcomes}
        plan = context.plan
        deadline = self.deadline.until(budget.judging_seconds(self.preparing_seconds, plan.budget_seconds))
        if plan.budget_seconds is not None and plan.trials is None:
            deadline = deadline.nearer(budget.PROBING_SHARE * plan.budget_seconds)
        with self.stage("probe", "probing: shuffled labels, the same seed, rows learned by heart"):
            found = probed(context, evidence, workshop, lambda trial: again.get(trial.id, 0.0), deadline)
        return dataclasses.replace(evidence, probes=found)

    def learning_curve(self, context: Any, evidence: Evidence, climb: Any) -> Evidence:
        """Whether more rows would help, and other rows lead to the same columns, where there is time to ask."""
        from automl.search import budget
        from automl.search.learning_curve import LearningCurve, learning_curve

        best = climb.standing.best(evidence.champion)
        judging = budget.judging_seconds(self.preparing_seconds, context.plan.budget_seconds)
        with self.stage("curve", "training on fewer rows"):
            try:
                found = learning_curve(context, best.trial, best.seconds, self.deadline.until(judging, CURVE_SHARE))
            except TrainingError as error:
                found = LearningCurve()
                self.tell("curve", f"no learning curve: {error}", "warning")
        return dataclasses.replace(evidence, learning_curve=found.points, fold_importances=found.importances)

    def judge(self, case: Case, clocks: Clocks) -> list[Finding]:
        from automl.judge import judge

        if case.plan.trials is not None:  # a measured time would make each repetition of the run another one
            case = dataclasses.replace(case, model=untimed(case.model))
        return [*self.notes, *judge(case, self.listener, clocks)]

    @contextmanager
    def stage(self, name: str, message: str) -> Iterator[None]:
        """Tell that a stage begins, and keep what it cost."""
        self.tell(name, message, "start")
        began = time.monotonic()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began

    def tell(self, stage: str, message: str, kind: str = "progress") -> None:
        left = self.deadline.left_seconds()
        self.listener(Event(stage, message, kind, {"left_seconds": left if np.isfinite(left) else None}))


wait_briefly()
