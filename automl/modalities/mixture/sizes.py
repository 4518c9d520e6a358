"""What a mixture holds, in numbers that the rungs estimate their costs from."""

from __future__ import annotations

from automl.core.profile import Kind, Profile

CONDENSED_TEXT, CONDENSED_IMAGE, CONDENSED_AUDIO = 128, 176, 36
"""Numbers that a column is condensed to."""
NAMES = {Kind.TEXT: "texts", Kind.IMAGE: "images", Kind.AUDIO: "sounds"}


def characters_of(profile: Profile) -> float:
    """Characters of a row on average, all its texts together."""
    return float(sum(column.statistics.get("characters", {}).get("mean", 60.0) for column in profile.features_of(Kind.TEXT)))


def words_of(profile: Profile) -> float:
    """Words of a usual row, all its texts together."""
    return float(sum(column.statistics.get("words", {}).get("median", 10.0) for column in profile.features_of(Kind.TEXT)))


def condensed_width(profile: Profile) -> int:
    """Numbers a row that all texts, images and sounds are condensed to."""
    widths = {Kind.TEXT: CONDENSED_TEXT, Kind.IMAGE: CONDENSED_IMAGE, Kind.AUDIO: CONDENSED_AUDIO}
    return sum(width * len(profile.features_of(kind)) for kind, width in widths.items())


def table_width(profile: Profile, most_levels: int = 50) -> int:
    """About how many columns the numbers, categories and dates become for a linear model or a net."""
    width = 0
    for column in profile.features:
        if column.kind in (Kind.NUMBER, Kind.BOOLEAN):
            width += 1 + (column.missing_fraction > 0)
        elif column.kind is Kind.DATETIME:
            width += 10
        elif column.kind is Kind.CATEGORY:
            width += min(column.unique, most_levels) + 1
    return width


def rich_kinds(profile: Profile) -> str:
    """ "texts and images"."""
    return " and ".join(name for kind, name in NAMES.items() if profile.features_of(kind))


def kinds_in_words(profile: Profile) -> str:
    """ "2 columns of texts, 1 of images and 11 others"."""
    counted = [(len(profile.features_of(kind)), plural) for kind, plural in NAMES.items()]
    named = [f"{count} of {plural}" for count, plural in counted if count]
    others = len(profile.features) - sum(count for count, _ in counted)
    named += [f"{others:,} other{'s' * (others > 1)}"] if others else []
    joined = f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else named[0]
    first, _, rest = joined.partition(" ")
    return f"{first} column{'s' * (first != '1')} {rest}"
