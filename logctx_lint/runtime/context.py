"""Log contexts: which request is this code working for?

Everything here needs the standard library only. Sources: the seed documents
``log_contexts_thread_local`` and ``log_contexts_contextvar``.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from . import accounting, storage, usage
from .accounting import accounted
from .log_filter import LoggingContextFilter
from .storage import SENTINEL_CONTEXT, LoggingContextOrSentinel, Settings, configure
from .usage import (
    ContextResourceUsage,
    charge,
    charge_cpu,
    get_thread_resource_usage,
    recent_reading,
)

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "SENTINEL_CONTEXT",
    "ContextResourceUsage",
    "LogContextError",
    "LoggingContext",
    "LoggingContextFilter",
    "LoggingContextOrSentinel",
    "PreserveLoggingContext",
    "Settings",
    "accounted",
    "collected_reports",
    "configure",
    "current_context",
    "get_thread_resource_usage",
    "in_child_context",
    "logcontext_error",
    "nested_logging_context",
    "set_current_context",
]

logger = logging.getLogger(__name__)

R = TypeVar("R")
_get_ident = threading.get_ident
_here, _variable = storage.here, storage.variable


class LogContextError(Exception):
    """A log context was misused, and ``configure(strict=True)`` asks to be told loudly."""


def logcontext_error(msg: str) -> None:
    """Report the misuse of a log context: a warning, or ``LogContextError`` under ``strict``.

    A module global that is looked up at each call, so that tests may replace it.
    """
    if storage.settings.strict:
        raise LogContextError(msg)
    logger.warning(msg)


@contextmanager
def collected_reports() -> Iterator[list[str]]:
    """Collect what is passed to ``logcontext_error``, for a block, instead of logging it."""
    reports: list[str] = []
    original = logcontext_error
    globals()["logcontext_error"] = reports.append
    try:
        yield reports
    finally:
        globals()["logcontext_error"] = original


def current_context() -> LoggingContextOrSentinel:
    """The log context of the code that is running, ``SENTINEL_CONTEXT`` if there is none."""
    context = (_here.cell if storage.thread_local else _variable.get())[0]
    if storage.slotted:
        accounting.follow(context)  # a coroutine may have resumed since the last look
    return context


def set_current_context(context: LoggingContextOrSentinel) -> LoggingContextOrSentinel:
    """Make this the current log context and return the one that it replaces.

    Setting the one that is already current does nothing. Whoever sets a context restores the
    previous one on every path out; prefer ``with LoggingContext()`` or
    ``with PreserveLoggingContext()``, which do. Raises ``TypeError`` for None.
    """
    if context is None:
        raise TypeError("the log context must not be None: use SENTINEL_CONTEXT")
    current = (_here.cell if storage.thread_local else _variable.get())[0]
    if context is not current:
        _switch(current, context)
    return current


def _switch(old: Any, new: Any) -> storage.Cell:
    """Replace one context by another one, and return the cell that holds it.

    Inlines what ``new.start()`` and ``old.stop()`` do where there is nothing to report, for calls
    would be most of its cost.
    """
    reading = recent_reading() if storage.charging else None
    if new is not SENTINEL_CONTEXT:
        if new.finished or (
            storage.thread_local
            and (new.usage_start is not None or new.main_thread != _get_ident())
        ):
            new.start(reading)  # may refuse, under strict: then nothing has changed
        else:
            new.usage_start = reading
    cell: storage.Cell = (new,)
    if storage.thread_local:
        _here.cell = cell
    else:
        _variable.set(cell)
        if storage.slotted:
            accounting.follow(new)
    if reading is not None and old is not SENTINEL_CONTEXT:
        since = old.usage_start
        if since is None or old.main_thread != _get_ident():
            old.stop(reading)
        else:
            old.usage_start = None
            charge_cpu(old, since, reading)
    return cell


def _restore(
    found: LoggingContextOrSentinel,
    previous: LoggingContextOrSentinel,
    expected: LoggingContextOrSentinel,
    body_failed: bool,
) -> None:
    """At the end of a block: back from the context that was found to the previous one.

    Reports it if another context was found than expected. Under strict, reports are exceptions:
    they must not replace one that the body has raised, and are logged then.
    """
    try:
        if found is not previous:
            try:
                _switch(found, previous)
            except Exception:  # under strict, or from somebody's own logcontext_error
                _switch(found, SENTINEL_CONTEXT)  # rather none than the one we are done with
                raise
        if found is not expected:
            if found:
                logcontext_error(f"Expected log context {expected} but found {found}")
            else:
                logcontext_error(f"Expected log context {expected} was lost")
    except Exception as error:
        if not body_failed:
            raise
        logger.warning("%s", error)


class LoggingContext:
    """A log context: a name, a parent to be charged too, and any attribute you care to set.

    ``with LoggingContext(...)`` enters it, restores the previous one and *finishes* it: entering
    a finished context is an error (seed: "will throw an error"; Synapse warns), reported
    through ``logcontext_error``. A context belongs to the thread that created it.

    ``request`` is what the log lines are filed under: an id, or a dataclass of fields for the log
    record; without one, log lines carry the context's name. It is inherited from the parent, and
    so are the attributes that the parent has when the child is made.
    """

    # The runtime's own attributes are slots, which leaves __dict__ to the user's: the filter
    # copies it to the log record as it is.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_cell",
        "_used",
        "finished",
        "main_thread",
        "name",
        "parent_context",
        "previous_context",
        "request",
        "scope",
        "server_name",
        "tag",
        "usage_start",
    )

    name: str
    server_name: str
    parent_context: LoggingContext | None
    previous_context: LoggingContextOrSentinel | None
    request: Any
    scope: Any  # a place for Synapse's tracing scope and its tag; not on log records
    tag: Any
    finished: bool
    main_thread: int
    usage_start: Any
    _used: ContextResourceUsage | None
    _cell: storage.Cell | None  # while entered

    if TYPE_CHECKING:  # any attribute can be set

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def __init__(
        self,
        name: str = "",
        *,
        server_name: str = "",
        parent_context: LoggingContext | None = None,
        request: Any = None,
    ) -> None:
        self.scope = None
        if parent_context is not None:
            if request is None:
                request = parent_context.request
            if not server_name:
                server_name = parent_context.server_name
            self.scope = parent_context.scope
            if parent_context.__dict__:
                self.__dict__.update(parent_context.__dict__)
        self.tag = ""
        self.name = name
        self.server_name = server_name
        self.parent_context = parent_context
        self.previous_context = None
        self.request = request
        self.finished = False
        self.main_thread = _get_ident()
        self.usage_start = None
        self._used = None

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<LoggingContext {self.name!r}{' finished' if self.finished else ''}>"

    def __enter__(self) -> Self:
        previous = (_here.cell if storage.thread_local else _variable.get())[0]
        if previous is self or self.previous_context is not None:
            return self._enter_again(previous)
        self._cell = _switch(previous, self)
        self.previous_context = previous
        return self

    def _enter_again(self, previous: LoggingContextOrSentinel) -> Self:
        logcontext_error(f"Re-starting already active log context {self}")
        if previous is not self:
            self._cell = _switch(previous, self)
        elif self.previous_context is None:  # set by hand; otherwise back to where it came from
            self.previous_context, self._cell = SENTINEL_CONTEXT, storage.load()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.finished = True
        previous, self.previous_context = self.previous_context, None
        cell = _here.cell if storage.thread_local else _variable.get()
        found = cell[0]
        if previous is None:
            if found is self:
                _switch(self, SENTINEL_CONTEXT)
            message = f"Leaving log context {self} that was not entered"
            try:
                logcontext_error(message)
            except Exception:
                if exc_type is None:
                    raise
                logger.warning(message)
            return
        ours, self._cell = self._cell, None  # or it would refer to itself
        if exc_type is GeneratorExit and cell is not ours:
            return  # collected with its coroutine: see PreserveLoggingContext.__exit__
        if found is not previous or found is not self:
            _restore(found, previous, self, exc_type is not None)

    def start(self, rusage: Any) -> None:
        """Called when the context becomes current, with the thread's resource usage or None.

        Reports a context that is finished, belongs to another thread or is already active.
        """
        if self.finished:
            logcontext_error(f"Re-starting finished log context {self}")
        if storage.thread_local and self.main_thread != _get_ident():
            logcontext_error(f"Started log context {self} on a different thread")
            return  # another thread's CPU time cannot be compared with ours
        if rusage is None:
            return
        if self.usage_start is not None:
            logcontext_error(f"Re-starting already active log context {self}")
        self.usage_start = rusage

    def stop(self, rusage: Any) -> None:
        """Called when the context ceases to be current: charges the CPU time since ``start``."""
        if rusage is None:
            return
        if self.main_thread != _get_ident():
            logcontext_error(f"Stopped log context {self} on a different thread")
            return
        if self.usage_start is None:
            logcontext_error(f"Stopping log context {self} that was not started")
            return
        charge_cpu(self, self.usage_start, rusage)
        self.usage_start = None

    def get_resource_usage(self) -> ContextResourceUsage:
        """A copy of what was used so far, by this context and those below it.

        Includes the CPU time of the stretch that is running now, on its own thread only:
        another thread's clock cannot be read.
        """
        with usage.charging_lock:
            result = ContextResourceUsage(copy_from=self._used)
        if self.usage_start is not None and self.main_thread == _get_ident():
            since = self.usage_start
        elif usage.slot.context is self:
            since = usage.slot.since
        else:
            return result
        now = get_thread_resource_usage()
        if since is not None and now is not None:
            result.ru_utime += max(0.0, now[0] - since[0])
            result.ru_stime += max(0.0, now[1] - since[1])
        return result

    def add_cputime(self, utime_delta: float, stime_delta: float) -> None:
        """Charge CPU seconds that were measured by other means."""
        charge(self, ru_utime=utime_delta, ru_stime=stime_delta)

    def add_database_transaction(self, duration_sec: float) -> None:
        """Charge one database transaction that took so many seconds."""
        charge(self, db_txn_count=1, db_txn_duration_sec=duration_sec)

    def add_database_scheduled(self, sched_sec: float) -> None:
        """Charge the seconds that a transaction waited for a database connection."""
        charge(self, db_sched_duration_sec=sched_sec)

    def record_event_fetch(self, event_count: int) -> None:
        """Charge so many events fetched from the database."""
        charge(self, evt_db_fetch_count=event_count)


class PreserveLoggingContext:
    """Sets a log context, by default none, for a block, and restores the previous one after it.

    Unlike ``with context:`` it does not finish the context, which can be used again. Around the
    start of background work it keeps the caller's context out of it (seed
    ``log_contexts_thread_local``, "Fire-and-forget").
    """

    __slots__ = ("_cell", "_new_context", "_old_context")

    def __init__(self, new_context: LoggingContextOrSentinel = SENTINEL_CONTEXT) -> None:
        if new_context is None:
            raise TypeError("the log context must not be None: use SENTINEL_CONTEXT")
        self._new_context = new_context

    def __enter__(self) -> None:
        cell = _here.cell if storage.thread_local else _variable.get()
        old, new = cell[0], self._new_context
        self._old_context = old
        self._cell = cell if new is old else _switch(old, new)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is GeneratorExit and not self._still_ours():
            # A coroutine that nobody waits for is being collected, in the middle of whatever
            # runs now: restoring "our" previous context would leak it for good (seed, "A note on
            # garbage-collection of awaitable chains").
            return
        found = (_here.cell if storage.thread_local else _variable.get())[0]
        if found is not self._old_context or found is not self._new_context:
            _restore(found, self._old_context, self._new_context, exc_type is not None)

    def _still_ours(self) -> bool:
        # With a thread-local, the sentinel is everybody's: the cell that we stored stays in place
        # while the reactor goes on with other things.
        if storage.thread_local and self._new_context is SENTINEL_CONTEXT:
            return False
        return storage.load() is self._cell


def nested_logging_context(
    suffix: str, parent_context: LoggingContext | None = None
) -> LoggingContext:
    """A new context ``parent-suffix`` that charges the parent and inherits its request.

    The parent is the current context unless given; under the sentinel there is none, and the name
    is ``sentinel-suffix``.
    """
    parent = current_context() if parent_context is None else parent_context
    return LoggingContext(f"{parent}-{suffix}", parent_context=parent or None)


def in_child_context(function: Callable[..., R]) -> Callable[..., R]:
    """Wrap a function for a pool thread: there it runs in a child of the caller's log context.

    The child has the parent's name and request, and charges its CPU time to the parent. Under the
    sentinel the function runs in a context of that name without a parent.
    """
    parent = current_context()
    variables = contextvars.copy_context()

    def in_child(*args: Any, **kwargs: Any) -> R:
        if not storage.thread_local:
            # The caller's context was copied in, but belongs to another thread: the child must
            # neither be entered from it nor restore it.
            storage.store(storage.SENTINEL_CELL)
        with LoggingContext(str(parent), parent_context=parent or None):
            return function(*args, **kwargs)

    return partial(variables.run, in_child)
