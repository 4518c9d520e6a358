"""Automated machine learning with Keras: the simplest model that the evidence supports, and a report to trust.

Importing this package imports nothing heavy: every function imports what it needs when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl.core.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from automl.core.events import Listener
    from automl.core.model import Model
    from automl.core.plan import Plan
    from automl.core.profile import Profile
    from automl.estimator import AutoMLClassifier, AutoMLRegressor
    from automl.run import Run

__version__ = VERSION

__all__ = ["AutoMLClassifier", "AutoMLRegressor", "__version__", "fit", "load", "profile", "recommend"]


def fit(
    data: Any,
    *,
    out: Path | str | None = None,
    fresh: bool = False,
    test: Any = None,
    listener: Listener | None = None,
    **options: Any,
) -> Run:
    """Find the simplest model for a table that the evidence supports, and judge it.

    data: a path (CSV, TSV, Parquet, JSON lines, also gz and xz), or a pandas, polars or pyarrow table.
    out: the run folder; by default `runs/NAME-N`. fresh: do not go on with an unfinished run of the same data.
    test: a file or table with the same columns that is judged on instead of a part of the data.
    options: the fields of automl.core.options.Options: target, time (seconds, or "5m"), trials, preset, seed, ...
    Raises InputError, in one sentence, where the data or the call cannot be used.
    """
    from pathlib import Path

    from automl import run
    from automl.core.events import silent
    from automl.core.options import make_options

    place = None if out is None else Path(out)
    return run.fit(data, make_options(options), out=place, fresh=fresh, listener=listener or silent, test=test)


def profile(data: Any, **options: Any) -> Profile:
    """Facts about a table, each with its evidence: its task, the kind of every column, what is wrong with it.

    data and options: as for `fit`. Takes seconds and trains nothing.
    """
    from automl import profiling, reading
    from automl.core.options import make_options

    chosen = make_options(options)
    return profiling.profile(profiling.arranged(reading.read(data), chosen), chosen)


def recommend(data: Any, **options: Any) -> Plan:
    """The ladder of models for a table, each with its reason and its expected cost.

    data and options: as for `fit`. Takes seconds and trains nothing.
    """
    from automl import profiling, reading, recommending
    from automl.core.options import make_options

    chosen = make_options(options)
    dataset = profiling.arranged(reading.read(data), chosen)
    return recommending.recommend(profiling.profile(dataset, chosen), chosen)


def load(path: Path | str) -> Run | Model:
    """What a folder holds: a Run where it is a run folder, a Model where it is a model folder.

    Both have `predict` and `predict_proba`. Raises InputError where it is neither, or is damaged.
    """
    from pathlib import Path

    folder = Path(path)
    if (folder / "run.json").is_file():
        from automl.run import open_run

        return open_run(folder)
    from automl.core import model

    return model.load(folder)


def __getattr__(name: str) -> Any:
    if name in ("AutoMLClassifier", "AutoMLRegressor"):
        from automl import estimator

        return getattr(estimator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
