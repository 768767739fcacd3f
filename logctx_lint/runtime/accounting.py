"""CPU time in contextvar storage, where coroutines are resumed without a word to anybody.

``accounted`` wraps a coroutine so that each of its steps points the thread's slot (see ``usage``)
to the log context that it runs in. A task that nobody wrapped cannot be accounted for: what it
uses is charged to nobody, rather than to the request that happened to run before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from . import storage
from .usage import point_slot, slot

__all__ = ["accounted", "follow"]

logger = logging.getLogger(__name__)

R = TypeVar("R")

_warned = False


def follow(context: storage.LoggingContextOrSentinel) -> None:
    """Charge this log context from now on, if the running coroutine is accounted for."""
    if slot.context is context:
        return
    if not slot.steps and _in_task():
        if context:
            _warn()
        point_slot(None)
    else:
        point_slot(context)


def _in_task() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


def _warn() -> None:
    global _warned
    if not _warned:
        _warned = True
        logger.warning(
            "A log context is used in an asyncio task that is not accounted for: its CPU time is"
            " charged to nobody. Install a task factory: loop.set_task_factory(tasks.task_factory)"
        )


class _Accounted(Coroutine[Any, Any, R]):
    def __init__(self, coroutine: Coroutine[Any, Any, R]) -> None:
        self._coroutine = coroutine

    def _step(self, step: Callable[..., Any], *args: Any) -> Any:
        before = slot.context
        slot.steps += 1
        point_slot(storage.load()[0])
        try:
            return step(*args)
        finally:
            slot.steps -= 1
            point_slot(before)

    def send(self, value: Any) -> Any:
        return self._step(self._coroutine.send, value)

    def throw(self, *args: Any) -> Any:
        return self._step(self._coroutine.throw, *args)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, R]:
        return (yield from self._coroutine.__await__())


def accounted(coroutine: Coroutine[Any, Any, R]) -> Coroutine[Any, Any, R]:
    """A coroutine that charges the right log context whenever it resumes.

    In contextvar storage, the event loop resumes coroutines without a word to anybody; every
    background starter and task factory of this runtime passes its coroutines through here. Where
    accounting is off, or storage thread-local, the coroutine is returned as it is.
    """
    if storage.thread_local or not storage.settings.accounting:
        return coroutine
    return _Accounted(coroutine)
