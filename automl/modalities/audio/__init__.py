"""Sounds: clips of speech, music, animals or machines, each with one label or value to predict."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Modality
from automl.core.profile import Kind, Profile
from automl.core.space import Settings
from automl.modalities.audio.examine import examine
from automl.modalities.audio.sense import folds, sense
from automl.modalities.audio.together import together


def _encoder(profile: Profile, encoding: str, settings: Settings) -> Any:
    from automl.modalities.audio.encoding import make_encoder

    return make_encoder(profile, encoding)


def _explain(case: Any) -> list[Any]:
    from automl.modalities.audio.explain import explain

    return explain(case)


MODALITY = Modality(
    name="audio",
    sense=sense,
    encoder=_encoder,
    ladder="automl.modalities.audio.ladder",
    kinds=frozenset({Kind.AUDIO}),
    examine=examine,
    together=together,
    folds=folds,
    explain=_explain,
)
