"""What several test modules of the runtime's Twisted half need."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from logctx_lint.runtime.deferreds import (
    make_deferred_yieldable,
)


def sleep(clock: Clock, seconds: float = 1) -> Deferred[None]:
    """Follows the rules."""
    deferred: Deferred[None] = Deferred()
    clock.callLater(seconds, deferred.callback, None)
    return make_deferred_yieldable(deferred)


def result_of(deferred: Deferred[Any]) -> Any:
    results: list[Any] = []
    deferred.addBoth(results.append)
    assert results, "the Deferred has not fired"
    return results[0]


class Ready:
    """An awaitable that is neither a coroutine nor a Deferred."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, None, object]:
        yield from ()
        return self.value


class Waiting:
    """Another one, which waits for a Deferred."""

    def __init__(self, deferred: Deferred[Any]) -> None:
        self.deferred = deferred

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield from self.deferred.__await__())


class Outcomes(list[object]):
    """The outcome of each Deferred added, in the order in which they fire."""

    def watch(self, deferred: Deferred[Any]) -> None:
        def note(result: object) -> None:
            self.append(result.type if isinstance(result, Failure) else result)

        deferred.addBoth(note)
