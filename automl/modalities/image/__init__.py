"""Images: photos, drawings, scans or frames, each with one label or value to predict."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Modality
from automl.core.profile import Kind, Profile
from automl.core.space import Settings
from automl.modalities.image.examine import examine
from automl.modalities.image.sense import folds, sense
from automl.modalities.image.together import together


def _encoder(profile: Profile, encoding: str, settings: Settings) -> Any:
    from automl.modalities.image.encoding import make_encoder

    return make_encoder(profile, encoding)


def _explain(case: Any) -> list[Any]:
    from automl.modalities.image.explain import explain

    return explain(case)


MODALITY = Modality(
    name="image",
    sense=sense,
    encoder=_encoder,
    ladder="automl.modalities.image.ladder",
    kinds=frozenset({Kind.IMAGE}),
    examine=examine,
    together=together,
    folds=folds,
    explain=_explain,
)
