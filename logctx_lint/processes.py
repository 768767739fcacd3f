"""Processes that share the work of a command.

Where they are not forked, Python starts them by `python -c`, which looks for modules in the
current folder first: there, what stands in the linted project would be imported for `json`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.pool import Pool

_SAFE_PATH = "PYTHONSAFEPATH"


@contextmanager
def pool(workers: int, start: Callable[..., None], arguments: tuple[Any, ...]) -> Iterator[Pool]:
    """Processes, each of which has begun with `start(*arguments)`."""
    # Takes longer to import than most runs.
    import multiprocessing

    context = multiprocessing.get_context(_method(multiprocessing.get_start_method(True)))
    with _safe_path(), context.Pool(workers, start, arguments) as made:
        yield made


def _method(chosen: str | None) -> str | None:
    """How processes are started: as somebody has chosen, else forked where that is sound.

    A command has one thread, so that it can be forked on Linux from Python 3.14 on, too, where that
    is no longer the default; and what is forked begins with all that is known already.
    """
    return "fork" if chosen is None and sys.platform == "linux" else chosen


@contextmanager
def _safe_path() -> Iterator[None]:
    """New processes look for no modules in the current folder (from Python 3.11 on)."""
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before
