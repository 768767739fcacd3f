"""Processes that share the work of a command.

Where they are not forked, Python starts them by `python -c`, which looks for modules in the
current folder first: there, what stands in the linted project would be imported for `json`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.pool import Pool

_SAFE_PATH = "PYTHONSAFEPATH"
_PATIENCE = 2.0
"""Seconds that processes have to end when their work is broken off."""


@contextmanager
def pool(workers: int, start: Callable[..., None], arguments: tuple[Any, ...]) -> Iterator[Pool]:
    """Processes, each of which has begun with `start(*arguments)`."""
    # Takes longer to import than most runs.
    import multiprocessing

    context = multiprocessing.get_context(_method(multiprocessing.get_start_method(True)))
    with _safe_path():
        with _not_interrupted():
            made = context.Pool(workers, _begin, (start, *arguments))
        try:
            yield made
        except BaseException:
            _break_off(made)
            raise
        made.terminate()


def _begin(start: Callable[..., None], *arguments: Any) -> None:
    # Ctrl-C reaches all processes of a terminal. One is enough to tell the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start(*arguments)


@contextmanager
def _not_interrupted() -> Iterator[None]:
    """Ctrl-C comes behind the block; never to the processes and threads that it starts."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _break_off(made: Pool) -> None:
    """End the processes in the midst of their work.

    One that is ended while it hands over a result leaves half of it, and who reads that waits for
    the rest: so nobody waits for the reader.
    """
    ending = threading.Thread(target=made.terminate, daemon=True)
    ending.start()
    ending.join(_PATIENCE)


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
