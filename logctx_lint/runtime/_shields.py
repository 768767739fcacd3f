"""The Deferred half of ``cancellation``."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from . import storage
from .context import current_context, set_current_context
from .deferreds import drive, is_complete
from .storage import SENTINEL_CONTEXT

T = TypeVar("T")


@dataclass(frozen=True)
class _Consumed:
    """A failure that has been delivered, and is no longer one for whoever comes next: the
    original must not be logged as unhandled, but a second waiter still has to hear of it."""

    failure: Failure


def stop(awaitable: Awaitable[T]) -> Deferred[T]:
    waiter: Deferred[T] = Deferred()  # without a canceller: it fails at once when cancelled

    def done(result: Any) -> Any:
        outcome = result.failure if isinstance(result, _Consumed) else result
        # A waiter that was cancelled swallows this, as Twisted arranges for every Deferred
        # without a canceller.
        waiter.callback(outcome)
        return _Consumed(outcome) if isinstance(outcome, Failure) else outcome

    drive(awaitable).addBoth(done)  # noqa: LCX201 - `waiter` is what is left of it
    return waiter


class _Delayed(Deferred[T]):
    """A Deferred that, cancelled, waits for somebody else to fire it."""

    was_cancelled = False

    def cancel(self) -> None:
        if self.called:
            super().cancel()  # it may be waiting for a Deferred that a callback returned
        else:
            self.was_cancelled = True


def delay(awaitable: Awaitable[T]) -> Deferred[T]:
    waiter: _Delayed[T] = _Delayed()
    context = current_context()
    original = drive(awaitable)
    # We started it: whatever it does with the log context, our waiter gets its own back.
    # A Deferred we were given has seen to that, or will be made yieldable by the caller; so has
    # whoever started something that has cleared the context already.
    started = original is not awaitable and not is_complete(original)
    ours = storage.thread_local and started and bool(context)
    if ours:
        set_current_context(SENTINEL_CONTEXT)

    def done(result: T | Failure) -> None:
        if ours:
            set_current_context(context)
        if waiter.was_cancelled:
            waiter.errback(CancelledError())
        else:
            waiter.callback(cast(T, result))  # which is also how a failure is handed on

    original.addBoth(done)
    return waiter
