"""Writes sales.csv: two years of daily sales of three shops, made up, with promotions and holidays that are known ahead.

python recipes/data/make_sales.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

DAYS = 730
SHOPS = {"harbour": 90.0, "market": 140.0, "station": 60.0}


def sales(seed: int = 0) -> pd.DataFrame:
    """One row a day and shop: date, shop, promo, holiday, temperature (not known ahead) and sales."""
    generator = np.random.default_rng(seed)
    dates = pd.date_range("2023-01-02", periods=DAYS)
    week = np.asarray([0.95, 0.9, 0.92, 1.0, 1.25, 1.5, 0.6])[dates.day_of_week]
    year = 1.0 + 0.15 * np.sin(2 * np.pi * (dates.day_of_year - 100) / 365.25)
    holiday = ((dates.month == 12) & (dates.day >= 24) & (dates.day <= 26)) | ((dates.month == 5) & (dates.day == 1))
    temperature = 11 - 9 * np.cos(2 * np.pi * dates.day_of_year / 365.25) + generator.normal(0, 3, DAYS)
    frames = []
    for shop, level in SHOPS.items():
        promo = np.repeat(generator.random(DAYS // 10 + 1) < 0.25, 10)[:DAYS]
        trend = 1.0 + 0.0002 * np.arange(DAYS)
        mean = level * week * year * trend * np.where(promo, 1.35, 1.0) * np.where(holiday, 0.3, 1.0) * (1 + 0.004 * temperature)
        frames.append(
            pd.DataFrame(
                {
                    "date": dates.strftime("%Y-%m-%d"),
                    "shop": shop,
                    "promo": promo.astype(int),
                    "holiday": np.where(holiday, "yes", "no"),
                    "temperature": temperature.round(1),
                    "sales": generator.poisson(mean),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


if __name__ == "__main__":
    sales().to_csv(Path(__file__).with_name("sales.csv"), index=False)
