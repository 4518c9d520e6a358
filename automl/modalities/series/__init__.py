"""Series and sensors: whole series of numbers, of one or many channels, each with one label or value to predict."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Modality
from automl.core.profile import Kind, Profile
from automl.core.space import Settings
from automl.modalities.series.arrange import arrange
from automl.modalities.series.sense import examine, folds, sense, together


def _encoder(profile: Profile, encoding: str, settings: Settings) -> Any:
    from automl.modalities.series.encoding import make_encoder

    return make_encoder(profile, encoding, settings)


def _explain(case: Any) -> list[Any]:
    from automl.modalities.series.explain import explain

    return explain(case)


MODALITY = Modality(
    name="series",
    sense=sense,
    encoder=_encoder,
    ladder="automl.modalities.series.ladder",
    kinds=frozenset({Kind.SERIES}),
    arrange=arrange,
    examine=examine,
    together=together,
    folds=folds,
    explain=_explain,
)
