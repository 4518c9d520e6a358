"""Mixtures: tables with columns of texts, images or sounds beside numbers, categories and dates."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Modality
from automl.core.case import Case
from automl.core.profile import Profile
from automl.core.space import Settings
from automl.modalities.mixture.sense import KINDS, examine, folds, sense, together


def _encoder(profile: Profile, encoding: str, settings: Settings) -> Any:
    from automl.modalities.mixture.encoding import make_encoder

    return make_encoder(profile, encoding, settings)


def _explain(case: Case) -> Any:
    from automl.modalities.mixture.explain import explain

    return explain(case)


MODALITY = Modality(
    name="mixture",
    sense=sense,
    encoder=_encoder,
    ladder="automl.modalities.mixture.ladder",
    kinds=KINDS,
    examine=examine,
    together=together,
    folds=folds,
    explain=_explain,
)
