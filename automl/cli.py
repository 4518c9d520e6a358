"""The `automl` command: parses, calls, shows progress on stderr, answers with an exit code."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import pkgutil
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from automl import __version__
from automl.core.clock import Deadline, process_age_seconds
from automl.core.errors import AutomlError, InputError, StoppedByCheck, nearest
from automl.core.openmp import wait_briefly

if TYPE_CHECKING:
    from automl.core.options import Options
    from automl.core.plan import Plan
    from automl.run import Run

Command = TypeVar("Command", bound=Callable[..., Any])

USER_ERRORS = {
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EEXIST,
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENAMETOOLONG, errno.EFBIG,
}  # fmt: skip
"""Failures of the system that are about the user's files and disks, not about automl."""


MODALITIES = [info.name for info in pkgutil.iter_modules([str(Path(__file__).parent / "modalities")])]


class Suggesting(click.Group):
    """A group that names the nearest command for a misspelt one."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            known = self.list_commands(ctx)
            raise InputError(f'there is no command "{args[0]}"', nearest(args[0], known) or f"known: {', '.join(known)}")
        return super().resolve_command(ctx, args)


class Names(click.ParamType):
    """Column or rung names separated by commas; a name that holds a comma is put in double quotes."""

    name = "NAMES"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return [name.strip() for name in next(csv.reader([value], skipinitialspace=True), []) if name.strip()]


class ColumnKind(click.ParamType):
    """`column=kind`."""

    name = "COLUMN=KIND"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        column, equals, kind = str(value).rpartition("=")
        if not equals or not column or not kind:
            self.fail(f'"{value}" is not of the form column=kind, such as zip=category', param, ctx)
        return column, kind


def _options(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")

DATA_OPTIONS = _options(
    click.option("--target", metavar="COLUMN", help="Column to predict; guessed and said aloud where it is left out."),
    click.option("--task", metavar="TASK", help="binary, multiclass or regression; found out where it is left out."),
    click.option("--positive", metavar="CLASS", help="Class whose probability the binary metrics are about."),
    click.option("--weight", metavar="COLUMN", help="Column with the weight of each row."),
    click.option("--group", metavar="COLUMN", help="Column whose rows are kept on one side of every split."),
    click.option("--time-column", metavar="COLUMN", help="Column in whose order the rows are split."),
    click.option("--features", type=Names(), multiple=True, help="Use these columns only."),
    click.option("--drop", type=Names(), multiple=True, help="Leave these columns out."),
    click.option("--kind", "kinds", type=ColumnKind(), multiple=True, help="Say what a column holds, such as zip=category."),
    click.option("--drop-leaks", is_flag=True, help="Leave out columns that seem to give the target away."),
    click.option("--sensitive", type=Names(), multiple=True, help="Judge the model by the groups of these columns."),
    click.option("--exclude-sensitive", is_flag=True, help="Keep the sensitive columns out of the features."),
    click.option(
        "--cost-fp", type=float, metavar="COST", help="Price of a false alarm, for the threshold of the positive class."
    ),
    click.option("--cost-fn", type=float, metavar="COST", help="Price of a missed row of the positive class."),
    click.option("--min-precision", type=float, metavar="SHARE", help="Call as many as leave this precision."),
    click.option("--min-recall", type=float, metavar="SHARE", help="Call as few as find this share of the positive class."),
    click.option(
        "--mitigate",
        metavar="HOW",
        help="thresholds (one a sensitive group), fairest (trial of the best), or weights: reweigh, equalised-odds.",
    ),
    click.option("--max-accuracy-loss", type=float, metavar="SHARE", help="What mitigation may cost; 0.01 (a point) by default."),
    click.option("--modality", metavar="NAME", help=f"{', '.join(MODALITIES)}; found out where it is left out."),
    click.option("--horizon", type=int, help="Forecast this many steps of the time column ahead."),
    click.option("--id", "id_column", metavar="COLUMN", help="Column that says which series a row belongs to."),
    click.option("--known-ahead", type=Names(), multiple=True, help="Columns whose future values are known, for a forecast."),
)

PLAN_OPTIONS = _options(
    click.option("--metric", metavar="NAME", help="Metric to choose by: roc_auc, log_loss, rmse, ..."),
    click.option("--preset", metavar="NAME", help="fast (60 s), balanced (300 s, the default) or best (1800 s)."),
    click.option("--time", metavar="SECONDS", help="Hard limit on the time of the whole command: 300, 90s, 5m, 1h."),
    click.option("--trials", type=int, help="Count trials instead of time: the same result bit for bit."),
    click.option("--seed", type=int, help="Seed of every random choice; 0 by default."),
    click.option("--folds", type=int, help="Folds of the cross-validation; 5 by default."),
    click.option("--only", type=Names(), multiple=True, help="Try these rungs only (see automl models)."),
    click.option("--skip", type=Names(), multiple=True, help="Leave these rungs out."),
    click.option("--jobs", type=int, help="Cores to use; all by default."),
    click.option(
        "--memory", type=float, metavar="GB", help="Memory to stay within; rows that it does not hold are left out at random."
    ),
    click.option("--max-latency-ms", type=float, metavar="MS", help="Most milliseconds that the model may take for one row."),
    click.option("--max-size-mb", type=float, metavar="MB", help="Most megabytes that the model may take."),
)


@click.group(cls=Suggesting, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, package_name="automl", message="automl %(version)s")
def cli() -> None:
    """Find the simplest model for your data that the evidence supports, and a report to trust.

    The data is a table, images, texts, sounds, time series (also to be forecast), or a mixture of them.

    \b
    automl fit data.csv                                      look, train, judge, report
    automl predict runs/data-1 new.csv -o predictions.csv    use the model
    automl fit photos/                                       a folder of images or sounds, a folder a class
    """


@cli.command()
@click.argument("data", required=False)
@DATA_OPTIONS
@PLAN_OPTIONS
@click.option("--test", metavar="FILE", help="Judge on this file instead of a part of the data.")
@click.option("--recipe", metavar="FILE", help="Run the plan in this YAML file.")
@click.option("--out", metavar="FOLDER", help="Run folder; runs/NAME-N by default.")
@click.option("--fresh", is_flag=True, help="Start anew instead of going on with an unfinished run of the same data.")
@click.option("--no-refit", is_flag=True, help="Ship the judged model instead of one refitted on all rows.")
@click.option("--no-samples", is_flag=True, help="Keep rows and rare values of the data out of report and model folder.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@JSON
def fit(data: str | None, test: str | None, recipe: str | None, out: str | None, fresh: bool, **choices: Any) -> int:
    """Find a model for DATA, judge it and write a report.

    DATA is CSV, TSV, Parquet or JSON lines (also .gz and .xz), of which cells may be texts or paths of images and sounds; or a
    folder of images or sounds, with a folder a class. The run folder holds the model, the report and everything that they
    rest on.
    """
    from automl import run
    from automl.terminal import Progress, describe_run, interruptible

    as_json, quiet = choices.pop("as_json"), choices.pop("quiet")
    options, plan = _options_and_plan(choices, recipe)
    source, place = _fit_source(data, recipe), Path(out) if out else None
    deadline = Deadline(options.budget_seconds, spent_seconds=process_age_seconds())
    with Progress(deadline, quiet=quiet) as progress, interruptible(deadline, progress) as interruption:
        result = run.fit(source, options, out=place, fresh=fresh, listener=progress, started=deadline, test=test, recipe=plan)
    following = f"automl predict {_quoted(result.folder)} {result.profile.new_data} -o predictions.csv"
    _answer(as_json, lambda: _run_document(result, following), lambda: f"{describe_run(result)}\n\nnext: {following}")
    if result.stops:
        named = ", ".join(sorted({f"{each.title} ({each.code})" for each in result.stops}))
        click.echo(f"automl: a check says stop: {named}; the model is there to be looked at, not to be used", err=True)
        return StoppedByCheck.exit_code
    return 130 if interruption.asked else 0


def _options_and_plan(choices: Mapping[str, Any], recipe: str | None) -> tuple[Options, Plan | None]:
    """The options given, and the recipe's plan with them in place of its own."""
    if recipe is None:
        return _make_options(choices), None
    from automl.recipe import options_of, override, read_recipe

    plan = override(read_recipe(recipe), _given(choices))
    return options_of(plan), plan


def _fit_source(data: str | None, recipe: str | None) -> Path:
    if data is not None:
        return Path(data)
    if recipe is not None:
        from automl.recipe import data_of

        named = data_of(recipe)
        if named is not None:
            return named
    raise InputError("no data was given", "write: automl fit data.csv")


def _given(choices: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given on the command line, under the names of automl.core.options.Options."""
    given = {name: value for name, value in choices.items() if value is not None and value is not False and value != ()}
    for name in ("features", "drop", "sensitive", "only", "skip", "known_ahead"):
        if name in given:
            given[name] = [each for names in given[name] for each in names]
    if "kinds" in given:
        given["kinds"] = dict(given["kinds"])
    for flag, name in (("no_refit", "refit"), ("no_samples", "samples")):
        if given.pop(flag, False):
            given[name] = False
    return given


@cli.command()
@click.argument("data")
@DATA_OPTIONS
@JSON
def profile(data: str, as_json: bool, **choices: Any) -> None:
    """Show what is in DATA: its task, the kind of every column and why, and what is wrong with it. Trains nothing."""
    from automl.run import inspect
    from automl.terminal import describe_findings, describe_profile

    facts, findings = inspect(Path(data), _make_options(choices))
    following = f"automl recommend {_quoted(data)} --target {_quoted(facts.target)}{_of_forecast(choices)}"
    _answer(
        as_json,
        lambda: {"profile": facts, "findings": findings, "next": following},
        lambda: "\n".join((describe_profile(facts), "", describe_findings(findings), "", f"next: {following}")),
    )


@cli.command()
@click.argument("data")
@DATA_OPTIONS
@PLAN_OPTIONS
@click.option("--save", metavar="FILE", help="Write the plan as a recipe for automl fit --recipe.")
@click.option("--force", is_flag=True, help="Let --save replace a file that is there.")
@JSON
def recommend(data: str, save: str | None, force: bool, as_json: bool, **choices: Any) -> None:
    """Show the ladder of models for DATA: each with its reason, or why it is left out. Trains nothing."""
    import automl
    from automl.terminal import describe_plan

    if save is not None and not force and os.path.lexists(save):
        raise InputError(f"{save} is there already", "choose another name, or replace it with --force")
    plan = automl.recommend(Path(data), **_given(choices))
    following = f"automl fit {_quoted(data)} --target {_quoted(plan.target)}{_of_forecast(choices)}"
    if save is not None:
        from automl.recipe import write_recipe

        write_recipe(plan, save, data=os.path.relpath(data, Path(save).resolve().parent))
        following = f"automl fit --recipe {_quoted(save)}"
    _answer(as_json, lambda: {"plan": plan, "next": following}, lambda: f"{describe_plan(plan)}\n\nnext: {following}")


@cli.command()
@click.argument("run")
@click.argument("data")
@click.option("-o", "--output", required=True, metavar="FILE", help="CSV file to write; - is stdout.")
@click.option(
    "--interval", type=float, metavar="LEVEL", help="Add intervals, or sets of classes, that hold the truth so often: 0.9."
)
@click.option(
    "--abstain",
    type=float,
    metavar="SHARE",
    help="Give no answer for this share of rows, those the model knows least about: 0.1.",
)
@click.option("--flags", is_flag=True, help="Add a column that says which rows are unlike the training data, and why.")
@click.option(
    "--fallback", metavar="VALUE", help="Stands in place of the prediction of such rows, and of those without an answer."
)
@click.option("--review", metavar="FILE", help="Write the rows that a human should look at to this CSV file, with reasons.")
@JSON
def predict(run: str, data: str, output: str, as_json: bool, **asked: Any) -> None:
    """Predict the rows of DATA with the model of RUN (a run folder or a model folder).

    DATA has the form of the training data, the target aside; for a model of images or sounds it may also be a folder of
    files, or one file. For a forecast it has the history and then rows with an empty target, or rows to forecast alone,
    which then follow the history that the model was trained on.

    What is asked for stands in columns after `prediction`: `lower` and `upper` (a regression, a forecast) or `set` and
    `set_size` (classes, the most probable first, parted by "|"), and `reason`, why a row is flagged or has no answer.
    """
    from automl.core.model import load
    from automl.core.predictor import Asked

    to_stdout = output == "-"
    if to_stdout and as_json:
        raise InputError("stdout cannot carry both the predictions and the JSON document", "give -o a file name")
    model = load(_model_folder(run))
    _refuse_same_file(data, None if to_stdout else output)
    _refuse_same_file(data, asked["review"])
    given = model.rows(data)
    rows = model.write_predictions(None if to_stdout else output, given, Asked(**asked))
    warnings = _warn(model.notes(given))
    if not to_stdout:
        _answer(
            as_json,
            lambda: {"predictions": output, "rows": rows, "warnings": warnings},
            lambda: f"{rows:,} predictions in {output}" + (f", rows for review in {asked['review']}" if asked["review"] else ""),
        )


@cli.command()
@click.argument("run")
@click.argument("rows")
@click.option("--row", type=int, metavar="N", help="Explain this row only; rows are counted from 0.")
@click.option("--hold", type=Names(), multiple=True, help="Columns that stay as they are in what would change the prediction.")
@click.option("--want", metavar="VALUE", help="The class, or the value to reach, instead of any other class or the mean.")
@click.option("--data", metavar="FILE", help="What RUN was made from, where RUN keeps no rows to compare with.")
@click.option("--html", metavar="FILE", help="Write a page of it as well.")
@JSON
def explain(
    run: str, rows: str, row: int | None, hold: tuple[list[str], ...], want: str | None, data: str | None, html: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Say why the ROWS are predicted as they are by the model of RUN, and what would change it.

    For each row: what every column adds on the way from the mean of training rows to its own prediction, and the fewest
    changes, to values of the training data, that would lead to another decision. It is for tables. RUN keeps up to 500
    training rows to compare with, unless it was made with --no-samples.
    """
    from automl.explaining import explain as explanations_of
    from automl.terminal import describe_explanations

    held = [name for names in hold for name in names]
    found = explanations_of(_run_folder(run), rows, row, held, want, data)
    if html is not None:
        from automl.core.files import write_text

        _refuse_same_file(rows, html)
        write_text(Path(html), found.html())
    written = "" if html is None else f"\n\nThe page is {html}."
    _answer(as_json, found.as_json, lambda: describe_explanations(found) + written)


@cli.command()
@click.argument("run")
@click.argument("data")
@JSON
def score(run: str, data: str, as_json: bool) -> None:
    """Score the model of RUN on DATA, which must have the target column."""
    from automl import scoring
    from automl.core.model import load
    from automl.terminal import describe_scores

    model = load(_model_folder(run))
    given = model.rows(data)
    scores = scoring.score(model, given)
    beside = [] if (seen := _seen_in_training(model, data)) else _beside_the_report(run, scores)
    warnings = _warn([*seen, *model.notes(given), *scores.notes, *beside])
    said = {name: value for name, value in vars(scores).items() if name != "notes"}
    _answer(as_json, lambda: {**said, "warnings": warnings}, lambda: describe_scores(scores))


def _refuse_same_file(data: str, output: str | None) -> None:
    from automl.core.predictor import PredictorError, refuse_same_file

    try:
        refuse_same_file(data, output)
    except PredictorError as error:
        raise InputError(str(error)) from None


def _beside_the_report(run: str, scores: Any) -> list[str]:
    """What to say where a run's headline promised more than these rows gave, beyond what chance explains in both."""
    from automl.core.files import read_json
    from automl.core.metrics import METRICS

    path = Path(run) / "report.json"
    headline = read_json(path).get("headline") if path.is_file() else None
    here = scores.intervals.get(headline["metric"]) if headline else None
    if not headline or here is None or None in (headline["score"]["low"], headline["score"]["high"]):
        return []
    metric, there = METRICS[headline["metric"]], headline["score"]
    value, chance = scores.values[metric.name], math.hypot(there["high"] - there["low"], here[1] - here[0]) / 2
    if not metric.gain(there["value"], value) > chance:
        return []
    return [
        f"{metric.title} is {value:.4g} on these rows, but {there['value']:.4g} ({there['low']:.4g} to {there['high']:.4g}) in"
        " the report: these rows are harder or others than the judged ones, or those were kind to the model"
    ]


def _seen_in_training(model: Any, data: str) -> list[str]:
    """What to say where the file to score is the one that the model was fitted on."""
    from automl.core.files import sha256_of

    if not Path(data).is_file() or sha256_of(Path(data)) != model.contract.get("data_hash"):
        return []
    return ["the model was fitted on this very file: these scores flatter it, the report has the ones to trust"]


@cli.command()
@click.argument("run")
@click.option("--open", "opened", is_flag=True, help="Open it in the browser.")
@JSON
def report(run: str, opened: bool, as_json: bool) -> None:
    """Say where the report of RUN is, and its verdict."""
    from automl.report.verdict import verdict
    from automl.run import open_run

    result = open_run(_run_folder(run))
    path, judged = result.report_path, verdict(result.findings)
    _answer(as_json, lambda: {"report": path, "verdict": judged}, lambda: f"{judged.label}: {judged.reason}\n\n{path}")
    if opened:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())


@cli.command()
@click.argument("run")
@click.argument("other")
@JSON
def compare(run: str, other: str, as_json: bool) -> None:
    """Hold two runs against each other: settings, scores, and the paired difference on rows that both judged."""
    from automl.comparing import compare as comparison
    from automl.run import open_run
    from automl.terminal import describe_comparison

    found = comparison(open_run(_run_folder(run)), open_run(_run_folder(other)))
    _answer(as_json, lambda: found, lambda: describe_comparison(found))


@cli.command()
@click.argument("run")
@click.option("--data", metavar="FILE", help="What RUN was made from, where it is no longer at its place.")
@click.option("--test", metavar="FILE", help="The test part that RUN was judged on, likewise.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@JSON
def verify(run: str, data: str | None, test: str | None, quiet: bool, as_json: bool) -> int:
    """Compute every number of the report of RUN again and say which hold.

    From the data and the run folder; what was measured by the clock, or would take training again, is left aside and
    said so. Leaves with 4 where something differs: a file of the run, the data, or a number.
    """
    from automl.core.errors import VerificationError
    from automl.terminal import Progress, describe_verification
    from automl.verifying import verify as verification_of

    with Progress(Deadline(None), quiet=quiet) as progress:
        found = verification_of(_run_folder(run), data, test, progress)
    _answer(as_json, found.as_json, lambda: describe_verification(found))
    return 0 if found.holds else VerificationError.exit_code


@cli.command()
@click.argument("run")
@JSON
def leaderboard(run: str, as_json: bool) -> None:
    """List what RUN tried, the best first."""
    from automl.run import open_run
    from automl.terminal import table

    board = open_run(_run_folder(run)).leaderboard()
    _answer(
        as_json,
        lambda: {"leaderboard": board.to_dict(orient="records")},
        lambda: table([str(name) for name in board.columns], board.to_numpy(dtype=object).tolist()),
    )


@cli.command()
@JSON
def models(as_json: bool) -> None:
    """List the architectures, simplest first."""
    from automl.core.discovery import declarations
    from automl.terminal import table

    names = ("data", "rung", "name", "tasks", "title", "paper")
    rows = [
        (modality.name, each.rung, each.name, ", ".join(sorted(each.tasks)), each.title, each.paper)
        for modality in declarations("automl.modalities", "MODALITY")
        for each in sorted(declarations(modality.ladder, "ARCHITECTURE"), key=lambda each: (each.rung, each.name))
    ]
    _answer(as_json, lambda: {"models": [dict(zip(names, row, strict=True)) for row in rows]}, lambda: table(names, rows))


def _make_options(choices: Mapping[str, Any]) -> Options:
    from automl.core.options import make_options

    return make_options(_given(choices))


def _run_folder(name: str) -> Path:
    """A run folder, by its own path or by that of its model folder."""
    folder = Path(name)
    if folder.name == "model" and (folder.parent / "run.json").is_file():
        return folder.parent
    if not folder.is_dir():
        siblings = [each.name for each in folder.parent.iterdir() if each.is_dir()] if folder.parent.is_dir() else []
        raise InputError(f"there is no run folder {name}", nearest(folder.name, siblings))
    return folder


def _warn(notes: list[str]) -> list[str]:
    """Tell on stderr what makes predictions doubtful."""
    for note in notes:
        click.echo(f"warning: {note}", err=True)
    return notes


def _model_folder(name: str) -> Path:
    """A model folder, or a run folder that holds one."""
    folder = Path(name)
    if not (folder / "contract.json").is_file():
        folder = _run_folder(name)
        if (folder / "model").is_dir():
            return folder
        if (folder / "run.json").is_file():
            raise InputError(f"the run in {name} has no model yet", "run its automl fit command again to go on with it")
        raise InputError(f"{name} is no run folder and no model folder")
    return folder


def _run_document(result: Run, following: str) -> dict[str, Any]:
    from automl.report.verdict import verdict

    return {
        "run": result.folder,
        "model": result.folder / "model",
        "report": result.report_path,
        "verdict": verdict(result.findings),
        "metric": result.plan.metric,
        "score": _score_of(result.report),
        "champion": result.evidence.champion,
        "findings": [
            {name: getattr(finding, name) for name in ("code", "severity", "sentence", "action", "numbers")}
            for finding in result.findings
        ],
        "next": following,
    }


def _score_of(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """The headline score in numbers, with its interval and that of the baseline; None where nothing was judged."""
    headline = report.get("headline")
    if not headline:
        return None
    told = {name: headline[name] for name in ("metric", "greater_is_better", "judged_on")}
    return {**told, **headline["score"], "baseline": headline["baseline"]}


def _of_forecast(choices: Mapping[str, Any]) -> str:
    """The options that make a call a forecast, as they were given."""
    given = _given({name: choices.get(name) for name in ("time_column", "horizon", "id_column", "known_ahead")})
    if "horizon" not in given:
        return ""
    names = {"time_column": "--time-column", "horizon": "--horizon", "id_column": "--id", "known_ahead": "--known-ahead"}
    values = {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in given.items()}
    return "".join(f" {names[name]} {_quoted(value)}" for name, value in values.items())


def _quoted(path: Path | str) -> str:
    import shlex

    return shlex.quote(str(path))


def _answer(as_json: bool, document: Callable[[], Any], text: Callable[[], str]) -> None:
    """The result on stdout: one JSON document, or text for a person."""
    if as_json:
        from automl.core.files import dump_json

        click.echo(dump_json(document()).encode("utf-8", "backslashreplace").decode())
    else:
        click.echo(text())


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit code: 0, 2 wrong input, 3 stopped by a check, 4 a difference, 70, 130."""
    wait_briefly()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # a path that is no UTF-8 is shown as it is
    try:
        with _noting_interrupts() as interrupts:
            code = cli.main(given, prog_name="automl", standalone_mode=False)
            sys.stdout.flush()
    except BaseException as error:
        # An import that is interrupted may end with any error.
        code = _exit_code(KeyboardInterrupt() if interrupts else error, given)
        # Where an interrupt has passed through code that was run from text, as in many imports, Python notes that and
        # ends by the signal instead of with our code; running any text makes it forget.
        exec("")
    sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def _noting_interrupts() -> Iterator[list[int]]:
    """Ctrl-C raises KeyboardInterrupt, as ever, and is kept in a list: library code may turn it into another error."""
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return

    def handle(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGINT, handle)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, earlier)


def _exit_code(error: BaseException, arguments: list[str]) -> int:
    """Tell what went wrong in one sentence; the code to leave with."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return 2
    if isinstance(error, BrokenPipeError):
        # The reader of stdout has left; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    sentence, code = _sentence(error, arguments)
    click.echo(f"automl: {sentence}", err=True)
    if "--json" in arguments:
        click.echo(json.dumps({"error": sentence, "exit_code": code}, ensure_ascii=False))
    return code


def _sentence(error: BaseException, arguments: list[str]) -> tuple[str, int]:
    if isinstance(error, click.UsageError):
        message = " ".join(error.format_message().split()).rstrip(".")
        return message[:1].lower() + message[1:], 2
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return "interrupted" + ("; the same command goes on where it stopped" if "fit" in arguments[:1] else ""), 130
    if isinstance(error, AutomlError) and error.exit_code != 70:
        return str(error), error.exit_code
    if isinstance(error, OSError) and error.errno in USER_ERRORS:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{os.strerror(error.errno or 0).lower()}", 2
    return f"this is a fault of automl ({type(error).__name__}: {error}); details are in {_write_log(error, arguments)}", 70


def _write_log(error: BaseException, arguments: list[str]) -> str:
    handle, path = tempfile.mkstemp(prefix="automl-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"automl {__version__}, Python {sys.version}\narguments: {arguments}\n\n")
        traceback.print_exception(error, file=file)
    return path
