"""Several waiters for one Deferred."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any, Generic, TypeVar, cast

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["ObservableDeferred"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


class ObservableDeferred(Generic[T]):
    """Lets many observers wait for one Deferred, independently of each other.

    ``observe()`` gives each its own Deferred with the same result. Observers are told in
    the order in which they came; one that raises does not disturb the others; cancelling one
    removes only that one. Cancelling the original Deferred reaches all.

    ``consumeErrors``: a failure is not passed on along the original Deferred, where it would be
    logged as unhandled when there is nobody else. What else a Deferred has, ``callback``,
    ``errback``, ``cancel``, ``addCallback`` and so on, is the original's.

    Seed ``cancellation``, "Uncancelled processing".
    """

    def __init__(self, deferred: Deferred[T], consumeErrors: bool = False) -> None:
        self._consume_errors = consumeErrors
        self._observers: dict[Deferred[T], None] = {}  # in order; removal does not search
        self._result: tuple[T | Failure] | None = None
        self._deferred = deferred
        deferred.addBoth(self._fired)

    def _fired(self, result: T | Failure) -> T | Failure | None:
        self._result = (result,)
        observers, self._observers = self._observers, {}
        for observer in observers:
            try:
                # Does what `errback` does with a failure, and `callback` with anything else.
                observer.callback(cast(T, result))
            except Exception:
                # Somebody else has fired it: not our business, and not the next observer's.
                logger.exception("Could not tell %r the result %r", observer, result)
        return None if self._consume_errors and isinstance(result, Failure) else result

    def observe(self) -> Deferred[T]:
        """A new Deferred with the result of the original. It does not follow the log-context
        rules."""
        if self._result is None:
            observer: Deferred[T] = Deferred(canceller=self._forget)
            self._observers[observer] = None
            return observer
        result = self._result[0]
        return defer.fail(result) if isinstance(result, Failure) else defer.succeed(result)

    def _forget(self, observer: Deferred[T]) -> None:
        self._observers.pop(observer, None)

    def observers(self) -> Collection[Deferred[T]]:
        """Those who still wait."""
        return tuple(self._observers)

    def has_observers(self) -> bool:
        return bool(self._observers)

    def has_called(self) -> bool:
        return self._result is not None

    def has_succeeded(self) -> bool:
        return self._result is not None and not isinstance(self._result[0], Failure)

    def get_result(self) -> T | Failure:
        """The result or the ``Failure``. Raises ``ValueError`` if there is none yet."""
        if self._result is None:
            raise ValueError(f"{self!r} has no result yet")
        return self._result[0]

    def __getattr__(self, name: str) -> Any:
        if name == "_deferred":  # copied or unpickled: not yet there
            raise AttributeError(name)
        return getattr(self._deferred, name)

    def __repr__(self) -> str:
        state = "waiting" if self._result is None else f"result={self._result[0]!r}"
        return f"<ObservableDeferred {state}, {len(self._observers)} observers>"
