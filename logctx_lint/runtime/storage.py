"""Where the current log context is kept: a thread-local or a context variable.

Both storages hold a *cell*, a tuple of one log context. A new cell is stored at every switch, so
that "is the context that I set still the one in place?" has an exact answer (``load() is cell``)
even when somebody else has meanwhile set the same log context again.

``configure`` chooses. Where every nanosecond counts, in ``context``, callers read the flags of this
module and go to ``here`` or ``variable`` themselves.
"""

from __future__ import annotations

import contextvars
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args

from .usage import ContextResourceUsage

if TYPE_CHECKING:
    from .context import LoggingContext

StorageName = Literal["thread-local", "contextvar"]
STORAGES: Final = get_args(StorageName)


class Sentinel:
    """The log context where there is none: falsy, named ``sentinel``, charged with nothing.

    Takes every call that a log context takes, and does nothing: code that charges the current
    context need not ask whether there is one.
    """

    __slots__ = ()

    name: Final = "sentinel"
    request: Final = None
    server_name: Final = ""
    parent_context: Final = None
    previous_context: Final = None
    finished: Final = False
    scope: Final = None
    tag: Final = None
    usage_start: Final = None

    def __bool__(self) -> Literal[False]:
        return False

    def __str__(self) -> str:
        return "sentinel"

    __repr__ = __str__

    def start(self, rusage: Any) -> None: ...

    def stop(self, rusage: Any) -> None: ...

    def get_resource_usage(self) -> ContextResourceUsage:
        """Nothing was used, whatever was charged."""
        return ContextResourceUsage()

    def add_cputime(self, utime_delta: float, stime_delta: float) -> None: ...

    def add_database_transaction(self, duration_sec: float) -> None: ...

    def add_database_scheduled(self, sched_sec: float) -> None: ...

    def record_event_fetch(self, event_count: int) -> None: ...


SENTINEL_CONTEXT: Final = Sentinel()

LoggingContextOrSentinel = Union["LoggingContext", Sentinel]
Cell = tuple[LoggingContextOrSentinel]

SENTINEL_CELL: Final[Cell] = (SENTINEL_CONTEXT,)


class _ThreadLocal(threading.local):
    cell: Cell = SENTINEL_CELL  # a class attribute: what a new thread sees


here = _ThreadLocal()
variable: contextvars.ContextVar[Cell] = contextvars.ContextVar(
    "logctx_lint.cell", default=SENTINEL_CELL
)


def load() -> Cell:
    """The cell in place."""
    return here.cell if thread_local else variable.get()


def store(cell: Cell) -> None:
    if thread_local:
        here.cell = cell
    else:
        variable.set(cell)


@dataclass(frozen=True)
class Settings:
    """What ``configure`` chose."""

    storage: StorageName = "thread-local"
    strict: bool = False
    accounting: bool = True


settings: Settings = Settings()
thread_local: bool = True
# Whether each switch charges CPU time (thread-local), or points the thread's slot (contextvar).
charging: bool = True
slotted: bool = False


def configure(
    restore: Settings | None = None,
    /,
    *,
    storage: StorageName | None = None,
    strict: bool | None = None,
    accounting: bool | None = None,
) -> Settings:
    """Choose the storage once, at start, and return the settings that were in force before.

    ``configure(before)`` restores what an earlier call has returned. What is not given stays as it
    is, except that a new storage brings its own default for
    ``accounting``: on for ``thread-local``, off for ``contextvar``, where it costs a thread-local
    slot besides the context variable (see ``context.accounted``). ``strict`` makes
    ``context.logcontext_error`` raise instead of warn.

    Raises ``ValueError`` for an unknown storage, and ``RuntimeError`` when storage or accounting
    would change while a log context is current: it could never be stopped again.
    """
    global settings, thread_local, charging, slotted
    if restore is not None:
        storage = restore.storage if storage is None else storage
        strict = restore.strict if strict is None else strict
        accounting = restore.accounting if accounting is None else accounting
    before = settings
    chosen = before.storage if storage is None else storage
    if chosen not in STORAGES:
        raise ValueError(f"unknown storage {chosen!r}: choose one of {', '.join(STORAGES)}")
    if accounting is None:
        accounting = before.accounting if chosen == before.storage else chosen == "thread-local"
    if (chosen, accounting) != (before.storage, before.accounting) and load()[0]:
        raise RuntimeError(f"cannot reconfigure while the log context {load()[0]} is current")
    settings = Settings(chosen, before.strict if strict is None else strict, accounting)
    thread_local = chosen == "thread-local"
    charging, slotted = accounting and thread_local, accounting and not thread_local
    return before
