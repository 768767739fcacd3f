"""Deferreds and coroutines that follow the log-context rules.

The rules, in thread-local storage (seed ``log_contexts_thread_local``): a function that returns a
complete awaitable returns with the log context that it started with; one that returns an
incomplete awaitable clears the context first, and restores it before the awaitable's callbacks run.
In contextvar storage each coroutine keeps its own context and most of this becomes simple.
"""

from __future__ import annotations

import inspect
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

try:
    from twisted.internet import defer, threads
    from twisted.internet.defer import CancelledError, Deferred, FirstError, ensureDeferred
    from twisted.python.failure import Failure
except ImportError as error:
    raise ImportError("this needs Twisted: pip install 'logctx-lint[twisted]'") from error

from . import storage
from .context import (
    LoggingContext,
    PreserveLoggingContext,
    accounted,
    current_context,
    in_child_context,
    set_current_context,
)
from .storage import SENTINEL_CONTEXT, LoggingContextOrSentinel

__all__ = [
    "BackgroundProcess",
    "ObservableDeferred",
    "background_processes",
    "concurrently_execute",
    "defer_to_thread",
    "defer_to_threadpool",
    "gather_optional_coroutines",
    "make_deferred_yieldable",
    "maybe_awaitable",
    "preserve_fn",
    "run_as_background_process",
    "run_coroutine_in_background",
    "run_in_background",
    "timeout_deferred",
    "unwrapFirstError",
    "yieldable_gather_results",
]

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


# --- Crossing the border between code that follows the rules and code that does not


@overload
def drive(value: Awaitable[R]) -> Deferred[R]: ...
@overload
def drive(value: R) -> Deferred[R]: ...
def drive(value: Any) -> Deferred[Any]:
    """Start whatever this is: a Deferred is itself, a coroutine or another awaitable is run as
    far as it goes, a plain value becomes a Deferred that has fired with it."""
    if isinstance(value, Deferred):
        return value
    if inspect.iscoroutine(value) or isinstance(value, Coroutine):
        return ensureDeferred(accounted(value))
    if hasattr(value, "__await__"):
        return ensureDeferred(accounted(_await(value)))
    return defer.succeed(value)


async def _await(awaitable: Awaitable[R]) -> R:
    return await awaitable


def is_complete(deferred: Deferred[Any]) -> bool:
    """Whether callbacks added now would run now. A Deferred that was called may still be waiting
    for another one that one of its callbacks returned: it is paused then."""
    return deferred.called and not deferred.paused


def _set_context(result: T, context: LoggingContextOrSentinel) -> T:
    set_current_context(context)
    return result


@overload
def make_deferred_yieldable(deferred: Deferred[T]) -> Deferred[T]: ...
@overload
def make_deferred_yieldable(deferred: Awaitable[T]) -> Deferred[T]: ...
@overload
def make_deferred_yieldable(deferred: T) -> Deferred[T]: ...
def make_deferred_yieldable(deferred: Any) -> Deferred[Any]:
    """Make a raw Deferred follow the log-context rules, so that it can be awaited.

    If it is incomplete, the log context is cleared now and restored before the callbacks that
    are added afterwards, on success and on failure. If it is complete, nothing happens; nor in
    contextvar storage. Returns the same Deferred; a coroutine or another awaitable is driven
    first, a plain value becomes a Deferred that has fired.

    Seed ``log_contexts_thread_local``, "Where you create a new awaitable".
    """
    context = storage.load()[0]  # now: driving a coroutine may clear it
    result: Deferred[Any] = deferred if isinstance(deferred, Deferred) else drive(deferred)
    if storage.thread_local and (not result.called or result.paused):
        set_current_context(SENTINEL_CONTEXT)  # noqa: LCX402 - its callback restores it
        result.addBoth(_set_context, context)
    return result


@overload
def run_in_background(
    f: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs
) -> Deferred[R]: ...
@overload
def run_in_background(f: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Deferred[R]: ...
def run_in_background(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
    """Call a function, and go on without waiting for what it returns.

    The caller's log context is kept; when the work completes later, the context is reset to the
    sentinel rather than leaked to whatever runs next. Never raises an ``Exception``: that comes
    out as a failed Deferred. The Deferred does not follow the log-context rules: to await it,
    wrap it in ``make_deferred_yieldable``.

    Seeds ``log_contexts_thread_local`` and ``log_contexts_contextvar``, "Fire-and-forget".
    """
    context = current_context()
    deferred: Deferred[Any]
    try:
        deferred = drive(f(*args, **kwargs))
    except Exception:
        deferred = defer.fail()
    except BaseException:
        set_current_context(context)
        raise
    set_current_context(context)
    if storage.thread_local and not is_complete(deferred):
        deferred.addBoth(_set_context, SENTINEL_CONTEXT)
    return deferred


def run_coroutine_in_background(coroutine: Coroutine[Any, Any, R]) -> Deferred[R]:
    """``run_in_background`` for a coroutine that exists already."""
    return run_in_background(lambda: coroutine)


@overload
def preserve_fn(f: Callable[P, Awaitable[R]]) -> Callable[P, Deferred[R]]: ...
@overload
def preserve_fn(f: Callable[P, R]) -> Callable[P, Deferred[R]]: ...
def preserve_fn(f: Callable[..., Any]) -> Callable[..., Deferred[Any]]:
    """The function that calls ``f`` with ``run_in_background``."""

    def g(*args: Any, **kwargs: Any) -> Deferred[Any]:
        return run_in_background(f, *args, **kwargs)

    return g


# --- Threads


def defer_to_thread(
    reactor: Any, f: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> Deferred[R]:
    """Run a blocking function in the reactor's thread pool. See ``defer_to_threadpool``."""
    return defer_to_threadpool(reactor, reactor.getThreadPool(), f, *args, **kwargs)


def defer_to_threadpool(
    reactor: Any, threadpool: Any, f: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> Deferred[R]:
    """Run a blocking function in a thread pool.

    A thread of a pool has no log context of its own, in either storage; the function runs in a
    child of the caller's, which charges the caller's. The Deferred follows the log-context rules.
    """
    deferred: Deferred[R] = threads.deferToThreadPool(
        reactor, threadpool, in_child_context(f), *args, **kwargs
    )
    return make_deferred_yieldable(deferred)


# --- Background processes


@dataclass(frozen=True)
class BackgroundProcess:
    """The counts of the background processes of one description; ``seconds`` is wall-clock time
    of those that have ended."""

    started: int = 0
    in_flight: int = 0
    failed: int = 0
    cancelled: int = 0
    seconds: float = 0.0


class _Counts:
    def __init__(self) -> None:
        self.started = self.failed = self.cancelled = self.ended = 0
        self.seconds = 0.0


_counts: dict[str, _Counts] = {}


def background_processes() -> dict[str, BackgroundProcess]:
    """A snapshot of what ``run_as_background_process`` has counted, by description."""
    return {
        desc: BackgroundProcess(c.started, c.started - c.ended, c.failed, c.cancelled, c.seconds)
        for desc, c in _counts.items()
    }


@overload
def run_as_background_process(
    desc: str,
    func: Callable[..., Awaitable[R]],
    *args: Any,
    bg_start_span: bool = True,
    **kwargs: Any,
) -> Deferred[R | None]: ...
@overload
def run_as_background_process(
    desc: str, func: Callable[..., R], *args: Any, bg_start_span: bool = True, **kwargs: Any
) -> Deferred[R | None]: ...
def run_as_background_process(
    desc: str,
    func: Callable[..., Any],
    *args: Any,
    bg_start_span: bool = True,
    **kwargs: Any,
) -> Deferred[Any]:
    """Run a function as a background process: in a log context of its own, ``desc-N``.

    It starts under the sentinel, so that it is neither charged to the caller's log context nor
    restores it. An exception is logged and becomes None; so does a cancellation, which is
    not a failure and is not logged as one. ``bg_start_span`` is accepted for Synapse's sake.
    The Deferred does not follow the log-context rules.

    Seeds ``log_contexts_contextvar`` ("Fire-and-forget"), ``cancellation`` ("Uncancelled
    processing").
    """
    counts = _counts.setdefault(desc, _Counts())
    counts.started += 1
    number = counts.started

    async def process() -> Any:
        began = time.monotonic()
        try:
            with LoggingContext(f"{desc}-{number}"):
                try:
                    return await maybe_awaitable(func(*args, **kwargs))
                except CancelledError:  # noqa: LCX301 - nobody waits for a background process
                    counts.cancelled += 1
                    logger.debug("Background process %s was cancelled", desc)
                except Exception:
                    counts.failed += 1
                    logger.exception("Background process %s failed", desc)
                return None
        finally:
            counts.ended += 1
            counts.seconds += time.monotonic() - began

    with PreserveLoggingContext():
        return drive(process())


# --- Several waiters for one Deferred


class ObservableDeferred(Generic[T]):
    """Lets many observers wait for one Deferred, independently of each other.

    ``observe()`` gives each its own Deferred with the same result. Observers are told in
    the order in which they came; one that raises does not disturb the others; cancelling one
    removes only that one. Cancelling the original Deferred reaches all.

    ``consumeErrors``: a failure is not passed on along the original Deferred, where it would be
    logged as unhandled when there is nobody else.

    Seed ``cancellation``, "Uncancelled processing".
    """

    def __init__(self, deferred: Deferred[T], consumeErrors: bool = False) -> None:
        self._consume_errors = consumeErrors
        self._observers: dict[Deferred[T], None] = {}  # in order; removal does not search
        self._result: tuple[T | Failure] | None = None
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

    def has_called(self) -> bool:
        return self._result is not None

    def has_succeeded(self) -> bool:
        return self._result is not None and not isinstance(self._result[0], Failure)

    def get_result(self) -> T | Failure:
        """The result or the ``Failure``. Raises ``ValueError`` if there is none yet."""
        if self._result is None:
            raise ValueError(f"{self!r} has no result yet")
        return self._result[0]

    def __repr__(self) -> str:
        state = "waiting" if self._result is None else f"result={self._result[0]!r}"
        return f"<ObservableDeferred {state}, {len(self._observers)} observers>"


# --- Gathering


def unwrapFirstError(failure: Failure) -> Failure:
    """The failure inside a ``FirstError``: add it as an errback to ``gatherResults``.

    Otherwise a cancellation comes out wrapped, and is taken for an ordinary failure (seed
    ``cancellation``, "defer.gatherResults"). Another failure is raised again.
    """
    failure.trap(FirstError)  # type: ignore[no-untyped-call]
    return cast(FirstError, failure.value).subFailure


async def _gather(deferreds: Iterable[Deferred[R]]) -> list[R]:
    gathered: Deferred[list[R]] = defer.gatherResults(deferreds, consumeErrors=True)
    try:
        return await make_deferred_yieldable(gathered)
    except FirstError as error:
        failure = error.subFailure
        assert failure.value is not None
        raise failure.value from None


async def yieldable_gather_results(
    func: Callable[..., Awaitable[R]], iter: Iterable[Any], *args: Any, **kwargs: Any
) -> list[R]:
    """Call ``func(item, *args, **kwargs)`` for each item, at once, and wait for the results.

    They come in the order of the items. The first exception is raised as it is, not as a
    ``FirstError``; the others go on and their failures are dropped. Cancelling reaches all.
    """
    return await _gather(run_in_background(func, item, *args, **kwargs) for item in iter)


async def gather_optional_coroutines(
    *coroutines: Coroutine[Any, Any, Any] | None,
) -> tuple[Any, ...]:
    """Run several coroutines at once and return their results as a tuple, with None in place of
    each None. Exceptions and cancellation as in ``yieldable_gather_results``."""
    results = await _gather(
        run_coroutine_in_background(coroutine) for coroutine in coroutines if coroutine is not None
    )
    following = iter(results)
    return tuple(None if coroutine is None else next(following) for coroutine in coroutines)


async def concurrently_execute(
    func: Callable[[T], Any], args: Iterable[T], limit: int, delay_cancellation: bool = False
) -> None:
    """Call ``func`` with each argument, ``limit`` of them at once; what it returns is awaited.

    After an exception, which is raised here, the other workers still finish theirs.
    ``delay_cancellation``: when cancelled, wait for the calls that were begun. Raises
    ``ValueError`` for a limit below one.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    remaining = iter(args)

    async def work(value: T) -> None:
        await maybe_awaitable(func(value))
        for value in remaining:
            await maybe_awaitable(func(value))

    first = list(itertools.islice(remaining, limit))
    if delay_cancellation:
        from . import cancellation

        await cancellation.delay_cancellation(yieldable_gather_results(work, first))
    else:
        await yieldable_gather_results(work, first)


# --- Odds and ends


@overload
async def maybe_awaitable(value: Awaitable[R]) -> R: ...
@overload
async def maybe_awaitable(value: R) -> R: ...
async def maybe_awaitable(value: Any) -> Any:
    """The value, awaited if it can be."""
    if inspect.isawaitable(value):
        return await value
    return value


def timeout_deferred(
    deferred: Deferred[T],
    timeout: float,
    reactor: Any = None,
    *,
    clock: Any = None,
    cancel_on_shutdown: bool = True,
) -> Deferred[T]:
    """A Deferred with the result of this one, or with ``defer.TimeoutError`` after so many
    seconds.

    On time-out the original is cancelled; unlike with ``Deferred.addTimeout``, the waiter does
    not have to wait until it takes notice. Cancelling the new Deferred cancels the original.
    ``reactor`` or ``clock`` has ``callLater`` (or Synapse's ``call_later``); the default is the
    global reactor. ``cancel_on_shutdown`` is accepted for Synapse's sake. The new Deferred
    follows the log-context rules no more than the original did: wrap it in
    ``make_deferred_yieldable``.
    """
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
        delayed = getattr(clock, "callLater", None) or clock.call_later
        timer = delayed(timeout, time_out)

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
