"""A time limit for a Deferred."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, TypeVar, cast

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from .context import PreserveLoggingContext

__all__ = ["timeout_deferred"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


class _Seconds(float):
    """Seconds for a clock that takes a number, and for one that takes a duration."""

    def as_secs(self) -> float:
        return float(self)

    def as_millis(self) -> int:
        return int(self * 1000)

    def total_seconds(self) -> float:
        return float(self)


def timeout_deferred(
    deferred: Deferred[T],
    timeout: float | timedelta,
    reactor: Any = None,
    *,
    clock: Any = None,
    cancel_on_shutdown: bool = True,
) -> Deferred[T]:
    """A Deferred with the result of this one, or with ``defer.TimeoutError`` after so many
    seconds.

    On time-out the original is cancelled; unlike with ``Deferred.addTimeout``, the waiter does
    not have to wait until it takes notice. Cancelling the new Deferred cancels the original.
    ``reactor`` or ``clock`` has ``callLater`` (or ``call_later``, of seconds or of a duration, as
    Synapse's clocks do); the default is the global reactor. ``cancel_on_shutdown`` is accepted
    for Synapse's sake. The new Deferred follows the log-context rules no more than the original
    did: wrap it in ``make_deferred_yieldable``.
    """
    if isinstance(timeout, timedelta):
        timeout = timeout.total_seconds()
    clock = clock or reactor
    if clock is None:
        from twisted.internet import reactor as clock
    timed_out = False

    def cancel(_: Deferred[T]) -> None:
        with PreserveLoggingContext():
            deferred.cancel()

    waiter: Deferred[T] = Deferred(canceller=cancel)

    def time_out() -> None:
        nonlocal timed_out
        timed_out = True
        try:
            with PreserveLoggingContext():
                deferred.cancel()
        except Exception:
            logger.exception("Cancelling after a time-out failed")
        if not waiter.called:  # the original has not reacted, or failed to
            with PreserveLoggingContext():
                waiter.errback(defer.TimeoutError(f"Timed out after {timeout:g}s"))

    # The timer belongs to nobody: in the caller's log context it could outlive it.
    with PreserveLoggingContext():
        if hasattr(clock, "callLater"):
            timer = clock.callLater(timeout, time_out)
        else:
            timer = clock.call_later(_Seconds(timeout), time_out)

    def fired(result: T | Failure) -> None:
        if timer.active():
            timer.cancel()
        if waiter.called:
            return  # too late: a failure has been replaced by the time-out
        if timed_out and isinstance(result, Failure) and isinstance(result.value, CancelledError):
            waiter.errback(defer.TimeoutError(f"Timed out after {timeout:g}s"))
            return
        waiter.callback(cast(T, result))

    deferred.addBoth(fired)
    return waiter
