"""Which function plays which part: qualified names to roles.

No rule knows a function by its bare name. A rule asks for a role, the resolver supplies
the qualified names under which a callee is known, and this table joins the two. A project
adds its own names under `[tool.logctx-lint.vocabulary]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from fnmatch import translate


class Role(str, Enum):
    """A part that a function, class or decorator plays; the values are settings keys."""

    BACKGROUND_STARTER = "background-starter"
    """Starts an awaitable that nobody awaits, and resets the log context when it ends."""
    YIELDABLE_WRAPPER = "yieldable-wrapper"
    """Makes a foreign awaitable follow the log-context rules."""
    SENTINEL_GUARD = "sentinel-guard"
    """A context manager that, without arguments, clears the log context meanwhile."""
    CONTEXT_MANAGER = "context-manager"
    """A context manager that is, or opens, a log context."""
    GATHERER = "gatherer"
    """Waits for several awaitables, passes cancel() on to each, wraps the first failure."""
    DEFERRED_LIST = "deferred-list"
    """Waits for several awaitables; wraps a failure only with `fireOnOneErrback`."""
    FORWARDING_GATHERER = "forwarding-gatherer"
    """Waits for several awaitables, passes cancel() on to each, raises failures as they are."""
    FIRST_ERROR_UNWRAPPER = "first-error-unwrapper"
    FIRST_ERROR = "first-error"
    """The exception that a gatherer wraps the first failure in."""
    CANCELLATION_SHIELD = "cancellation-shield"
    """Keeps a waiter's cancellation from reaching what it waits for."""
    CANCELLED_ERROR = "cancelled-error"
    CANCELLABLE_MARKER = "cancellable-marker"
    SAFE_DECORATOR = "safe-decorator"
    """Makes a call of the decorated function safe to leave un-awaited."""
    TASK_STARTER = "task-starter"
    """Turns a coroutine into a task that runs by itself."""
    HAND_STARTER = "hand-starter"
    """Starts an awaitable without caring for the log context: ensureDeferred and kin."""
    DROPPABLE = "droppable"
    """Returns an awaitable that is by custom dropped."""
    CALLBACK_TAKER = "callback-taker"
    """Calls its argument later and throws the result away."""
    FAILURE_TRAP = "failure-trap"
    """Re-raises every failure but those it is given."""


# Twisted and asyncio first, then Synapse and the reference runtime, whose names are alike.
_LOGGING_CONTEXT_MODULES = ("synapse.logging.context", "logctx_lint.runtime.*", "logctx_lint.runtime")


def _in_each(name: str) -> tuple[str, ...]:
    return tuple(f"{module}.{name}" for module in _LOGGING_CONTEXT_MODULES)


_RUNTIME = ("logctx_lint.runtime", "logctx_lint.runtime.*")
BUILT_IN: Mapping[Role, tuple[str, ...]] = {}


class Vocabulary:
    """Answers which roles a callee has, given the qualified names it is known by."""

    def __init__(self, additions: Mapping[Role, tuple[str, ...]]) -> None:
        self._exact: dict[str, set[Role]] = {}
        globs: list[tuple[re.Pattern[str], Role]] = []
        for table in (BUILT_IN, additions):
            for role, patterns in table.items():
                for pattern in patterns:
                    if any(character in pattern for character in "*?["):
                        globs.append((re.compile(translate(pattern)), role))
                    else:
                        self._exact.setdefault(pattern, set()).add(role)
        self._globs = tuple(globs)

    def roles(self, names: Iterable[str]) -> frozenset[Role]:
        found: set[Role] = set()
        for name in names:
            found |= self._exact.get(name, set())
            found.update(role for pattern, role in self._globs if pattern.match(name))
        return frozenset(found)
