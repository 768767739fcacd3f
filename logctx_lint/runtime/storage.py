"""Where the current log context is kept: a thread-local or a context variable.

Both storages hold a *cell*, a tuple of one log context. A new cell is stored at every switch, so
that "is the context that I set still the one in place?" has an exact answer (``load() is cell``)
even when somebody else has meanwhile set the same log context again.

Nothing here is chosen at import time: ``configure`` rebinds ``load`` and ``store``, and callers
look them up on this module at each call.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, Union

if TYPE_CHECKING:
    from .context import LoggingContext

StorageName = Literal["thread-local", "contextvar"]


class Sentinel:
    """The log context where there is none: falsy, named ``sentinel``, charged with nothing."""

    __slots__ = ()

    name: Final = "sentinel"
    request: Final = None
    server_name: Final = ""
    parent_context: Final = None
    finished: Final = False

    def __bool__(self) -> Literal[False]:
        return False

    def __str__(self) -> str:
        return "sentinel"

    __repr__ = __str__


SENTINEL_CONTEXT: Final = Sentinel()

LoggingContextOrSentinel = Union["LoggingContext", Sentinel]
Cell = tuple[LoggingContextOrSentinel]

SENTINEL_CELL: Final[Cell] = (SENTINEL_CONTEXT,)


class _ThreadLocal(threading.local):
    cell: Cell = SENTINEL_CELL  # a class attribute: what a new thread sees


_thread_local = _ThreadLocal()
_variable: contextvars.ContextVar[Cell] = contextvars.ContextVar(
    "logctx_lint.cell", default=SENTINEL_CELL
)

# Partials of built-ins, not functions: every log line and every switch comes through here.
_LOAD: Final[dict[StorageName, Callable[[], Cell]]] = {
    "thread-local": partial(getattr, _thread_local, "cell"),
    "contextvar": _variable.get,
}
_STORE: Final[dict[StorageName, Callable[[Cell], object]]] = {
    "thread-local": partial(setattr, _thread_local, "cell"),
    "contextvar": _variable.set,
}


@dataclass(frozen=True)
class Settings:
    """What ``configure`` chose."""

    storage: StorageName = "thread-local"
    strict: bool = False
    accounting: bool = True


settings: Settings = Settings()
load: Callable[[], Cell] = _LOAD["thread-local"]
store: Callable[[Cell], object] = _STORE["thread-local"]
thread_local: bool = True
# Whether each switch charges CPU time (thread-local), or points the thread's slot (contextvar).
charging: bool = True
slotted: bool = False


def configure(
    *,
    storage: StorageName | None = None,
    strict: bool | None = None,
    accounting: bool | None = None,
) -> Settings:
    """Choose the storage once, at start, and return the settings that were in force before.

    What is not given stays as it is, except that a new storage brings its own default for
    ``accounting``: on for ``thread-local``, off for ``contextvar``, where it costs a thread-local
    slot besides the context variable (see ``context.accounted``). ``strict`` makes
    ``context.logcontext_error`` raise instead of warn.

    Raises ``ValueError`` for an unknown storage, and ``RuntimeError`` when storage or accounting
    would change while a log context is current: it could never be stopped again.
    """
    global settings, load, store, thread_local, charging, slotted
    before = settings
    chosen = before.storage if storage is None else storage
    if chosen not in _LOAD:
        raise ValueError(f"unknown storage {chosen!r}: choose one of {', '.join(_LOAD)}")
    if accounting is None:
        accounting = before.accounting if chosen == before.storage else chosen == "thread-local"
    if (chosen, accounting) != (before.storage, before.accounting) and load()[0]:
        raise RuntimeError(f"cannot reconfigure while the log context {load()[0]} is current")
    settings = Settings(chosen, before.strict if strict is None else strict, accounting)
    load, store = _LOAD[chosen], _STORE[chosen]
    thread_local = chosen == "thread-local"
    charging, slotted = accounting and thread_local, accounting and not thread_local
    return before
