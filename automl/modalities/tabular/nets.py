"""What the nets for tables have in common besides their layers: where they do not fit."""

from __future__ import annotations

from automl.core.profile import Profile


def refusal(profile: Profile, columns: int, least_rows: int, most_columns: int, kind: str = "a net") -> str | None:
    """None, or the sentence why such a net is left out. columns: of the table when encoded, where its first layer begins."""
    if profile.rows < least_rows:
        return f"{kind} needs about {least_rows} rows to pay off; here are {profile.rows:,}"
    if columns > most_columns:
        return f"the table becomes {columns:,} columns when encoded; a net of this kind takes at most {most_columns:,}"
    return None if profile.features else "there is no feature to learn from"
