"""What a log context is charged with: CPU seconds, database time, counts.

In thread-local storage every switch goes through ``set_current_context``, which stops one context
and starts the next. In contextvar storage the event loop switches behind its back; there each
thread has a *slot* that says whom its CPU time goes to, and whoever notices that the slot is stale
points it to the current context. This module knows nothing of storages: ``context`` says which
log context is current.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

try:
    import resource

    _RUSAGE_THREAD: int | None = getattr(resource, "RUSAGE_THREAD", None)
except ImportError:  # Windows
    _RUSAGE_THREAD = None

if TYPE_CHECKING:
    from .context import LoggingContext
    from .storage import LoggingContextOrSentinel

_FIELDS = (
    "ru_utime",
    "ru_stime",
    "db_txn_count",
    "db_txn_duration_sec",
    "db_sched_duration_sec",
    "evt_db_fetch_count",
)


class ContextResourceUsage:
    """Resources used: user and system CPU time, database transactions (number, seconds, seconds
    spent waiting for a connection), events fetched from the database. Times are in seconds.

    Can be added and subtracted, in place too.
    """

    # Defaults on the class, so that making one costs next to nothing.
    ru_utime: float = 0.0
    ru_stime: float = 0.0
    db_txn_count: int = 0
    db_txn_duration_sec: float = 0.0
    db_sched_duration_sec: float = 0.0
    evt_db_fetch_count: int = 0

    def __init__(self, copy_from: ContextResourceUsage | None = None) -> None:
        if copy_from is not None:
            self += copy_from

    def copy(self) -> ContextResourceUsage:
        return ContextResourceUsage(copy_from=self)

    def reset(self) -> None:
        self.__dict__.clear()

    def __iadd__(self, other: ContextResourceUsage) -> ContextResourceUsage:
        for field in _FIELDS:
            setattr(self, field, getattr(self, field) + getattr(other, field))
        return self

    def __isub__(self, other: ContextResourceUsage) -> ContextResourceUsage:
        for field in _FIELDS:
            setattr(self, field, getattr(self, field) - getattr(other, field))
        return self

    def __add__(self, other: ContextResourceUsage) -> ContextResourceUsage:
        result = self.copy()
        result += other
        return result

    def __sub__(self, other: ContextResourceUsage) -> ContextResourceUsage:
        result = self.copy()
        result -= other
        return result

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ContextResourceUsage):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in _FIELDS)

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        fields = ", ".join(f"{field}={getattr(self, field)!r}" for field in _FIELDS)
        return f"<ContextResourceUsage {fields}>"


def _no_usage() -> None:
    return None


# The CPU time of the calling thread, or None where the platform does not tell (then contexts are
# simply not charged with CPU time). A partial is faster than a function.
get_thread_resource_usage: Callable[[], Any] = (
    _no_usage if _RUSAGE_THREAD is None else partial(resource.getrusage, _RUSAGE_THREAD)
)


# Seconds. A reading is a system call, and dearer than everything else that a switch does. Within
# this time a thread's last reading is used again: no CPU time gets lost or is counted twice, but a
# stretch as short as this may be charged to its neighbour.
RESOLUTION = 10e-6


class _Clock(threading.local):
    taken = -1.0
    reading: Any = None


_clock = _Clock()


def recent_reading() -> Any:
    """The resource usage of the calling thread, at most ``RESOLUTION`` old."""
    now = perf_counter()
    if now - _clock.taken > RESOLUTION:
        _clock.taken, _clock.reading = now, get_thread_resource_usage()
    return _clock.reading


# `used.db_txn_count += 1` is a read and a write, between which another thread may run: pool threads
# charge the context of the request that started them. Re-entrant, because a garbage collection in
# the middle may close a coroutine that leaves its log context.
charging_lock = threading.RLock()


def charge(context: LoggingContext | None, **amounts: float) -> None:
    """Add to what a context and all its parents have used; a negative amount counts as nothing."""
    with charging_lock:
        while context is not None:
            used = context._used
            if used is None:
                used = context._used = ContextResourceUsage()
            for field, amount in amounts.items():
                if amount > 0:
                    setattr(used, field, getattr(used, field) + amount)
            context = context.parent_context


def charge_cpu(context: LoggingContext, since: Any, until: Any) -> None:
    """Charge the time between two readings to the context and to all its parents."""
    if until is since:
        return
    utime = until[0] - since[0]  # by index, which is faster: ru_utime, ru_stime
    stime = until[1] - since[1]
    # The kernel's split into user and system time is an estimate that may step back.
    if utime < 0.0:
        utime = 0.0
    if stime < 0.0:
        stime = 0.0
    charged: LoggingContext | None = context
    with charging_lock:
        while charged is not None:
            used = charged._used
            if used is None:
                used = charged._used = ContextResourceUsage()
            used.ru_utime += utime
            used.ru_stime += stime
            charged = charged.parent_context


class _Slot(threading.local):
    context: LoggingContextOrSentinel | None = None
    since: Any = None
    steps: int = 0  # how many accounted coroutines are being resumed, one inside of the other


slot = _Slot()


def point_slot(context: LoggingContextOrSentinel | None) -> None:
    """Charge this thread's CPU time so far to the slot's context, and the rest to this one."""
    if slot.context is context:
        return
    now = recent_reading()
    if slot.context and slot.since is not None and now is not None:
        charge_cpu(slot.context, slot.since, now)
    slot.context, slot.since = context, now
