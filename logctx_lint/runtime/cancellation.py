"""Marking what may be cancelled, and protecting what may not.

For Deferreds, asyncio futures and tasks, and coroutines: which half is meant is told from the type,
and Twisted is not imported for it. Source: seed ``cancellation``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from . import futures

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

__all__ = ["cancellable", "delay_cancellation", "is_function_cancellable", "stop_cancellation"]

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

# How to protect what needs no second look, a plain Deferred: filled when one is first seen.
_stoppers: dict[type, Callable[[Any], Any]] = {}
_delayers: dict[type, Callable[[Any], Any]] = {}


def cancellable(function: F) -> F:
    """Mark a request handler as safe to cancel when its client goes away.

    Only a mark: whoever runs the handler reads it with ``is_function_cancellable``.
    Seed ``cancellation``, "Enabling cancellation for an endpoint".
    """
    function.cancellable = True  # type: ignore[attr-defined]
    return function


def is_function_cancellable(function: Callable[..., Any]) -> bool:
    """Whether ``@cancellable`` marks this function, or the method, or what it wraps."""
    return bool(getattr(function, "cancellable", False))


@overload
def stop_cancellation(deferred: Deferred[T]) -> Deferred[T]: ...
@overload
def stop_cancellation(deferred: asyncio.Future[T]) -> asyncio.Future[T]: ...
@overload
def stop_cancellation(deferred: Awaitable[T]) -> Awaitable[T]: ...
def stop_cancellation(deferred: Any) -> Any:
    """Something with the result of the original, whose cancellation does not reach it.

    The waiter gets CancelledError at once; the original runs on, and should it fail later,
    nobody is told. A log context that it uses must outlive it: see ``delay_cancellation``.
    A Deferred gives a Deferred, an asyncio future or task a future; another awaitable is
    driven, by asyncio in an asyncio task and by Twisted elsewhere. The Deferred follows the
    log-context rules no more than the original.

    Seed ``cancellation``, "Creation of Deferreds".
    """
    stop = _stoppers.get(type(deferred))
    if stop is not None:
        return stop(deferred)
    if not _is_twisted(deferred):
        return futures.stop(deferred)
    from twisted.internet.defer import Deferred

    from . import deferreds

    _stoppers[Deferred] = deferreds.stop_deferred
    return deferreds.stop(deferred)


@overload
def delay_cancellation(awaitable: Deferred[T]) -> Deferred[T]: ...
@overload
def delay_cancellation(awaitable: asyncio.Future[T]) -> asyncio.Future[T]: ...
@overload
def delay_cancellation(awaitable: Awaitable[T]) -> Awaitable[T]: ...
def delay_cancellation(awaitable: Any) -> Any:
    """Something with the result of the original, whose cancellation waits for it.

    A cancelled waiter gets CancelledError once the original is done, whatever came of it; the
    original does not notice. Cancelling again changes nothing. So nothing that the original
    uses, its log context above all, ends before it. A Deferred gives a Deferred, which follows
    the log-context rules as far as the original does; other awaitables are driven from now on, as
    with ``stop_cancellation``, and what comes back follows the rules.

    Seed ``cancellation``, "Uncancelled processing".
    """
    delay = _delayers.get(type(awaitable))
    if delay is not None:
        return delay(awaitable)
    if not _is_twisted(awaitable):
        return futures.delay(awaitable)
    from twisted.internet.defer import Deferred

    from . import deferreds

    _delayers[Deferred] = deferreds.delay_deferred
    return deferreds.delay(awaitable)


def _is_twisted(awaitable: object) -> bool:
    defer = sys.modules.get("twisted.internet.defer")
    if defer is None or asyncio.isfuture(awaitable):
        return False
    # Twisted's reactor may itself run on an asyncio loop, but never in one of its tasks.
    return isinstance(awaitable, defer.Deferred) or not futures.in_task()
