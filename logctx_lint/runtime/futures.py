"""asyncio futures and coroutines that follow the log-context rules: the twin of ``deferreds``.

In contextvar storage each task keeps its own log context. In thread-local storage there is one per
thread, and whoever waits has to clear it meanwhile: see ``make_future_yieldable``.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator, Iterable
from concurrent.futures import Executor
from typing import Any, Generic, ParamSpec, TypeVar, overload

from . import storage
from .accounting import accounted
from .context import (
    PreserveLoggingContext,
    current_context,
    in_child_context,
    set_current_context,
)
from .processes import BackgroundProcess, Process, background_processes, split_arguments
from .storage import LoggingContextOrSentinel

__all__ = [
    "BackgroundProcess",
    "ObservableFuture",
    "background_processes",
    "concurrently_execute",
    "gather_optional_coroutines",
    "make_future_yieldable",
    "run_as_background_process",
    "run_coroutine_in_background",
    "run_in_background",
    "run_in_executor",
    "yieldable_gather_results",
]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

# The event loop itself keeps only weak references to tasks.
_running: set[asyncio.Future[Any]] = set()


def _keep(future: asyncio.Future[T]) -> asyncio.Future[T]:
    _running.add(future)
    future.add_done_callback(_running.discard)
    return future


def kept(future: asyncio.Future[Any]) -> bool:
    """Whether this runtime keeps the future until it is done."""
    return future in _running


def in_task() -> bool:
    """Whether an asyncio task is running."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


# --- Crossing the border between code that follows the rules and code that does not


def drive(awaitable: Awaitable[T]) -> asyncio.Future[T]:
    """A future of this awaitable, kept until it is done: a coroutine becomes a task, in the
    caller's log context."""
    if asyncio.isfuture(awaitable):
        return _keep(awaitable)
    context = current_context()
    coroutine = awaitable if isinstance(awaitable, Coroutine) else _await(awaitable)
    # In contextvar storage the task gets a copy of the caller's context variables.
    coroutine = _InContext(context, coroutine) if storage.thread_local else accounted(coroutine)
    task = asyncio.get_running_loop().create_task(coroutine)
    set_current_context(context)  # an eager task has already begun
    return _keep(task)


async def _await(awaitable: Awaitable[R]) -> R:
    return await awaitable


class _InContext(Coroutine[Any, Any, R]):
    """A coroutine that has a log context of its own in thread-local storage: each of its steps
    begins in the one that the step before has ended in, and leaves none behind.

    Not a coroutine function: cancelled before its first step, that would never await the other.
    """

    def __init__(
        self, context: LoggingContextOrSentinel, coroutine: Coroutine[Any, Any, R]
    ) -> None:
        self._context = context
        self._coroutine = coroutine

    def _step(self, step: Callable[..., Any], *args: Any) -> Any:
        before = set_current_context(self._context)
        try:
            return step(*args)
        finally:
            self._context = set_current_context(before)

    def send(self, value: Any) -> Any:
        return self._step(self._coroutine.send, value)

    def throw(self, *args: Any) -> Any:
        return self._step(self._coroutine.throw, *args)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, R]:
        return (yield from self._coroutine.__await__())

    def __getattr__(self, name: str) -> Any:
        if name == "_coroutine":
            raise AttributeError(name)
        return getattr(self._coroutine, name)  # what debuggers and reprs ask for


class _Yieldable(Awaitable[T]):
    """Awaiting it clears the log context, and restores it."""

    def __init__(self, future: asyncio.Future[T]) -> None:
        self._future = future

    def __await__(self) -> Generator[Any, Any, T]:
        with PreserveLoggingContext():
            return (yield from self._future.__await__())


def make_future_yieldable(awaitable: Awaitable[T]) -> Awaitable[T]:
    """Make a raw future follow the log-context rules, so that it can be awaited.

    In thread-local storage, awaiting the result clears the log context while others run, and
    restores it. A coroutine is driven first, as a task in the caller's log context. A future that
    is done is returned as it is, and so is everything in contextvar storage. Await the result, and
    at once: what was made in one log context must not be awaited in another.
    """
    if not storage.thread_local or (asyncio.isfuture(awaitable) and awaitable.done()):
        return awaitable
    return _Yieldable(drive(awaitable))


# --- Background work


@overload
def run_in_background(
    f: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs
) -> asyncio.Future[R]: ...
@overload
def run_in_background(
    f: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> asyncio.Future[R]: ...
def run_in_background(f: Callable[..., Any], *args: Any, **kwargs: Any) -> asyncio.Future[Any]:
    """Call a function, and go on without waiting for what it returns.

    A coroutine becomes a task, which keeps the caller's log context and is itself kept until it
    is done: asyncio alone may collect a task that nobody else refers to. Whatever ``f`` does with
    the log context, the caller's is in place afterwards. Never raises an ``Exception``: that comes
    out as a failed future, which asyncio logs if nobody asks. Must be called with a running loop.
    """
    loop = asyncio.get_running_loop()
    context = current_context()
    try:
        result = f(*args, **kwargs)
    except Exception as error:
        failed: asyncio.Future[Any] = loop.create_future()
        failed.set_exception(error)
        return failed
    finally:
        set_current_context(context)
    if inspect.isawaitable(result):
        return drive(result)
    done: asyncio.Future[Any] = loop.create_future()
    done.set_result(result)
    return done


def run_coroutine_in_background(coroutine: Coroutine[Any, Any, R]) -> asyncio.Future[R]:
    """``run_in_background`` for a coroutine that exists already."""
    return run_in_background(lambda: coroutine)


@overload
def run_as_background_process(
    desc: str, func: Callable[..., Awaitable[R]], *args: Any, **kwargs: Any
) -> asyncio.Future[R | None]: ...
@overload
def run_as_background_process(
    desc: str, func: Callable[..., R], *args: Any, **kwargs: Any
) -> asyncio.Future[R | None]: ...
@overload
def run_as_background_process(
    desc: str, server_name: str, func: Callable[..., Awaitable[R]], *args: Any, **kwargs: Any
) -> asyncio.Future[R | None]: ...
def run_as_background_process(
    desc: str,
    *args: Any,
    server_name: str = "",
    func: Callable[..., Any] | None = None,
    **kwargs: Any,
) -> asyncio.Future[Any]:
    """Run a function as a background process: a task in a log context of its own, ``desc-N``.

    It is neither charged to the caller's log context nor cancelled with the caller. The task is
    kept until it is done. An exception is logged, and becomes None; ``background_processes``
    counts. Cancelling the task cancels the process, which is counted and is no failure.
    """
    server_name, func, args = split_arguments(args, server_name, func)
    process = Process(desc, server_name)

    async def work() -> Any:
        with process.running():
            try:
                result = func(*args, **kwargs)
                return await result if inspect.isawaitable(result) else result
            except asyncio.CancelledError:
                process.was_cancelled()
                raise
        return None

    with PreserveLoggingContext():
        return drive(work())


def run_in_executor(
    executor: Executor | None, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> asyncio.Future[R]:
    """``loop.run_in_executor`` for the running loop, in a child of the caller's log context.

    A thread of a pool has no log context of its own; the child has the caller's name and
    request, and charges its CPU time to the caller. Context variables are copied in.
    """
    child = in_child_context(func)
    loop = asyncio.get_running_loop()
    return loop.run_in_executor(executor, lambda: child(*args, **kwargs))


# --- Protection against cancellation: see ``cancellation``


def _pass_on(original: asyncio.Future[T], waiter: asyncio.Future[T]) -> None:
    """Give a waiter what came of the original, unless it no longer waits."""
    failure = None if original.cancelled() else original.exception()  # now it is "retrieved"
    if waiter.done():
        return
    if original.cancelled():
        asyncio.Future.cancel(waiter)
    elif failure is not None:
        waiter.set_exception(failure)
    else:
        waiter.set_result(original.result())


def stop(awaitable: Awaitable[T]) -> asyncio.Future[T]:
    original = drive(awaitable)
    waiter: asyncio.Future[T] = original.get_loop().create_future()
    original.add_done_callback(lambda original: _pass_on(original, waiter))
    return waiter


class _Delayed(asyncio.Future[T]):
    """A future that, cancelled, waits for the original to end."""

    _asked = False
    _message: Any = None

    def cancel(self, msg: Any = None) -> bool:
        if self.done():
            return False
        if not self._asked:
            self._asked, self._message = True, msg
        return True

    def original_ended(self, original: asyncio.Future[T]) -> None:
        if self._asked and not self.done():
            super().cancel(self._message)
        _pass_on(original, self)

    def __await__(self) -> Generator[Any, Any, T]:
        if not storage.thread_local or self.done():
            return (yield from super().__await__())
        with PreserveLoggingContext():  # the loop goes on with other things meanwhile
            return (yield from super().__await__())  # noqa: LCX405

    __iter__ = __await__


def delay(awaitable: Awaitable[T]) -> asyncio.Future[T]:
    original = drive(awaitable)
    waiter: _Delayed[T] = _Delayed(loop=original.get_loop())
    original.add_done_callback(waiter.original_ended)
    return waiter


# --- Several waiters for one future


class ObservableFuture(Generic[T]):
    """Lets many observers wait for one future, independently of each other.

    ``observe()`` gives each its own future with the same result; cancelling one removes only that
    one, cancelling the original reaches all. With ``consumeErrors``, a failure that nobody observes
    is not logged. What else a future has, ``cancel``, ``done``, ``set_result``, is the original's.
    """

    def __init__(self, future: asyncio.Future[T], consumeErrors: bool = False) -> None:
        self._future = future
        self._consume_errors = consumeErrors
        self._observers: dict[asyncio.Future[T], None] = {}  # in order
        future.add_done_callback(self._fired)

    def _fired(self, future: asyncio.Future[T]) -> None:
        observers, self._observers = self._observers, {}
        for observer in observers:
            _pass_on(future, observer)
        if self._consume_errors and not future.cancelled():
            future.exception()

    def observe(self) -> asyncio.Future[T]:
        """A new future with the result of the original. It does not follow the log-context
        rules."""
        observer: asyncio.Future[T] = self._future.get_loop().create_future()
        if self._future.done():
            _pass_on(self._future, observer)
        else:
            self._observers[observer] = None
            observer.add_done_callback(lambda gone: self._observers.pop(gone, None))
        return observer

    def observers(self) -> Collection[asyncio.Future[T]]:
        """Those who still wait."""
        return tuple(self._observers)

    def has_observers(self) -> bool:
        return bool(self._observers)

    def has_called(self) -> bool:
        return self._future.done()

    def has_succeeded(self) -> bool:
        future = self._future
        return future.done() and not future.cancelled() and future.exception() is None

    def get_result(self) -> T | BaseException:
        """The result or the exception. Raises ``ValueError`` if there is none yet."""
        if not self._future.done():
            raise ValueError(f"{self!r} has no result yet")
        try:
            return self._future.result()
        except BaseException as error:  # the cancellation, too, is what is asked for
            return error

    def __getattr__(self, name: str) -> Any:
        if name == "_future":  # copied or unpickled: not yet there
            raise AttributeError(name)
        return getattr(self._future, name)

    def __repr__(self) -> str:
        return f"<ObservableFuture of {self._future!r}, {len(self._observers)} observers>"


# --- Gathering


async def _gather(futures: Iterable[asyncio.Future[R]]) -> list[R]:
    return await make_future_yieldable(asyncio.gather(*futures))


async def yieldable_gather_results(
    func: Callable[..., Awaitable[R]], iter: Iterable[Any], *args: Any, **kwargs: Any
) -> list[R]:
    """Call ``func(item, *args, **kwargs)`` for each item, at once, and wait for the results.

    They come in the order of the items. The first exception is raised; the others go on and their
    failures are dropped. Cancelling reaches all.
    """
    return await _gather([run_in_background(func, item, *args, **kwargs) for item in iter])


async def gather_optional_coroutines(
    *coroutines: Coroutine[Any, Any, Any] | None,
) -> tuple[Any, ...]:
    """Run several coroutines at once and return their results as a tuple, with None in place of
    each None. Exceptions and cancellation as in ``yieldable_gather_results``."""
    given = [coroutine for coroutine in coroutines if coroutine is not None]
    following = iter(await _gather([run_coroutine_in_background(each) for each in given]))
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
        for each in itertools.chain([value], remaining):
            result = func(each)
            if inspect.isawaitable(result):
                await result

    working = yieldable_gather_results(work, list(itertools.islice(remaining, limit)))
    await (delay(working) if delay_cancellation else working)
