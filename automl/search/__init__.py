"""Plan -> Model and Evidence: trials in KerasTuner, a hard deadline, and a test for every climb."""

from automl.search.climbing import Climb
from automl.search.contract import contract
from automl.search.evaluating import evaluate, out_of_fold_of, readout_of
from automl.search.fairest import Fairness
from automl.search.journal import Journal
from automl.search.nested import Nested, nested_cross_validation
from automl.search.preparing import Prepared, prepare
from automl.search.shipping import Shipped, ship
from automl.search.worker import Worker
from automl.search.workshop import Workshop

__all__ = [
    "Climb",
    "Fairness",
    "Journal",
    "Nested",
    "Prepared",
    "Shipped",
    "Worker",
    "Workshop",
    "contract",
    "evaluate",
    "nested_cross_validation",
    "out_of_fold_of",
    "prepare",
    "readout_of",
    "ship",
]
