"""Writes the small tables of the recipes from the packages that carry them: `python recipes/data/make.py`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parent


def penguins() -> pd.DataFrame:
    """344 penguins of three species, with missing values (package palmerpenguins)."""
    from palmerpenguins import load_penguins

    return load_penguins()


def breast_cancer() -> pd.DataFrame:
    """569 tumours described by 30 measurements of their cell nuclei (package scikit-learn)."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer(as_frame=True)
    frame = bunch.data.rename(columns=lambda name: name.replace(" ", "_"))
    return frame.assign(diagnosis=bunch.target.map(dict(enumerate(bunch.target_names))))


def diabetes() -> pd.DataFrame:
    """442 patients and the progression of their disease after one year (package scikit-learn)."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(as_frame=True, scaled=False)
    measurements = {
        "bp": "blood_pressure",
        "s1": "total_cholesterol",
        "s2": "ldl",
        "s3": "hdl",
        "s4": "cholesterol_hdl_ratio",
        "s5": "log_triglycerides",
        "s6": "glucose",
    }
    frame = bunch.data.rename(columns=measurements)
    frame = frame.assign(sex=frame["sex"].map({1.0: "A", 2.0: "B"}), progression=bunch.target)
    whole = [column for column in ("age", "total_cholesterol", "glucose", "progression") if (frame[column] % 1 == 0).all()]
    return frame.astype(dict.fromkeys(whole, "int64"))


if __name__ == "__main__":
    for make in (penguins, breast_cancer, diabetes):
        make().to_csv(FOLDER / f"{make.__name__}.csv", index=False, float_format="%.6g")
