"""Laws of judging by groups: fairlearn's figures, gaps that are there and gaps that are chance, groups without a member."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from automl.core.case import Case
from automl.core.dataset import Dataset
from automl.core.discovery import declarations
from automl.core.errors import InputError
from automl.core.finding import Finding, Severity
from automl.core.groups import MISSING, OTHER, Grouping, grouping, intersection
from automl.core.options import MOST_LOST, Options, make_options
from automl.core.profile import Role
from automl.core.statistics import holm
from automl.core.tasks import Task
from automl.judge import run_check
from automl.judge.curves import wilson
from automl.judge.fairness import equalised_odds, gaps, homogeneity, measured, rates_of, sensitive_groupings
from automl.profiling import profile
from automl.recommending import recommend
from automl.report.verdict import verdict
from automl.search.reweighing import independent_weights, odds_factors
from tests.judge.made_up import case_of

ROWS = 4000


def people(seed: int = 0) -> pd.DataFrame:
    """Like adult: income depends on sex, and a little on race; no one is both "Other" and "Female"."""
    generator = np.random.default_rng(seed)
    sex = generator.choice(["Female", "Male"], ROWS, p=[0.33, 0.67])
    race = generator.choice(["White", "Black", "Asian", "Other"], ROWS, p=[0.8, 0.1, 0.07, 0.03])
    race[(sex == "Female") & (race == "Other")] = "White"
    hours = generator.normal(40, 10, ROWS) + 4 * (sex == "Male")
    drive = 0.05 * (hours - 40) + 0.9 * (sex == "Male") - 0.4 * (race == "Black") - 1.0
    target = np.where(generator.random(ROWS) < 1 / (1 + np.exp(-drive)), "yes", "no")
    return pd.DataFrame({"hours": hours, "sex": sex, "race": race, "wife": sex == "Female", "target": target})


def judged(sensitive: tuple[str, ...] = ("sex", "race"), seed: int = 0, weight: np.ndarray | None = None, **plan: object) -> Case:
    """A judged run on `people`, whose model is too sure and knows the sex."""
    frame = people(seed)
    data = Dataset(frame, "people", "made up", "0" * 64)
    options = Options(target="target", positive="yes", sensitive=sensitive, **plan)
    facts = profile(data, options)
    drive = 0.08 * (frame["hours"].to_numpy() - 40) + 1.5 * (frame["sex"] == "Male").to_numpy() - 1.5
    positive = 1 / (1 + np.exp(-drive))
    prediction = np.stack([1 - positive, positive], axis=1)
    truth = (frame["target"] == "yes").to_numpy().astype(np.int64)
    return replace(
        case_of(Task.BINARY, 600),
        dataset=data, profile=facts, plan=recommend(facts, options), truth=truth, prediction=prediction, weight=weight,
        baseline=np.tile([0.6, 0.4], (ROWS, 1)), judged=frame, row_ids=np.arange(ROWS),
    )  # fmt: skip


def finding(case: Case, code: str) -> Finding:
    (check,) = [each for each in declarations("automl.judge.checks", "CHECK") if each.code == code]
    (found,) = run_check(check, case)
    assert found.code == code
    return found


@pytest.mark.parametrize("weighted", [False, True])
def test_gaps_and_rates_are_those_of_fairlearn(weighted: bool) -> None:
    import fairlearn.metrics as reference
    from sklearn.metrics import accuracy_score

    weight = np.random.default_rng(1).random(ROWS) + 0.1 if weighted else None
    case = judged(weight=weight)
    given = case.prediction.argmax(axis=1)
    for by in sensitive_groupings(case):
        kept = by.sizes[by.codes] > 0
        labels = np.asarray(by.groups, dtype=object)[by.codes]
        found = gaps(case, rates_of(case), by, least=1)
        odds = equalised_odds(found)
        shared = {"sensitive_features": labels[kept], "sample_weight": weight}
        asked = case.truth[kept], given[kept]
        assert found["selection"].interval.value == pytest.approx(
            reference.demographic_parity_difference(*asked, **shared), abs=1e-9
        )
        assert found["selection"].ratio == pytest.approx(reference.demographic_parity_ratio(*asked, **shared), abs=1e-9)
        assert found["true_positive"].interval.value == pytest.approx(
            reference.equal_opportunity_difference(*asked, **shared), abs=1e-9
        )
        assert odds is not None
        assert odds.interval.value == pytest.approx(reference.equalized_odds_difference(*asked, **shared), abs=1e-9)
        weights = {"sample_weight": weight} if weighted else {}
        frame = reference.MetricFrame(
            metrics=accuracy_score, y_true=asked[0], y_pred=asked[1], sensitive_features=labels, sample_params=weights
        )
        for name, accuracy in frame.by_group.items():
            assert 1 - found["error"].rates[by.groups.index(str(name))] == pytest.approx(accuracy, abs=1e-9)


def test_a_gap_that_is_there_is_an_issue_and_chance_is_not() -> None:
    biased = finding(judged(), "AML411")
    assert biased.severity is Severity.ISSUE
    assert "--mitigate thresholds" in biased.action
    assert biased.numbers["sex: equal opportunity"].low > 0.2
    for seed in range(3):
        case = judged(seed=seed)
        shuffled = np.random.default_rng(seed).permutation(case.judged["sex"].to_numpy())
        fair = replace(case, judged=case.judged.assign(sex=shuffled), plan=replace(case.plan, sensitive=("sex",)))
        assert finding(fair, "AML411").severity is Severity.PASSED


def test_every_gap_that_matters_is_counted_not_only_those_that_are_faults_of_the_model() -> None:
    found = finding(judged(), "AML411")
    told = [row for row in found.table["rows"] if row[4] and (row[3] > 0.1 or (row[1] == "demographic parity" and row[11] < 0.8))]
    assert {row[1] for row in told} >= {"demographic parity", "equal opportunity"}
    assert f"; {len(told) - 1} more gaps in the table are large" in found.sentence


def test_combinations_without_a_member_are_counted_and_break_nothing() -> None:
    case = judged()
    both = sensitive_groupings(case)[-1]
    assert both.name == "sex × race"
    assert both.sizes[both.groups.index("Female, Other")] == 0
    scores = finding(case, "AML410")
    assert "1 combination has no judged row" in scores.sentence
    assert "Female, Other" not in scores.numbers
    assert [row[0] for row in scores.table["rows"]].count("Male, Other") == 1


def test_groups_of_few_rows_are_pale_and_compared_with_nothing() -> None:
    case = judged()
    rows = np.r_[np.flatnonzero(case.judged["race"] != "Other"), np.flatnonzero(case.judged["race"] == "Other")[:10]]
    few = replace(
        case, judged=case.judged.iloc[rows].reset_index(drop=True), truth=case.truth[rows], prediction=case.prediction[rows],
        baseline=case.baseline[rows], row_ids=rows,
    )  # fmt: skip
    (series,) = finding(few, "AML410").figures[0].series
    assert dict(zip(series.x, series.faint, strict=True))["race: Other"]
    assert not dict(zip(series.x, series.faint, strict=True))["race: White"]
    assert all(gap.by.groups[gap.highest] != "Other" for gap in measured(few).values())


def test_the_test_is_that_of_pearson() -> None:
    case = judged()
    by = sensitive_groupings(case)[1]
    error = rates_of(case)[0]
    table = [[int(error.value[by.codes == code].sum()), int((1 - error.value[by.codes == code]).sum())] for code in range(4)]
    expected = chi2_contingency(np.asarray(table), correction=False).pvalue
    assert homogeneity(error, by, np.ones(4, bool)) == pytest.approx(expected, rel=1e-9)
    assert homogeneity(error, by, np.ones(4, bool), np.full(ROWS, 7.0)) == pytest.approx(expected, rel=1e-9)


def test_calibration_of_groups_names_the_one_that_is_promised_too_little() -> None:
    found = finding(judged(("sex",)), "AML412")
    assert found.severity in (Severity.TIP, Severity.ISSUE)
    assert found.numbers["sex: Female"].low > 0 > found.numbers["sex: Male"].high


def test_a_proxy_is_named_and_noise_is_none() -> None:
    case = judged(("sex",), exclude_sensitive=True)
    assert case.profile.column("sex").role is Role.SENSITIVE
    assert "sex" not in {column.name for column in case.profile.features}
    found = finding(case, "AML117")
    assert found.severity is Severity.ISSUE
    assert found.numbers["sex"].value == pytest.approx(1.0)
    assert "wife" in found.action
    clean = judged(("race",), exclude_sensitive=True, drop=("sex", "wife"))
    harmless = finding(clean, "AML117")
    assert harmless.severity is Severity.PASSED
    assert abs(harmless.numbers["race"].value - 0.5) < 0.1


def test_a_name_is_a_hint_and_those_that_are_not_named_stay_one() -> None:
    hint = finding(judged(()), "AML116")
    assert hint.severity is Severity.TIP
    assert "--sensitive sex,race" in hint.action
    named = finding(judged(("sex",)), "AML116")
    assert named.severity is Severity.PASSED
    assert 'by name "race" may be sensitive too' in named.sentence
    assert 'fairness by "race"' in verdict([named]).reason
    assert "not looked at" not in verdict([finding(judged(("sex", "race")), "AML116")]).reason


def test_odds_are_not_equal_because_one_half_of_them_was_not_measured() -> None:
    case = judged(("sex",))
    kept = np.flatnonzero((case.truth == 0) | (case.judged["sex"] == "Male").to_numpy())
    few = replace(
        case, judged=case.judged.iloc[kept].reset_index(drop=True), truth=case.truth[kept], prediction=case.prediction[kept],
        baseline=case.baseline[kept], row_ids=kept,
    )  # fmt: skip
    assert case.positive == 1
    found = finding(few, "AML411")
    assert {name.split(": ")[1] for name in found.numbers} == {"demographic parity", "predictive equality", "error rate"}
    assert 'equal opportunity by "sex" was not judged' in found.sentence and "that truly are of the class" in found.sentence
    assert found.severity is not Severity.PASSED and found.action


def test_a_rate_of_rows_that_are_all_alike_is_not_certain() -> None:
    case = judged(("race",))
    other = np.flatnonzero(case.judged["race"] == "Other")[:6]
    rows = np.r_[np.flatnonzero(case.judged["race"] != "Other"), other]
    right = np.eye(2)[case.truth]
    few = replace(
        case, judged=case.judged.iloc[rows].reset_index(drop=True), truth=case.truth[rows], prediction=right[rows],
        baseline=case.baseline[rows], row_ids=rows,
    )  # fmt: skip
    figure = next(each for each in finding(few, "AML410").figures if each.name == "group_error")
    (series,) = figure.series
    at = series.x.index("race: Other")
    assert (series.y[at], series.low[at]) == (0.0, 0.0)
    assert series.high[at] == pytest.approx(wilson(0, 6)[1])


def test_reweighing_makes_target_and_groups_independent() -> None:
    generator = np.random.default_rng(0)
    groups, training = generator.integers(0, 3, 900), np.arange(700)
    target = (generator.random(900) < 0.2 + 0.2 * groups).astype(np.int64)
    base = generator.random(900) + 0.1
    weight = independent_weights(groups, target, base, training)
    joint = np.zeros((3, 2))
    np.add.at(joint, (groups[training], target[training]), weight[training])
    joint /= joint.sum()
    assert joint == pytest.approx(np.outer(joint.sum(axis=1), joint.sum(axis=0)), abs=1e-12)
    assert weight[training].mean() == pytest.approx(1.0)
    every = np.bincount(groups[training], base[training])
    assert joint.sum(axis=1) == pytest.approx(every / every.sum())


def test_weights_for_equalised_odds_close_the_gap_of_a_model_that_they_train() -> None:
    """A model that thresholds one score by group: what the groups weigh moves its thresholds."""
    generator = np.random.default_rng(0)
    groups, target = generator.integers(0, 2, 4000), generator.integers(0, 2, 4000)
    score = generator.normal(size=4000) + 1.5 * target + 0.8 * groups

    def called(weight: np.ndarray) -> np.ndarray:
        mean = [np.average(score[groups == group], weights=weight[groups == group]) for group in (0, 1)]
        share = [np.average(target[groups == group], weights=weight[groups == group]) for group in (0, 1)]
        prior = np.log(np.asarray(share) / (1 - np.asarray(share)))[groups]
        centre = np.mean(mean)  # the model does not see that scores of one group are higher
        return (1.5 * (score - centre) + prior > 0).astype(np.int64)

    def gap(given: np.ndarray) -> float:
        recall = [[(given == target)[(groups == group) & (target == code)].mean() for group in (0, 1)] for code in (0, 1)]
        return max(abs(first - second) for first, second in recall)

    factors = odds_factors(groups, target, np.ones(4000), called, (2, 2))
    before, after = called(np.ones(4000)), called(factors[groups, target])
    assert gap(after) < 0.5 * gap(before)
    assert (after == target).mean() >= (before == target).mean() - MOST_LOST


def test_mitigation_tells_before_and_after_with_its_price() -> None:
    case = judged(("sex",), mitigate="reweigh")
    fairer = np.where((case.judged["sex"] == "Male").to_numpy()[:, None], case.prediction - [-0.1, 0.1], case.prediction)
    found = finding(replace(case, prediction=np.clip(fairer, 0.0, 1.0), unmitigated=case.prediction), "AML414")
    assert found.severity is Severity.PASSED
    assert found.numbers["change of sex: demographic parity"].value < 0
    assert found.numbers["change of Accuracy"].low is not None
    assert "balanced accuracy from" in found.sentence
    assert " grew " not in found.sentence
    other = finding(replace(case, prediction=case.prediction, unmitigated=np.clip(fairer, 0.0, 1.0)), "AML414")
    rows = [row for row in other.table["rows"] if row[0].startswith("sex")]
    worst = max(rows, key=lambda row: row[3])[0]
    assert f"the gap in {worst} grew from" in other.sentence
    assert other.severity is Severity.TIP
    same = finding(replace(case, unmitigated=case.prediction), "AML414")
    assert same.severity is Severity.TIP


def test_groups_are_levels_quartiles_or_what_is_left() -> None:
    frame = pd.DataFrame(
        {"level": [f"l{number}" for number in range(30)] * 20, "number": 1.5 * np.arange(600.0), "y": ["a", "b"] * 300}
    )
    frame.loc[:3, "number"] = np.nan
    facts = profile(Dataset(frame, "", "", ""), Options(target="y"))
    levels = grouping(facts.column("level"), frame, frame)
    assert len(levels.groups) == 13
    assert levels.groups[-1] == OTHER
    quarters = grouping(facts.column("number"), frame, frame.iloc[:400])
    assert quarters.groups[-1] == MISSING
    assert quarters.sizes.tolist() == [149, 149, 98, 0, 4]
    every = intersection([Grouping("a", ("x", "y"), np.zeros(0, np.int64)), Grouping("b", ("z",), np.zeros(0, np.int64))])
    assert every.groups == ("x, z", "y, z")
    assert every.sizes.tolist() == [0, 0]


def test_holm_is_between_no_correction_and_bonferroni() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@pytest.mark.parametrize(
    "choices, sentence",
    [
        ({"sensitive": "sxe"}, '--sensitive: column "sxe" is not in .*"sex"'),
        ({"sensitive": "target"}, "is the target and cannot be given to --sensitive"),
        ({"sensitive": "note"}, '--sensitive: column "note" holds text values'),
        ({"exclude_sensitive": True}, "exclude_sensitive needs columns to protect"),
        ({"sensitive": "sex", "mitigate": "reweight"}, 'there is no way to mitigate "reweight".*"reweigh"'),
        ({"sensitive": "sex", "mitigate": "reweigh", "target": "hours"}, "--mitigate is for classification"),
        ({"sensitive": "sex", "mitigate": "thresholds", "target": "race"}, "--mitigate thresholds is for two classes"),
        ({"sensitive": "sex", "mitigate": "thresholds", "cost_fp": 2.0}, "a cost and mitigate thresholds exclude each other"),
        ({"sensitive": "sex", "mitigate": "reweigh", "max_accuracy_loss": 0.02}, "max_accuracy_loss limits what mitigation"),
        ({"sensitive": "sex", "mitigate": "thresholds", "max_accuracy_loss": 2}, "max_accuracy_loss is a share"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(choices: dict[str, object], sentence: str) -> None:
    frame = people().head(300)
    frame["note"] = [f"word{number} is said here {number} times" for number in range(300)]
    with pytest.raises(InputError, match=sentence):
        options = make_options({"target": "target", **choices})
        recommend(profile(Dataset(frame, "people", "people.csv", ""), options), options)


def test_of_three_sensitive_columns_every_two_are_crossed_and_all_of_them() -> None:
    three = judged(("sex", "race", "wife"))
    assert [len(by.groups) for by in sensitive_groupings(three)[:3]] == [2, 4, 2]
    labels = [by.label(code) for by in sensitive_groupings(three) for code in range(len(by.groups))]
    assert len(set(labels)) == len(labels)
    assert [each.label(0).count(",") for each in sensitive_groupings(three)] == [0, 0, 0, 1, 1, 1, 2]
    assert len(sensitive_groupings(judged())) == 3
