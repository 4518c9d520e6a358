"""Texts: one or several columns of sentences, messages or documents, and nothing else to learn from."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Modality
from automl.core.case import Case
from automl.core.profile import Kind, Profile
from automl.core.space import Settings
from automl.core.table import Table
from automl.modalities.text.sense import examine, folds, sense


def _encoder(profile: Profile, encoding: str, settings: Settings) -> Any:
    from automl.modalities.text.encoding import make_encoder

    return make_encoder(profile, encoding, settings)


def _together(table: Table, profile: Profile) -> Any:
    from automl.modalities.text.together import together

    return together(table, profile)


def _explain(case: Case) -> Any:
    from automl.modalities.text.explain import explain

    return explain(case)


MODALITY = Modality(
    name="text",
    sense=sense,
    encoder=_encoder,
    ladder="automl.modalities.text.ladder",
    kinds=frozenset({Kind.TEXT}),
    examine=examine,
    together=_together,
    folds=folds,
    explain=_explain,
)
