"""Forecasts: the next steps of one series or of a panel, with what else is known of its past and its future."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Modality
from automl.core.profile import Kind, Profile
from automl.core.space import Settings
from automl.modalities.forecast.arranging import arrange
from automl.modalities.forecast.explain import explain
from automl.modalities.forecast.sense import examine, sense


def _encoder(profile: Profile, encoding: str, settings: Settings) -> Any:
    from automl.encoders.panel import make_encoder

    return make_encoder(profile)


MODALITY = Modality(
    name="forecast",
    sense=sense,
    encoder=_encoder,
    ladder="automl.modalities.forecast.ladder",
    kinds=frozenset({Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY, Kind.DATETIME, Kind.IDENTIFIER, Kind.CONSTANT, Kind.TEXT}),
    arrange=arrange,
    examine=examine,
    explain=explain,
)
