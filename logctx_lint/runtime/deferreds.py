"""Deferreds and coroutines that follow the log-context rules.

The rules, in thread-local storage (seed ``log_contexts_thread_local``): a function that returns a
complete awaitable returns with the log context that it started with; one that returns an
incomplete awaitable clears the context first, and restores it before the awaitable's callbacks run.
In contextvar storage each coroutine keeps its own context and most of this becomes simple.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, ParamSpec, TypeVar, cast, overload

try:
    from twisted.internet import defer, threads
    from twisted.internet.defer import (
        CancelledError,
        DebugInfo,
        Deferred,
        FirstError,
        ensureDeferred,
    )
    from twisted.python.failure import Failure
except ImportError as error:
    raise ImportError("this needs Twisted: pip install 'logctx-lint[twisted]'") from error

from . import storage
from .accounting import accounted
from .context import (
    PreserveLoggingContext,
    current_context,
    in_child_context,
    set_current_context,
)
from .observables import ObservableDeferred
from .processes import BackgroundProcess, Process, background_processes, split_arguments
from .storage import SENTINEL_CONTEXT, LoggingContextOrSentinel
from .timeouts import timeout_deferred

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
@overload
def run_as_background_process(
    desc: str,
    server_name: str,
    func: Callable[..., Awaitable[R]],
    *args: Any,
    bg_start_span: bool = True,
    **kwargs: Any,
) -> Deferred[R | None]: ...
def run_as_background_process(
    desc: str,
    *args: Any,
    server_name: str = "",
    func: Callable[..., Any] | None = None,
    bg_start_span: bool = True,
    test_only_tracer: Any = None,
    **kwargs: Any,
) -> Deferred[Any]:
    """Run a function as a background process: in a log context of its own, ``desc-N``.

    It starts under the sentinel, so that it is neither charged to the caller's log context nor
    restores it. An exception is logged and becomes None; so does a cancellation, which is
    not a failure and is not logged as one. Takes ``(desc, func, ...)`` and, as newer versions of
    Synapse do, ``(desc, server_name, func, ...)``; ``bg_start_span`` and ``test_only_tracer`` are
    accepted for its sake. The Deferred does not follow the log-context rules.

    Seeds ``log_contexts_contextvar`` ("Fire-and-forget"), ``cancellation`` ("Uncancelled
    processing").
    """
    server_name, func, args = split_arguments(args, server_name, func)
    process = Process(desc, server_name)

    async def work() -> Any:
        with process.running():
            try:
                return await maybe_awaitable(func(*args, **kwargs))
            except CancelledError:  # noqa: LCX301 - nobody waits for a background process
                process.was_cancelled()
        return None

    with PreserveLoggingContext():
        return drive(work())


# --- Protection against cancellation: see ``cancellation``


class _Delivered(DebugInfo):
    """In the place of a Deferred's own: this failure has been delivered to a waiter, and is not
    to be logged as unhandled. The Deferred still has it, for whoever comes next."""

    def __init__(self, failure: Failure) -> None:
        self._failure = failure
        self._unhandled: Failure | None = None

    @property
    def failResult(self) -> Failure | None:
        return self._unhandled

    @failResult.setter
    def failResult(self, failure: Failure | None) -> None:
        self._unhandled = None if failure is self._failure else failure


def _consumed(original: Deferred[Any], failure: Failure) -> Failure:
    if original._debugInfo is not None:
        original._debugInfo.failResult = None  # or it would be logged when it is replaced
    original._debugInfo = _Delivered(failure)
    return failure


class _Stopped(Deferred[T]):
    """Gets the result of the original, and has no canceller: cancelled, it fails at once, and
    swallows what comes later, as Twisted arranges for every such Deferred."""

    original: Deferred[T]

    # Methods, and one for each outcome: closures and a look at the type would cost as much again
    # as all of this.
    def succeeded(self, result: T) -> T:
        self.callback(result)
        return result

    def failed(self, failure: Failure) -> Failure:
        self.errback(failure)
        return _consumed(self.original, failure)


def stop(awaitable: Awaitable[T]) -> Deferred[T]:
    return stop_deferred(drive(awaitable))


def stop_deferred(original: Deferred[T]) -> Deferred[T]:
    waiter: _Stopped[T] = _Stopped()
    waiter.original = original
    original.addCallbacks(waiter.succeeded, waiter.failed)
    return waiter


class _Delayed(Deferred[T]):
    """Gets the result of the original and, cancelled, waits for it."""

    original: Deferred[T]
    context: LoggingContextOrSentinel | None = None
    was_cancelled = False

    def cancel(self) -> None:
        if self.called:
            super().cancel()  # it may be waiting for a Deferred that a callback returned
        else:
            self.was_cancelled = True

    def succeeded(self, result: T) -> T:
        if self.context is not None:
            set_current_context(self.context)
        if self.was_cancelled:
            self.errback(CancelledError())
        else:
            self.callback(result)
        return result

    def failed(self, failure: Failure) -> Failure:
        if self.context is not None:
            set_current_context(self.context)
        self.errback(CancelledError() if self.was_cancelled else failure)
        return _consumed(self.original, failure)


def delay(awaitable: Awaitable[T]) -> Deferred[T]:
    if isinstance(awaitable, Deferred):
        return delay_deferred(awaitable)
    # We start it: whatever it does with the log context, our waiter gets its own back.
    context = current_context()
    original = drive(awaitable)
    if not (storage.thread_local and context) or is_complete(original):
        return delay_deferred(original)
    set_current_context(SENTINEL_CONTEXT)  # the waiter restores it
    return delay_deferred(original, context)


def delay_deferred(
    original: Deferred[T], context: LoggingContextOrSentinel | None = None
) -> Deferred[T]:
    """A Deferred that we are given follows the log-context rules, or will be made yieldable by
    the caller; with a context, it is restored before anything else runs."""
    waiter: _Delayed[T] = _Delayed()
    waiter.original = original
    if context is not None:
        waiter.context = context
    original.addCallbacks(waiter.succeeded, waiter.failed)
    return waiter


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
    working = yieldable_gather_results(work, first)
    await (delay(working) if delay_cancellation else working)  # noqa: LCX105 - both are yieldable


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
