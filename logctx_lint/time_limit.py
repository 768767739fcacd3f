"""A limit on the CPU time that one file may take, so that no file holds up a run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class TooSlow(Exception):
    """The time is used up; raised wherever the code happens to be."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TooSlow inside the block after `seconds` of CPU time; 0 sets no limit.

    Needs the main thread and a timer of CPU time, which Windows does not have: without them
    nothing is limited.
    """
    available = hasattr(signal, "setitimer")
    if not seconds or not available or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextmanager
def uncharged() -> Iterator[None]:
    """Stop the clock for work that is done once for a whole project.

    The file that happens to need it first would else be given up for it, and so would the next.
    """
    left = 0.0
    if hasattr(signal, "setitimer"):
        left, _ = signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    try:
        yield
    finally:
        if left:
            signal.setitimer(signal.ITIMER_VIRTUAL, left)


def _stop(*_: object) -> None:
    raise TooSlow
