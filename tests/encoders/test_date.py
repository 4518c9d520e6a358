"""Date parts agree with pandas, before 1970 too."""

from __future__ import annotations

import numpy as np
import pandas as pd

from automl.encoders.date import DateEncoder


def test_the_parts_are_those_of_pandas() -> None:
    generator = np.random.default_rng(0)
    seconds = generator.integers(-9_000_000_000, 9_000_000_000, 5000)[:, None]
    encoder = DateEncoder.fit(seconds, seconds, ["when"], cyclic=False)
    found = dict(zip(encoder.parts[0], encoder.transform(seconds).T, strict=True))
    stamps = pd.DatetimeIndex(seconds[:, 0].astype("datetime64[s]"))
    np.testing.assert_array_equal(found["year"], stamps.year)
    np.testing.assert_array_equal(found["month"], stamps.month)
    np.testing.assert_array_equal(found["day"], stamps.day)
    np.testing.assert_array_equal(found["day of week"], stamps.day_of_week)
    np.testing.assert_allclose(found["hour"], stamps.hour + stamps.minute / 60 + stamps.second / 3600, atol=1e-5)
    first = stamps.min().normalize()
    np.testing.assert_allclose(found["elapsed days"], (stamps - first) / pd.Timedelta(days=1), rtol=1e-6)


def test_parts_that_do_not_vary_are_left_out() -> None:
    days = 86400 * (18262 + np.arange(20))[:, None]  # January 2020
    encoder = DateEncoder.fit(days, days, ["day"], cyclic=True)
    assert {"year", "month", "hour", "sin hour"}.isdisjoint(encoder.parts[0])
    assert {"day", "day of week", "elapsed days", "sin day of week"} <= set(encoder.parts[0])
    constant = np.zeros((5, 1), np.int64)
    assert DateEncoder.fit(constant, constant, ["day"], cyclic=True).varying() is None
