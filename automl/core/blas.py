"""How many threads the products of matrices take."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def blas_threads(count: int) -> AbstractContextManager[Any]:
    """Products in it take at most so many threads: those that spin between small products cost up to 100 times the work."""
    limits: AbstractContextManager[Any] = _libraries().limit(limits=count, user_api="blas")
    return limits


@cache
def _libraries() -> ThreadpoolController:
    """The loaded libraries, found once: looking for them takes 4 ms, as long as a small fit."""
    import scipy.linalg  # noqa: F401  # SciPy has a BLAS of its own, which is to be among them
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
