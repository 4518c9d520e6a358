"""Schedules: one value a step, at the peak somewhere, low at the end."""

from __future__ import annotations

import numpy as np
import pytest

from automl.core.errors import TrainingError
from automl.training.schedules import SCHEDULES, flat_cosine, learning_rates


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 7, 1000])
def test_every_step_has_a_rate_within_the_peak(name: str, steps: int) -> None:
    rates = learning_rates(name, 0.1, steps)
    assert rates.shape == (steps,)
    assert np.isfinite(rates).all()
    assert (rates >= 0).all()
    assert (rates <= 0.1 + 1e-12).all()


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_peak_is_reached_and_the_end_is_low(name: str) -> None:
    rates = learning_rates(name, 0.1, 1000)
    assert rates.max() == pytest.approx(0.1, rel=1e-2)
    assert name == "constant" or rates[-1] < 1e-3


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_longer_schedule_is_the_same_curve_stretched(name: str) -> None:
    short, long = learning_rates(name, 1.0, 500), learning_rates(name, 1.0, 5000)
    assert np.abs(short[::50] - long[4::500]).max() < 0.03


def test_one_cycle_rises_then_falls() -> None:
    rates = learning_rates("one_cycle", 1.0, 100, warmup_fraction=0.3)
    top = int(rates.argmax())
    assert top == pytest.approx(30, abs=1)
    assert (np.diff(rates[:top]) > 0).all()
    assert (np.diff(rates[top + 1 :]) < 0).all()


def test_flat_cosine_is_flat_then_falls() -> None:
    values = flat_cosine(100)
    assert (values[:50] == 1).all()
    assert (np.diff(values[51:]) < 0).all()


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(TrainingError, match="one_cycle"):
        learning_rates("triangle", 0.1, 10)
