"""Laws of judging: what each finding must say of a model that is known to be good, bad or broken."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from automl.core import discovery
from automl.core.case import Case, Check
from automl.core.clock import Deadline
from automl.core.dataset import Dataset
from automl.core.files import decode, dump_json
from automl.core.finding import Figure, Finding, Section, Severity
from automl.core.metrics import METRICS
from automl.core.profile import Duplicates, Kind, Suspicion
from automl.core.readout import Threshold
from automl.core.tasks import ALL_TASKS, Task
from automl.judge import judge, run_check
from automl.judge.bootstrap import BLOCKS, judged_groups
from automl.judge.importance import permutation_importance
from automl.judge.scoring import score_on
from automl.judge.wording import percent_text, score_text
from tests.judge.made_up import CLASSES, case_of, data_case, predictor

CHECKS = discovery.declarations("automl.judge.checks", "CHECK")


def found(case: Case, code: str) -> Finding:
    """The first finding with this code, from the one check that makes it."""
    check = next(check for check in CHECKS if check.code == {"AML502": "AML501"}.get(code, code))
    return next(finding for finding in run_check(check, case) if finding.code == code)


def single_class() -> Case:
    case = case_of(Task.BINARY)
    return replace(case, truth=np.zeros(len(case.truth), np.int64))


def never_predicted() -> Case:
    case = case_of(Task.MULTICLASS)
    prediction = case.prediction.copy()
    prediction[:5] = np.nan
    return replace(case, prediction=prediction)


def sensitive(task: Task, rows: int = 600, **changes: object) -> Case:
    """Judged by a column of words and one of numbers."""
    case = case_of(task, rows, **changes)
    return replace(case, plan=replace(case.plan, sensitive=("color", "noise"), exclude_sensitive=True))


def mitigated() -> Case:
    case = sensitive(Task.BINARY)
    return replace(case, plan=replace(case.plan, mitigate="reweigh"), unmitigated=np.roll(case.prediction, 3, axis=0))


def without_samples() -> Case:
    case = case_of(Task.BINARY)
    return replace(case, plan=replace(case.plan, samples=False))


def broken_inputs() -> Case:
    """Infinite values, text among numbers, everything profiled as suspicious."""
    case = case_of(Task.BINARY)
    frame = case.dataset.frame.astype({"noise": object})
    frame.loc[0, "signal"] = np.inf
    frame.loc[1, "noise"] = "broken"
    suspicions = (Suspicion("signal", 0.99, "ROC-AUC", ""), Suspicion("weak", 0.98, "ROC-AUC", '"weak" gives it away.'))
    profile = replace(
        case.profile, suspected_leaks=suspicions, rows_without_target=7, ordered_in_time="day", class_counts=(598, 2)
    )
    return replace(case, dataset=Dataset(frame, "broken", "", ""), profile=profile)


CASES = {
    **{str(task): lambda task=task: case_of(task) for task in sorted(ALL_TASKS)},
    **{f"{task} nested": lambda task=task: case_of(task, 120, nested=True) for task in sorted(ALL_TASKS)},
    **{f"{task} tiny": lambda task=task: case_of(task, 20, nested=True) for task in sorted(ALL_TASKS)},
    **{f"{task} data only": lambda task=task: data_case(task) for task in sorted(ALL_TASKS)},
    **{f"{task} two rows": lambda task=task: case_of(task, 4) for task in sorted(ALL_TASKS)},
    "one class": single_class,
    "never predicted": never_predicted,
    "no samples": without_samples,
    "broken inputs": broken_inputs,
    "weights": lambda: case_of(Task.BINARY, weight=np.random.default_rng(0).random(300)),
    "weights, regression": lambda: case_of(Task.REGRESSION, weight=np.random.default_rng(0).random(300)),
    **{f"{task} sensitive": lambda task=task: sensitive(task) for task in sorted(ALL_TASKS)},
    "sensitive, two rows": lambda: sensitive(Task.BINARY, 4),
    "sensitive, weights": lambda: sensitive(Task.BINARY, weight=np.random.default_rng(0).random(300)),
    "sensitive, mitigated": lambda: mitigated(),
    "no judged rows": lambda: case_of(
        Task.BINARY, truth=np.zeros(0, np.int64), prediction=np.zeros((0, 2)), baseline=np.zeros((0, 2))
    ),
    "no time": lambda: case_of(Task.BINARY, deadline=Deadline(0.0)),
    "nothing known": lambda: case_of(Task.REGRESSION, model={}, out_of_fold=np.zeros(0), out_of_fold_truth=np.zeros(0)),
    "constant target": lambda: case_of(Task.REGRESSION, truth=np.full(300, 5.0)),
}


@pytest.fixture(scope="module", params=list(CASES))
def findings(request: pytest.FixtureRequest) -> list[Finding]:
    return judge(CASES[request.param]())


def test_no_check_fails(findings: list[Finding]) -> None:
    assert [finding.sentence for finding in findings if finding.code == "AML900"] == []


def test_findings_are_json_and_come_back(findings: list[Finding]) -> None:
    for finding in findings:
        assert decode(Finding, json.loads(dump_json(finding))).code == finding.code


def test_sentences_stand_alone(findings: list[Finding]) -> None:
    for finding in findings:
        assert finding.sentence.endswith("."), finding
        assert finding.sentence[0].isupper() or not finding.sentence[0].isalpha(), finding
        assert not {"nan", "inf", "None"} & set(finding.sentence.split()), finding
        assert finding.about in ("data", "evaluated", "shipped")
        if finding.severity in (Severity.ISSUE, Severity.STOP):
            assert finding.action, finding


def test_figures_and_tables_are_well_formed(findings: list[Finding]) -> None:
    for finding in findings:
        for figure in finding.figures:
            check_figure(figure)
        if finding.table:
            assert all(len(row) == len(finding.table["columns"]) for row in finding.table["rows"]), finding.code


def check_figure(figure: Figure) -> None:
    known = ("line", "scatter", "bar", "interval", "histogram", "matrix", "beeswarm", "waterfall", "dependence")
    assert figure.kind in known
    assert figure.how_to_read.endswith(".")
    assert figure.title
    assert figure.series
    assert figure.reference in ("diagonal", "zero", "")
    for series in figure.series:
        assert len(series.x) == len(series.y) + (figure.kind == "histogram")
        assert 0 < len(series.x) <= 501
        for extra in (series.low, series.high, series.counts):
            assert len(extra) in (0, len(series.y))
        for low, value, high in zip(series.low, series.y, series.high, strict=False):
            if None not in (low, value, high) and figure.kind in ("interval", "line"):
                assert low - 1e-6 <= value <= high + 1e-6
    if figure.kind == "matrix":
        assert all(series.x == tuple(each.name for each in figure.series) for series in figure.series)


def test_codes_are_unique_and_sections_agree() -> None:
    codes = [check.code for check in CHECKS]
    assert len(set(codes)) == len(codes)
    first = {"1": Section.DATA, "2": Section.SCORES, "3": Section.TRUST, "4": Section.FAILURES}
    first |= {"5": Section.WHY, "6": Section.CHOICE, "7": Section.DEPLOY}
    assert all(first[check.code[3]] is check.section for check in CHECKS)


def test_a_failing_check_is_a_finding_and_nothing_more() -> None:
    def fail(case: Case) -> list[Finding]:
        raise KeyError("column")

    check = Check("AML999", "Broken", Section.TRUST, fail)
    only = run_check(check, case_of(Task.BINARY))[0]
    assert only.code == "AML900"
    assert only.severity is Severity.ISSUE
    assert "AML999" in only.sentence
    assert "KeyError" in only.sentence


def test_rows_shown_from_training_are_not_sealed_ones() -> None:
    sealed, crossed = case_of(Task.BINARY), case_of(Task.BINARY, 200, nested=True)
    assert sorted([*sealed.training_rows, *sealed.row_ids]) == list(range(600))
    assert not set(sealed.training_rows) & set(sealed.row_ids)
    left_out = replace(crossed, row_ids=crossed.row_ids[3:])  # three rows could not be judged, all the others were trained on
    for case in (crossed, left_out, data_case(Task.BINARY, 200)):
        np.testing.assert_array_equal(case.training_rows, np.arange(200))


def test_data_alone_gives_data_findings() -> None:
    codes = {finding.code for finding in judge(data_case(Task.BINARY))}
    assert {"AML101", "AML102", "AML108"} <= codes
    assert not any(code[3] in "234" for code in codes)


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
def test_judging_is_repeatable(task: Task) -> None:
    assert dump_json(judge(case_of(task))) == dump_json(judge(case_of(task)))


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
def test_an_informative_column_matters_and_noise_does_not(task: Task) -> None:
    result = permutation_importance(case_of(task))
    assert result is not None
    by_name = {each.column: each for each in result.columns}
    assert result.columns[0].column == "signal"
    assert by_name["signal"].low > by_name["noise"].high
    assert not by_name["noise"].used
    assert not by_name["color"].used
    assert by_name["weak"].value > 0


def test_a_column_that_is_never_read_is_told() -> None:
    finding = found(case_of(Task.BINARY), "AML501")
    assert '"noise"' in finding.sentence
    assert "--drop noise" in finding.action


def test_one_column_that_carries_all_is_told() -> None:
    assert found(case_of(Task.BINARY), "AML502").severity is Severity.ISSUE


def test_importance_without_time_is_left_out() -> None:
    assert found(case_of(Task.BINARY, deadline=Deadline(0.0)), "AML501").severity is Severity.NOT_APPLICABLE


def test_many_columns_are_bounded_by_work() -> None:
    case = case_of(Task.BINARY)
    number = case.profile.columns[2]
    extra = [replace(number, name=f"x{position}", association=0.5) for position in range(800)]
    judged = case.judged.join(case.judged[["noise"] * len(extra)].set_axis([column.name for column in extra], axis=1))
    calls = []

    def predict(frame):  # type: ignore[no-untyped-def]
        calls.append(frame.size)
        return predictor(Task.BINARY)(frame)

    profile = replace(case.profile, columns=(*case.profile.columns, *extra))
    result = permutation_importance(replace(case, judged=judged, profile=profile, predict=predict))
    assert result is not None
    assert result.left_out
    assert result.columns[0].column == "signal"
    assert sum(calls) < 5e8


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
def test_a_good_model_beats_the_baseline(task: Task) -> None:
    finding = found(case_of(task), "AML203")
    assert finding.severity is Severity.PASSED
    assert finding.numbers["gain"].low > 0


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
def test_a_model_worse_than_the_baseline_is_an_issue(task: Task) -> None:
    case = case_of(task)
    turned = 200 - case.prediction if task is Task.REGRESSION else case.prediction[:, ::-1].copy()
    finding = found(replace(case, prediction=turned), "AML203")
    assert finding.severity is Severity.ISSUE
    assert "worse" in finding.sentence


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
def test_the_baseline_itself_is_not_better(task: Task) -> None:
    case = case_of(task)
    assert found(replace(case, prediction=case.baseline), "AML203").severity is Severity.ISSUE


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
def test_a_perfect_model_has_nothing_to_hide(task: Task) -> None:
    case = case_of(task)
    perfect = case.truth.copy() if task is Task.REGRESSION else np.eye(len(CLASSES[task]))[case.truth]
    case = replace(case, prediction=perfect)
    assert found(case, "AML402").severity is Severity.PASSED
    scores = found(case, "AML202").numbers
    assert scores["r2" if task is Task.REGRESSION else "accuracy"].value == pytest.approx(1.0)
    if task is not Task.REGRESSION:
        assert found(case, "AML401").severity is Severity.PASSED
        assert found(case, "AML301").severity is Severity.PASSED


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
def test_intervals_hold_the_score(task: Task) -> None:
    for score in found(case_of(task), "AML202").numbers.values():
        if score.low is not None and score.high is not None:
            assert score.low - 1e-9 <= score.value <= score.high + 1e-9


def test_scores_keep_their_own_direction() -> None:
    scores = found(case_of(Task.REGRESSION), "AML202").numbers
    assert scores["rmse"].value > 0
    assert scores["rmse"].value < scores["baseline_rmse"].value
    assert scores["rmse"].unit == "target"
    assert scores["mape"].unit == "%"


def test_the_headline_of_nested_cross_validation_is_the_mean_over_its_folds() -> None:
    case = case_of(Task.BINARY, 120, nested=True)
    assert case.evidence is not None
    score = found(case, "AML201").numbers["score"]
    assert score.value == pytest.approx(np.mean(case.evidence.nested))
    assert score.low is not None
    assert score.low < min(case.evidence.nested)
    assert found(case, "AML205").severity is Severity.NOT_APPLICABLE
    alike = replace(case, evidence=replace(case.evidence, nested=(0.8, 0.82, 0.79, 0.81, 0.8)))
    assert found(alike, "AML201").severity is Severity.PASSED
    apart = replace(case, evidence=replace(case.evidence, nested=(0.99, 0.98, 0.05, 0.97, 0.99)))
    open_end = found(apart, "AML201")
    assert open_end.severity is Severity.TIP
    assert "as far beyond the baseline" in open_end.sentence


def test_columns_that_say_the_same_in_other_words_are_told_beside_equal_ones() -> None:
    case = case_of(Task.BINARY)
    both = replace(case, profile=replace(case.profile, renamed_columns=(("signal", "level"), ("a", "b"))))
    told = found(both, "AML105")
    assert told.severity is Severity.TIP
    assert '"signal" and "level" say the same in other words' in told.sentence
    assert [row[2] for row in told.table["rows"]] == ["equal in every row", "in other words", "in other words"]
    alone = found(replace(both, profile=replace(both.profile, duplicate_columns=())), "AML105")
    assert alone.severity is Severity.PASSED
    assert alone.sentence.startswith("No column repeats another one;")


@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS])
def test_true_probabilities_are_calibrated_and_exaggerated_ones_are_not(task: Task) -> None:
    case = case_of(task, 4000)
    assert found(case, "AML301").severity is Severity.PASSED
    powered = case.prediction**4
    exaggerated = replace(case, prediction=powered / powered.sum(axis=1, keepdims=True))
    finding = found(exaggerated, "AML301")
    assert finding.severity in (Severity.TIP, Severity.ISSUE)
    assert "too extreme" in finding.sentence


def test_a_shifted_regression_is_biased() -> None:
    case = case_of(Task.REGRESSION)
    assert found(case, "AML302").severity is Severity.PASSED
    assert found(replace(case, prediction=case.prediction + 10), "AML302").severity is Severity.ISSUE


def test_a_class_that_is_never_found_is_an_issue() -> None:
    case = case_of(Task.MULTICLASS)
    prediction = case.prediction.copy()
    prediction[:, 1] = 0
    finding = found(replace(case, prediction=prediction / prediction.sum(axis=1, keepdims=True)), "AML401")
    assert finding.severity is Severity.ISSUE
    assert '"b"' in finding.sentence


def test_optimism_is_seen() -> None:
    case = case_of(Task.BINARY)
    assert found(case, "AML205").severity is Severity.PASSED
    known = np.eye(2)[case.out_of_fold_truth]
    assert found(replace(case, out_of_fold=known), "AML205").severity is Severity.ISSUE


def test_sealed_rows_that_are_kinder_than_chance_explains_are_told() -> None:
    case = case_of(Task.BINARY)
    lucky = found(replace(case, prediction=0.5 * case.prediction + 0.5 * np.eye(2)[case.truth]), "AML205")
    assert lucky.severity is Severity.TIP
    assert lucky.numbers["optimism"].high < 0
    assert "kinder" in lucky.sentence and lucky.action == "Expect new rows to score between the two."
    twice = {name: np.concatenate([getattr(case, name)] * 2) for name in ("out_of_fold", "out_of_fold_truth", "out_of_fold_rows")}
    more = found(replace(case, prediction=0.5 * case.prediction + 0.5 * np.eye(2)[case.truth], **twice), "AML205")
    assert "nearer to the folds, which are more rows" in more.action
    weighed = replace(case, prediction=0.5 * case.prediction + 0.5 * np.eye(2)[case.truth], weight=np.ones(len(case.truth)))
    assert found(weighed, "AML205").severity is Severity.TIP


def test_parity_beyond_the_tolerance_stops_the_run() -> None:
    assert found(case_of(Task.BINARY), "AML303").severity is Severity.PASSED
    assert found(case_of(Task.BINARY, model={"parity": {"difference": 1e-3}}), "AML303").severity is Severity.STOP


def test_rows_stay_out_without_samples() -> None:
    assert found(case_of(Task.BINARY), "AML402").table["rows"]
    assert found(without_samples(), "AML402").table == {}


def test_the_score_without_copies_is_shown() -> None:
    case = case_of(Task.BINARY)
    frame = case.dataset.frame.copy()
    frame.iloc[300:400] = frame.iloc[:100].to_numpy()
    finding = found(replace(case, dataset=Dataset(frame, "copies", "", "")), "AML101")
    assert "without a copy" in finding.sentence
    assert "score_without_copies" in finding.numbers


def test_infinite_and_unreadable_cells_are_counted() -> None:
    numbers = found(broken_inputs(), "AML111").numbers
    assert (numbers["infinite"].value, numbers["unreadable"].value) == (1, 1)


def test_a_leak_names_its_column_and_the_way_out() -> None:
    leaks = [finding for finding in judge(broken_inputs()) if finding.code == "AML102"]
    assert all(finding.severity is Severity.ISSUE and "--drop-leaks" in finding.action for finding in leaks)
    assert any('"signal"' in finding.sentence for finding in leaks)


def test_columns_that_give_the_target_away_together_are_one_finding() -> None:
    case = data_case(Task.REGRESSION)
    told = '"target" is exactly signal + weak, so "{}" with "{}" gives it away: are both known before the target is?'
    pair = [Suspicion(*each) for each in (("signal", 0.9, "R2", told.format("signal", "weak")),
                                          ("weak", 0.5, "R2", told.format("weak", "signal")))]  # fmt: skip
    leaks = [
        each for each in judge(replace(case, profile=replace(case.profile, suspected_leaks=tuple(pair)))) if each.code == "AML102"
    ]
    assert len(leaks) == 1
    assert leaks[0].sentence == '"signal" and "weak" may give "target" away: "target" is exactly signal + weak.'
    assert "`--drop signal --drop weak`" in leaks[0].action


def test_a_column_of_numbers_and_words_is_told() -> None:
    case = data_case(Task.BINARY)
    assert found(case, "AML115").severity is Severity.PASSED
    frame = case.dataset.frame.copy()
    frame["color"] = [str(at) if at % 2 else "red" for at in range(len(frame))]
    mixed = replace(case, dataset=Dataset(frame, "mixed", "", ""))
    finding = found(mixed, "AML115")
    assert finding.severity is Severity.TIP
    assert '"color" 50.0 %' in finding.sentence
    assert '"red"' in finding.sentence
    hidden = found(replace(mixed, plan=replace(case.plan, samples=False)), "AML115")
    assert '"red"' not in hidden.sentence + str(hidden.table)
    frame["color"] = [str(at % 4) if at % 4 < 3 else "3+" for at in range(len(frame))]
    assert found(replace(case, dataset=Dataset(frame, "codes", "", "")), "AML115").severity is Severity.PASSED


def test_the_curve_by_round_is_that_of_the_champion_alone() -> None:
    case = case_of(Task.BINARY)
    assert case.evidence is not None
    assert [figure.name for figure in found(case, "AML602").figures] == ["rows"]
    climbed = replace(case, evidence=replace(case.evidence, champion="boosting"))
    figure = found(climbed, "AML602").figures[0]
    assert figure.name == "rounds"
    assert figure.title.startswith("Gradient boosting")
    assert len(figure.series) == 1


def test_intervals_end_where_the_metric_does() -> None:
    case = case_of(Task.MULTICLASS, 120, nested=True)
    assert case.evidence is not None
    uneven = replace(case, evidence=replace(case.evidence, nested=(0.01, 0.02, 0.4, 0.01, 0.02)))
    score = found(uneven, "AML201").numbers["score"]
    assert score.low == 0.0
    assert "-" not in found(uneven, "AML201").sentence.split(" on ")[0].split("interval")[1]


def test_why_the_search_ended_is_told_with_the_seconds() -> None:
    case = case_of(Task.BINARY, deadline=Deadline(60.0, spent_seconds=46.0))
    assert case.evidence is not None
    ended = replace(case, evidence=replace(case.evidence, stopped="the last trials gained nothing."))
    sentence = found(ended, "AML604").sentence
    assert "the last trials gained nothing; 46 of 60 s had passed" in sentence


def test_a_score_from_the_folds_that_chose_the_model_is_called_hopeful() -> None:
    case = case_of(Task.BINARY)
    unsealed = replace(case, plan=replace(case.plan, split=replace(case.plan.split, sealed_fraction=0.0)))
    assert found(unsealed, "AML205").severity is Severity.TIP


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0 %"), (0.0004, "below 0.1 %"), (0.5, "50.0 %"), (0.9996, "more than 99.9 %"), (1.0, "100 %")]
)
def test_shares_never_round_to_nothing_or_to_all(value: float, text: str) -> None:
    assert percent_text(value) == text


@pytest.mark.parametrize(
    ("value", "beside", "text"),
    [
        (-0.0, None, "0.000"),
        (-0.0003, (0.2, -0.0003, 0.4), "0.000"),
        (0.0003, None, "0.000300"),
        (0.927, None, "0.927"),
        (1.0486, None, "1.049"),
        (-0.0041, (-0.0041, -0.023, 0.014), "-0.004"),
    ],
)
def test_scores_are_written_with_the_decimals_of_their_interval(
    value: float, beside: tuple[float, float, float] | None, text: str
) -> None:
    assert score_text(METRICS["log_loss"], value, beside) == text


def test_a_failed_architecture_is_told() -> None:
    failures = [finding for finding in judge(case_of(Task.BINARY)) if finding.code == "AML603"]
    assert failures[0].severity is Severity.TIP
    assert "MLP" in failures[0].sentence
    assert "memory" in failures[0].sentence


def test_dates_are_told_with_the_score_in_time() -> None:
    finding = found(case_of(Task.REGRESSION), "AML112")
    assert finding.severity is Severity.TIP
    assert len(finding.figures[0].series[0].x) == 4


def test_importance_reads_numbers_in_text_once() -> None:
    """The columns that a model is asked about come as numbers, and the importance is that of the text."""
    case = case_of(Task.BINARY)
    numbers = [column.name for column in case.profile.features if column.parse.get("as") == "number"]
    written = case.judged.assign(**{name: case.judged[name].map(repr) for name in numbers})
    right, seen = case.predict, []

    def predict(frame: pd.DataFrame) -> np.ndarray:
        seen.append(all(pd.api.types.is_numeric_dtype(frame[name].dtype) for name in numbers))
        return right(frame.assign(**{name: frame[name].astype(float) for name in numbers}))

    result, expected = permutation_importance(replace(case, judged=written, predict=predict)), permutation_importance(case)
    assert numbers
    assert not seen[0]
    assert all(seen[1:])
    assert result == expected


def given(case: Case, copied: int = 0, by: str | None = None, column: str | None = None) -> Case:
    """The case as it would be had its judged rows come in a test file, the first of them copies of rows of the data."""
    count = len(case.truth)
    learned, test = case.dataset.frame.iloc[:count].reset_index(drop=True), case.judged.copy()
    test.iloc[:copied] = learned.iloc[:copied].to_numpy()
    split = replace(case.plan.split, kind="given", sealed_fraction=0.0, folds_by=by, column=column)
    return replace(
        case,
        dataset=replace(case.dataset, frame=learned, test=test),
        profile=replace(case.profile, rows=count),
        plan=replace(case.plan, split=split),
        judged=test,
        row_ids=count + np.arange(count),
    )


def test_rows_of_a_test_file_that_stand_in_the_data_are_told_with_the_score_without_them() -> None:
    alone = replace(case_of(Task.BINARY), profile=replace(case_of(Task.BINARY).profile, duplicates=Duplicates()))
    assert found(given(alone), "AML101").sentence == "No duplicate rows."
    told = found(given(alone, copied=40), "AML101")
    assert "of the 300 rows of the test file 40 have a copy in the data" in told.sentence
    assert told.severity is Severity.ISSUE
    assert told.numbers["score_without_copies"] != told.numbers["score_all_rows"]
    assert found(given(alone, copied=2), "AML101").severity is Severity.TIP


def test_scores_of_parts_are_at_the_threshold_of_the_model() -> None:
    case = case_of(Task.BINARY)
    assert case.evidence is not None
    readout = replace(case.evidence.readout, threshold=Threshold(0.8, "made up", {}))
    case = replace(case, plan=replace(case.plan, metric="f1"), evidence=replace(case.evidence, readout=readout))
    usual = METRICS["f1"].score(case.truth, case.prediction, None, 1)
    assert score_on(case, np.arange(300)) == f1_score(case.truth, case.prediction[:, 1] >= 0.8) != usual
    told = found(given(case, copied=40), "AML101")
    assert told.numbers["score_all_rows"].value == score_on(given(case, copied=40), np.arange(300))


def test_order_in_time_of_a_test_file_is_that_of_its_dates() -> None:
    later = given(case_of(Task.BINARY))
    told = found(later, "AML112")
    assert "the rows of the test file, which are all later" in told.sentence
    assert "split at random" not in told.sentence
    mixed = replace(later, judged=later.judged.assign(day=later.dataset.frame["day"]))
    assert "not all later" in found(mixed, "AML112").sentence
    assert found(given(case_of(Task.BINARY), by="time", column="day"), "AML112").severity is Severity.PASSED


def test_rows_that_belong_together_are_drawn_together_in_a_test_file_and_out_of_fold_too() -> None:
    case = given(case_of(Task.REGRESSION), by="grouped", column="color")
    assert [len(np.unique(case.judged["color"][judged_groups(case) == number])) for number in range(3)] == [1, 1, 1]
    assert judged_groups(replace(case, judged=case.judged.assign(color="red"))) is None
    # A shift of whole groups is chance of three draws, not of three hundred rows.
    shift = case.dataset.frame["color"].map({"red": 6.0, "green": -6.0, "blue": 0.0}).to_numpy()
    case = replace(case, out_of_fold=case.out_of_fold_truth + shift, out_of_fold_rows=np.arange(300))
    apart = replace(case, plan=replace(case.plan, split=replace(case.plan.split, folds_by=None)))
    widths = []
    for each in (case, apart):
        told = found(each, "AML205")
        widths.append(told.numbers["out_of_fold"].high - told.numbers["out_of_fold"].low)
    assert widths[0] > 3 * widths[1]


def test_weights_count_out_of_fold_as_on_the_sealed_rows() -> None:
    case = case_of(Task.REGRESSION)
    far = np.arange(300) % 3 == 0
    case = replace(case, out_of_fold=case.out_of_fold + np.where(far, 50.0, 0.0))
    light = replace(case, weight=np.ones(300), out_of_fold_weight=np.where(far, 1e-6, 1.0))
    assert found(case, "AML205").numbers["out_of_fold"].value > 5 * found(light, "AML205").numbers["out_of_fold"].value


def test_rows_are_numbered_as_in_the_file_that_they_come_from() -> None:
    case = case_of(Task.BINARY)
    assert case.row_number(5) == 305
    assert given(case).row_number(5) == 5
    told = found(given(case), "AML402")
    assert "in the test file" in told.action
    assert max(row[0] for row in told.table["rows"]) < 300


def test_rows_in_the_order_of_time_are_drawn_in_blocks() -> None:
    """A slow wave of errors is a few events, not hundreds, and rows of one day are never divided."""
    case = case_of(Task.REGRESSION)
    ordered = replace(case, plan=replace(case.plan, split=replace(case.plan.split, kind="time", column="day")))
    blocks = judged_groups(ordered)
    assert blocks is not None and len(np.unique(blocks)) == BLOCKS
    assert (np.diff(blocks) >= 0).all()
    shuffled = np.random.default_rng(0).permutation(300)
    mixed = replace(ordered, judged=ordered.judged.iloc[shuffled].reset_index(drop=True))
    assert np.array_equal(judged_groups(mixed), blocks[shuffled])
    days = replace(ordered, judged=ordered.judged.assign(day=case.judged["day"].to_numpy()[np.arange(300) // 10 * 10]))
    whole = judged_groups(days)
    assert len(np.unique(whole)) == 30 and all(len(set(part)) == 1 for part in np.split(whole, 30))
    few = replace(ordered, judged=ordered.judged.assign(day=case.judged["day"].to_numpy()[np.arange(300) // 30 * 30]))
    assert judged_groups(few) is None, "ten blocks say nothing"
    wave = 30 * np.sin(np.arange(300) / 15)
    widths = []
    for each in (ordered, case):
        number = found(replace(each, prediction=case.truth + np.abs(wave)), "AML201").numbers["score"]
        widths.append(number.high - number.low)
    assert widths[0] > 1.3 * widths[1]
    assert "blocks of time" in found(ordered, "AML201").sentence


def test_copies_beside_a_test_file_that_were_not_looked_for_are_not_said_to_be_none() -> None:
    case = case_of(Task.BINARY)
    case = given(replace(case, profile=replace(case.profile, duplicates=Duplicates())), copied=150)
    late = found(replace(case, deadline=Deadline(0.1)), "AML101")
    assert late.severity is Severity.NOT_RUN and "not compared" in late.sentence
    columns = [replace(each, kind=Kind.IMAGE) if each.name == "color" else each for each in case.profile.columns]
    files = found(replace(case, profile=replace(case.profile, columns=tuple(columns))), "AML101")
    assert "not compared with them, as they name files" in files.sentence
    waves = [np.full(4, float(number)) for number in range(300)]
    series = replace(case, dataset=replace(case.dataset, frame=case.dataset.frame.assign(signal=waves)))
    test = case.judged.assign(signal=[*waves[:150], *(wave + 0.5 for wave in waves[150:])])
    assert "150 have a copy" in found(replace(series, judged=test), "AML101").sentence
