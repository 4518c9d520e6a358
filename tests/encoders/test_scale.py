"""Laws of scaling: each column is scaled by its own values, whatever stands beside it."""

from __future__ import annotations

import numpy as np
import pytest

from automl.encoders import scale
from automl.encoders.scale import STYLES, ScaleEncoder


def columns(rows: int = 101) -> np.ndarray:
    """Numbers, heavy tails, constants, gaps of different sizes, zero quartile range, two values, nothing at all."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(rows, 9)).astype(np.float32)
    values[:, 1] = generator.standard_cauchy(rows)
    values[:, 2] = 7.0
    values[::3, 3] = np.nan
    values[::3, 4] = np.nan
    values[::5, 5] = np.nan
    values[:, 6] = (np.arange(rows) % 9 == 0) * generator.normal(size=rows)
    values[:, 7] = np.arange(rows) % 2
    values[:, 8] = np.nan
    return values


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("most_cells", [1, 250, 10**6])
def test_a_column_is_scaled_as_if_it_were_alone(style: str, most_cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "MOST_CELLS", most_cells)
    values = columns()
    names = [str(number) for number in range(values.shape[1])]
    together = ScaleEncoder.fit(values, values, names, style, binary=[7])
    for number, name in enumerate(names):
        one = values[:, [number]]
        alone = ScaleEncoder.fit(one, one, [name], style, binary=[0] if number == 7 else [])
        for field in ("center", "factor", "mean", "deviation"):
            np.testing.assert_allclose(getattr(together, field)[number], getattr(alone, field)[0], rtol=1e-6, atol=1e-7)
        assert (number in together.heavy) == bool(alone.heavy)
    assert np.isfinite(together.transform(values)).all()
    assert together.indicated == (3, 4, 5, 8)
