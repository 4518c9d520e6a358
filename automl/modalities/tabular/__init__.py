"""Tables: rows that stand for themselves, columns of numbers, categories and dates."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Modality
from automl.core.profile import Profile
from automl.core.space import Settings
from automl.modalities.tabular.sense import sense


def _encoder(profile: Profile, encoding: str, settings: Settings) -> Any:
    from automl.encoders.enriched import enrich
    from automl.encoders.table import make_encoder

    plain = make_encoder(profile, encoding, settings)
    return enrich(plain, settings.get("features", "plain"), len(profile.classes)) if encoding == "codes" else plain


MODALITY = Modality(name="tabular", sense=sense, encoder=_encoder, ladder="automl.modalities.tabular.ladder")
