"""A dict of context on each asyncio task, and background work on asyncio.

The task contexts have the names and the behaviour of ``aiotask_context`` (seed of that name):
install one of the three factories with ``loop.set_task_factory`` and each new task gets its
parent's dict, a deep copy of it, or a ``ChainMap`` child. They do not depend on the storage of the
log contexts. The background work of ``futures`` can be had from here, too.
"""

from __future__ import annotations

import asyncio
import copy
from asyncio import Task, current_task
from collections import ChainMap
from collections.abc import Callable, Coroutine, Generator, MutableMapping
from typing import Any, TypeVar, cast

from . import storage
from .accounting import accounted
from .futures import (
    ObservableFuture,
    concurrently_execute,
    gather_optional_coroutines,
    make_future_yieldable,
    run_as_background_process,
    run_coroutine_in_background,
    run_in_background,
    run_in_executor,
    yieldable_gather_results,
)

__all__ = [
    "ObservableFuture",
    "chainmap_context_factory",
    "chainmap_task_factory",
    "clear",
    "concurrently_execute",
    "copying_task_factory",
    "dict_context_factory",
    "gather_optional_coroutines",
    "get",
    "make_future_yieldable",
    "run_as_background_process",
    "run_coroutine_in_background",
    "run_in_background",
    "run_in_executor",
    "set",
    "task_factory",
    "yieldable_gather_results",
]

R = TypeVar("R")

TaskContext = MutableMapping[Any, Any]
ContextFactory = Callable[[TaskContext | None], TaskContext]
_Coro = Coroutine[Any, Any, R] | Generator[Any, None, R]


# --- The running task's dict


def get(key: Any, default: Any = None) -> Any:
    """The value under this key in the running task's context, or the default.

    Raises ``ValueError`` outside of a task.
    """
    return _running_context(key).get(key, default)


def set(key: Any, value: Any) -> None:
    """Set a value in the running task's context. Raises ``ValueError`` outside of a task."""
    _running_context(key)[key] = value


def clear() -> None:
    """Empty the running task's context. Raises ``ValueError`` outside of a task."""
    _running_context(None).clear()


def _running_context(key: Any) -> TaskContext:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    if task is None:
        raise ValueError(f"No running task, so no task context for key {key!r}")
    return _context_of(task)


def _context_of(task: asyncio.Task[Any]) -> TaskContext:
    try:
        return task.context  # type: ignore[attr-defined,no-any-return]
    except AttributeError:  # made before the factory was installed
        task.context = {}  # type: ignore[attr-defined]
        return task.context  # type: ignore[attr-defined,no-any-return]


# --- Task factories


# Copying these deeply gives the same object.
_IMMUTABLE = frozenset({str, bytes, int, float, complex, bool, type(None)})


def dict_context_factory(
    parent_context: TaskContext | None = None, copy_context: bool = False
) -> TaskContext:
    """The parent's own context, or a deep copy; a new dict where there is no parent."""
    if parent_context is None:
        return {}
    if not copy_context:
        return parent_context
    if type(parent_context) is not dict:
        return copy.deepcopy(parent_context)
    for value in parent_context.values():
        if type(value) not in _IMMUTABLE:
            return copy.deepcopy(parent_context)
    return parent_context.copy()  # the same, in a tenth of the time


def chainmap_context_factory(parent_context: TaskContext | None = None) -> TaskContext:
    """A ``ChainMap`` that sees the parent's context, and keeps what is set for itself."""
    if parent_context is None:
        return ChainMap()
    if isinstance(parent_context, ChainMap):
        return parent_context.new_child()
    return ChainMap({}, parent_context)


def task_factory(
    loop: asyncio.AbstractEventLoop,
    coro: _Coro[R],
    copy_context: bool = False,
    context_factory: ContextFactory | None = None,
    **kwargs: Any,
) -> asyncio.Task[R]:
    """Makes tasks that share the context of the task that made them.

    ``copy_context`` and ``context_factory`` choose another relation to the parent's. The context
    can be read as ``task.context``. Takes every keyword of ``asyncio.Task``.
    """
    parent = current_task(loop)
    try:
        context = parent.context  # type: ignore[union-attr]
    except AttributeError:  # no parent, or one made before the factory was installed
        context = None if parent is None else _context_of(parent)
    if context_factory is not None:
        context = context_factory(context)
    elif copy_context or context is None:
        context = dict_context_factory(context, copy_context)
    # A generator is one in old code only, and never where Task is declared to take coroutines.
    work = cast(Coroutine[Any, Any, R], coro)
    if storage.slotted:
        work = accounted(work)
    if kwargs and kwargs.get("eager_start"):  # its first step is run by the initialiser
        task: Task[R] = Task.__new__(Task)
        task.context = context  # type: ignore[attr-defined]
        task.__init__(work, loop=loop, **kwargs)  # type: ignore[misc]
        return task
    task = Task(work, loop=loop, **kwargs)
    task.context = context  # type: ignore[attr-defined]
    return task


def copying_task_factory(
    loop: asyncio.AbstractEventLoop, coro: _Coro[R], **kwargs: Any
) -> asyncio.Task[R]:
    """Makes tasks with a deep copy of the context of the task that made them."""
    return task_factory(loop, coro, True, None, **kwargs)


def chainmap_task_factory(
    loop: asyncio.AbstractEventLoop, coro: _Coro[R], **kwargs: Any
) -> asyncio.Task[R]:
    """Makes tasks with a ``ChainMap`` child of the context of the task that made them: values
    can be redefined in the child, and objects found in the parent are the parent's own."""
    return task_factory(loop, coro, False, chainmap_context_factory, **kwargs)
