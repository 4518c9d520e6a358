"""AML100: what the data is, and what is predicted from it."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.judge.wording import count_text, figures_text, number

MOST_CLASSES = 30


def run(case: Case) -> list[Finding]:
    profile = case.profile
    features = len(profile.features)
    if profile.task.is_classification:
        told = f"one of {count_text(len(profile.classes), 'class', 'classes')}"
        if profile.positive is not None:
            told += f' (positive class "{profile.positive}")'
    else:
        statistics = profile.target_statistics
        told = f"a number between {figures_text(statistics.get('minimum'))} and {figures_text(statistics.get('maximum'))}"
    sentence = (
        f"{count_text(profile.rows, 'row')} and {count_text(features, 'feature')} of {count_text(len(profile.columns), 'column')}"
        f' are used to predict "{profile.target}", {told}.'
    )
    return [
        Finding(
            code="AML100",
            title="What is predicted",
            severity=Severity.PASSED,
            section=Section.DATA,
            sentence=sentence,
            numbers={"rows": number(profile.rows), "features": number(features)},
            figures=_figures(case),
            action=" ".join(f"{note[:1].upper()}{note[1:]}." for note in profile.notes),
        )
    ]


def _figures(case: Case) -> tuple[Figure, ...]:
    profile = case.profile
    if profile.task.is_classification and profile.class_counts:
        order = sorted(range(len(profile.classes)), key=lambda code: -profile.class_counts[code])[:MOST_CLASSES]
        labels = tuple(profile.classes[code] for code in order)
        counts = tuple(profile.class_counts[code] for code in order)
        how = "Longer bars are classes with more rows; a model sees little of the short ones."
        if len(profile.classes) > MOST_CLASSES:
            how += f" The {MOST_CLASSES} most frequent of {len(profile.classes):,} classes are shown."
        return (
            Figure(
                "target",
                "bar",
                f'Rows for each value of "{profile.target}"',
                how,
                (Series("rows", labels, counts),),
                profile.target,
                "rows",
            ),
        )
    histogram = profile.target_statistics.get("histogram")
    if not histogram:
        return ()
    series = Series("rows", tuple(histogram["edges"]), tuple(histogram["counts"]))
    how = "Tall bars are values that are frequent; a long tail to one side is where large errors come from."
    return (Figure("target", "histogram", f"Values of {profile.target}", how, (series,), profile.target, "rows"),)


CHECK = Check("AML100", "What is predicted", Section.DATA, run, needs_model=False)
