"""What a person sees in the terminal: progress on stderr, results as plain text."""

from __future__ import annotations

import shutil
import signal
import socket
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from automl.core.clock import Deadline
from automl.core.events import Event

if TYPE_CHECKING:
    from automl.comparing import Comparison
    from automl.core.finding import Finding
    from automl.core.plan import Plan, Rung
    from automl.core.profile import Profile
    from automl.explaining import Explanations, RowExplanation
    from automl.run import Run
    from automl.scoring import Scores
    from automl.verifying import Verification


def duration(seconds: float) -> str:
    """A length of time as a person says it: "8 s", "2 min 05 s", "1 h 10 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(count: float) -> str:
    """Bytes as a person says them: "812 B", "56 kB", "1.2 MB"."""
    if count < 1e3:
        return f"{count:.0f} B"
    return f"{count / 1e3:.0f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows in aligned columns under their names; numbers stand right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(name), *(len(row[place]) for row in cells), 0) for place, name in enumerate(columns)]
    right = [
        bool(rows) and all(isinstance(row[place], int | float) or row[place] is None for row in rows)
        for place in range(len(columns))
    ]
    lines = [list(columns), *cells]
    return "\n".join(
        "  ".join(
            text.rjust(width) if flush else text.ljust(width) for text, width, flush in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())


class Progress:
    """A listener that shows what a run does: one live line in a terminal, else a plain line a stage.

    Used as a context manager; warnings are always shown, on a line of their own.
    """

    def __init__(self, deadline: Deadline, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.deadline = deadline
        self.quiet = quiet
        self.stream = stream or sys.stderr
        self.stage = ""
        self.message = ""
        self._live: Any = None

    def __enter__(self) -> Progress:
        if not self.quiet and self.stream.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(file=self.stream), get_renderable=self._line, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        new_stage, self.stage, self.message = event.stage != self.stage, event.stage, event.message
        if event.kind == "warning":
            self.line(f"warning: {event.message}")
        elif not self.quiet and (event.kind == "end" or (self._live is None and (new_stage or event.kind == "start"))):
            self.line(f"{duration(self.deadline.elapsed_seconds):>6}  {event.stage:<9}  {event.message}")

    def line(self, text: str) -> None:
        """Write a line that stays, above the live one."""
        if self._live is not None:
            from rich.text import Text

            self._live.console.print(Text(text), soft_wrap=True)
        else:
            self.stream.write(f"{text}\n")
            self.stream.flush()

    def _line(self) -> Any:
        from rich.text import Text

        left = "" if self.deadline.budget_seconds is None else f"  {duration(self.deadline.left_seconds())} left"
        return Text.assemble(
            (f"{self.stage or 'start':<9}", "bold"), f"  {self.message}", (left, "dim"), overflow="ellipsis", no_wrap=True
        )


class Interruption:
    """Whether the user asked to finish early."""

    asked = False


@contextmanager
def interruptible(deadline: Deadline, progress: Progress) -> Iterator[Interruption]:
    """The first Ctrl-C ends the search and keeps the best model so far; the second leaves (KeyboardInterrupt).

    Python calls a handler once for all signals that came during a long call into C (a fit, an export), so the second would
    be lost there; every signal also leaves a byte behind, and both calls and bytes are counted.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    coming, going = socket.socketpair()  # Windows takes no pipe here
    coming.setblocking(False)
    going.setblocking(False)
    calls = seen = heeded = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal calls, seen, heeded
        calls += 1
        with suppress(BlockingIOError):
            seen += coming.recv(64).count(number)
        pressed = max(calls, seen)
        if pressed <= heeded:
            return
        heeded = pressed
        if pressed > 1:
            raise KeyboardInterrupt
        interruption.asked = True
        deadline.interrupt()
        progress.line("finishing with the best model so far; press Ctrl-C again to leave at once")

    earlier_end = signal.set_wakeup_fd(going.fileno(), warn_on_full_buffer=False)
    earlier = signal.signal(signal.SIGINT, handle)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, earlier)
        signal.set_wakeup_fd(earlier_end)
        coming.close()
        going.close()


def describe_findings(findings: Sequence[Finding]) -> str:
    """What needs attention, the worst first: a line a finding, with what to do about it."""
    marks = {"stop": "STOP ", "issue": "issue", "tip": "tip  "}
    lines = []
    for severity, mark in marks.items():
        for finding in findings:
            if finding.severity == severity:
                lines.append(f"  {mark}  {finding.code}  {finding.title}")
                lines += [_wrapped(text, 17) for text in (finding.sentence, finding.action) if text]
    return "\n".join(lines)


def describe_profile(profile: Profile) -> str:
    """A Profile for reading: what is predicted, and what every column holds."""
    kind = f"{profile.task.value} ({profile.task_evidence})"
    head = [f"target    {profile.target} ({profile.target_evidence})", f"task      {kind}"]
    head.append(f"rows      {profile.rows:,}, {len(profile.features)} features of {len(profile.columns)} columns")
    if profile.classes:
        counts = zip(profile.classes, profile.class_counts, strict=True)
        shown = [f"{name} {count:,}" for name, count in list(counts)[:10]]
        head.append(f"classes   {', '.join(shown)}{' ...' if len(profile.classes) > 10 else ''}")
    rows = [
        (
            column.name,
            column.kind.value,
            column.role.value,
            f"{column.missing_fraction:.1%}",
            column.unique,
            column.reason or column.evidence,
        )
        for column in profile.columns[:60]
    ]
    body = table(("column", "kind", "role", "missing", "unique", "why"), rows)
    more = [f"... and {len(profile.columns) - 60:,} more columns"] if len(profile.columns) > 60 else []
    return "\n".join([*head, *(f"note      {note}" for note in profile.notes), "", body, *more])


def describe_plan(plan: Plan) -> str:
    """A Plan for reading: the ladder, each rung with its reason or why it is left out."""
    limit = f"{plan.trials} trials" if plan.trials is not None else duration(plan.budget_seconds or 0.0)
    sealed = f"{plan.split.sealed_fraction:.0%} of the rows set aside" if plan.split.sealed_fraction else "no rows set aside"
    split = f"{plan.split.kind}, {plan.split.folds} folds, {sealed}{f' ({plan.split.reason})' if plan.split.reason else ''}"
    head = [
        f"target    {plan.target} ({plan.task.value})",
        f"metric    {plan.metric}",
        f"budget    {limit} ({plan.preset})",
        f"split     {split}",
    ]
    return "\n".join([*head, "", *(_describe_rung(rung) for rung in plan.rungs)])


def _describe_rung(rung: Rung) -> str:
    cost = "left out" if rung.refused else f"about {duration(max(1.0, rung.expected_seconds))} a fit, {size(rung.expected_bytes)}"
    return f"{rung.rung:>3}  {rung.title} ({rung.architecture}): {cost}\n{_wrapped(rung.refused or rung.reason, 5)}"


def _wrapped(text: str, indent: int) -> str:
    """Text broken at the width of the terminal, every line indented."""
    width = min(120, max(60, shutil.get_terminal_size((100, 24)).columns))
    return textwrap.fill(text, width, initial_indent=" " * indent, subsequent_indent=" " * indent, break_long_words=False)


def describe_run(run: Run) -> str:
    """The outcome of a run for reading: the verdict, what needs attention, where everything is."""
    from automl.report.verdict import verdict

    attention, judged = describe_findings(run.findings), verdict(run.findings)
    asked_for = [each.sentence for each in run.findings if each.code == "AML414" and each.severity == "passed"]
    return "\n".join(
        [
            f"{judged.label}: {judged.reason}",
            *(finding.sentence for finding in run.findings if finding.code == "AML201"),
            *asked_for,
            *(f"note: {note}" for note in run.profile.notes),
            *(["", attention] if attention else []),
            "",
            f"model   {run.folder / 'model'}",
            f"report  {run.report_path}",
        ]
    )


def describe_comparison(found: Comparison) -> str:
    """Two runs for reading: what came of them, their scores, what was set differently, the paired difference."""
    from automl.core.metrics import METRICS
    from automl.report.numbers import measured, milliseconds
    from automl.report.numbers import size as size_text

    first, second = found.first, found.second
    rows: list[tuple[str, ...]] = [
        ("data", first.source, "the same content" if found.same_data else second.source),
        ("verdict", first.verdict, second.verdict),
        ("model", first.model, second.model),
        ("size", size_text(first.bytes), size_text(second.bytes)),
        ("a row", milliseconds(first.milliseconds_a_row), milliseconds(second.milliseconds_a_row)),
        ("judged on", first.judged_on, second.judged_on),
    ]
    kinds = (("", (first.scores, second.scores)), ("gap in ", (first.gaps, second.gaps)))
    for kind, sides in kinds:
        for name in dict.fromkeys([*sides[0], *sides[1]]):
            told = [measured(side[name]) if name in side else ("-", "") for side in sides]
            title = f"{kind}{name}" if kind else METRICS[name].title
            rows.append((title, *(f"{value}{f' ({interval})' if interval else ''}" for value, interval in told)))
    lines = [table(("", first.run, second.run), rows)]
    if found.settings:
        settings = [(name, *map(_setting, values)) for name, values in found.settings.items()]
        lines += ["", "What was set differently, or came out so:", table(("", "", ""), settings).lstrip("\n")]
    for each in found.paired:
        gain, interval = measured(each.gain, signed=True)
        lines += [
            "",
            f"{METRICS[each.metric].title}, gain of the second: {gain}{f' ({interval})' if interval else ''}. {each.sentence}",
        ]
    if found.unpaired:
        lines += ["", f"No paired difference: {found.unpaired}."]
    return "\n".join(lines)


def _setting(value: Any) -> str:
    if isinstance(value, list | dict):
        return (
            ", ".join(f"{key}={item}" for key, item in value.items()) if isinstance(value, dict) else ", ".join(map(str, value))
        )
    return _cell(value)


MOST_ROWS_SHOWN, MOST_CONTRIBUTIONS, BAR = 20, 10, 12
"""Rows that are described one by one, columns of each, and the characters of the longest bar."""


def describe_explanations(found: Explanations) -> str:
    """Rows explained for reading: the prediction, what adds up to it, what would change it."""
    from automl.report.numbers import number

    lines = []
    for each in found.rows[:MOST_ROWS_SHOWN]:
        lines += [*_describe_explanation(each, found), ""]
    left_out = len(found.rows) - MOST_ROWS_SHOWN
    lines += [f"... and {left_out:,} more row{'s' * (left_out != 1)}: see --row, --html or --json", ""] if left_out > 0 else []
    how = f"Compared with {found.background_rows} training rows"
    how += f"; held: {', '.join(found.held)}" if found.held else ""
    how += ". What a column adds is no cause: changing it in the world need not have this effect."
    if found.goal is not None:
        how += f" What would change it takes {found.target} to {number(found.goal)} or past it (--want names another value)."
    if found.classification:
        how += " The share at the start belongs to the mean of the log-odds; it is not how frequent the class is."
    return "\n".join([*lines, _wrapped(how, 0)])


def _describe_explanation(each: RowExplanation, found: Explanations) -> Iterator[str]:
    from automl.report.explanation import unlike
    from automl.report.numbers import number, percent

    from_on = ""
    if each.called_from is not None:
        from_on = f'; "{each.about}", at {percent(each.output_probability)}, is called from {percent(each.called_from)} on'
    said = f" ({percent(each.probability)}{from_on})" if each.probability is not None else ""
    told = number(each.prediction) if isinstance(each.prediction, float) else each.prediction
    yield f"row {each.row}: {found.target} = {told}{said}"
    yield ""
    shown, rest = each.contributions[:MOST_CONTRIBUTIONS], each.contributions[MOST_CONTRIBUTIONS:]
    steps = [(" ".join(f"{part.column} = {part.value}".split()) if part.value else part.column, part.adds) for part in shown]
    if rest:
        steps.append((f"{len(rest)} other column{'s' * (len(rest) > 1)}", sum(part.adds for part in rest)))
    longest = max((abs(adds) for _, adds in steps), default=0.0) or 1.0
    about, start = (
        f'log-odds of "{each.about}"' if found.classification else each.about,
        f"{found.start_name} of the background rows",
    )
    width = min(44, max(len(name) for name in (start, about, *(name for name, _ in steps))))

    def line(name: str, bar: str, amount: str, share: float | None = None) -> str:
        cut = name if len(name) <= width else f"{name[: width - 1]}…"
        return f"  {cut:<{width}}  {bar:<{BAR}}  {amount:>9}" + ("" if share is None else f" = {percent(share)}")

    yield line(start, "", number(each.base, 3), each.base_probability)
    for name, adds in steps:
        bar = ("+" if adds > 0 else "-") * round(BAR * abs(adds) / longest)
        yield line(name, bar, f"{'+' if adds > 0 else ''}{number(adds, 3)}")
    yield line(about, "", number(each.output, 3), each.output_probability)
    yield ""
    if each.unusual:
        yield _wrapped(unlike(each.unusual), 2)
    for answer in each.counterfactuals:
        changes = " and ".join(f"{part.column} = {part.instead} (now {part.value})" for part in answer.changes)
        would = number(answer.prediction) if isinstance(answer.prediction, float) else answer.prediction
        chance = f" ({percent(answer.probability)})" if answer.probability is not None else ""
        odd = "; such a row is unlike the training data" if answer.unusual else ""
        yield _wrapped(f"would be {would}{chance} with {changes}{odd}", 2)
    if each.note:
        yield _wrapped(f"what would change it: {each.note}", 2)


MOST_DIFFERENCES = 10
"""Differences of one part that are shown; --json has them all."""


def describe_verification(found: Verification) -> str:
    """What holds and what differs, a line a part; then what was left aside."""
    lines = []
    for part in found.parts:
        count = f"{part.values:,}" if part.holds else f"{len(part.differences):,} of {max(part.values, len(part.differences)):,}"
        lines.append(f"{'holds' if part.holds else 'DIFFERS':<8} {part.name:<12} {count:>12}  {part.sentence}")
        lines += [_wrapped(str(each), 9) for each in part.differences[:MOST_DIFFERENCES]]
        more = len(part.differences) - MOST_DIFFERENCES
        lines += [f"         and {more:,} more"] if more > 0 else []
    lines += ["", "left aside:", *(_wrapped(f"- {each}", 2) for each in found.left_aside)]
    lines += [_wrapped(f"note: {each}", 0) for each in found.notes]
    names = list(dict.fromkeys(each.file for each in found.differences))
    said = f"All {found.values:,} values that can be computed again hold."
    if not found.holds:
        said = f"{len(found.differences):,} of {found.values:,} values differ, in {', '.join(names)}."
    return "\n".join([*lines, "", said])


def describe_scores(scores: Scores) -> str:
    """Scores for reading: a line a metric, in its own direction and unit."""
    from automl.core.metrics import METRICS

    ends = scores.intervals
    rows: list[tuple[Any, ...]] = [
        (
            METRICS[name].title,
            value,
            *([scores.constant.get(name)] if scores.constant else []),
            *(ends.get(name, (None, None)) if ends else ()),
            "higher" if METRICS[name].greater_is_better else "lower",
        )
        for name, value in scores.values.items()
        if name in METRICS
    ]
    if "coverage_80" in scores.values:
        rows.append(("Coverage of the 80 % interval", scores.values["coverage_80"], "0.8"))
    constant = ("a constant",) if scores.constant else ()
    columns = ("metric", "score", *constant, *(("95 % from", "to") if ends else ()), "better is")
    left_out = f", {scores.left_out:,} left out (no target that the model knows)" if scores.left_out else ""
    return f"{table(columns, rows)}\n\n{scores.rows:,} rows scored{left_out}"
