"""The registry: every code with its name, family and switch. All other tables derive from it.

It imports no rule: settings and options are checked against it in runs that need none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from logctx_lint.findings import NOT_ANALYSED as NOT_ANALYSED

UNUSED_NOQA = "LCX001"


@dataclass(frozen=True, slots=True)
class Code:
    """One code. Those with a family are rules, each in a module of that family."""

    code: str
    name: str
    family: str = ""
    opt_in: bool = False
    """Off unless the setting `enable` names it."""

    @property
    def module(self) -> str:
        """Where the rule is: `logctx_lint.rules.cancellation.swallowed_cancellation`."""
        return f"logctx_lint.rules.{self.family}.{self.name.replace('-', '_')}"


REGISTRY: tuple[Code, ...] = (
    Code(NOT_ANALYSED, "not-analysed"),
    Code(UNUSED_NOQA, "unused-noqa"),
    Code("LCX101", "unawaited-awaitable", "awaitables"),
    Code("LCX102", "awaitable-never-used", "awaitables"),
    Code("LCX103", "awaitable-as-value", "awaitables"),
    Code("LCX104", "late-await", "awaitables"),
    Code("LCX105", "raw-await", "awaitables"),
    Code("LCX106", "async-callback", "awaitables"),
    Code("LCX107", "sometimes-awaitable", "awaitables"),
    Code("LCX108", "redundant-yieldable", "awaitables"),
    Code("LCX109", "escaping-return", "awaitables"),
    Code("LCX110", "cached-coroutine", "awaitables"),
    Code("LCX111", "nested-loop", "awaitables"),
    Code("LCX112", "async-generator-left", "awaitables"),
    Code("LCX113", "generator-mismatch", "awaitables"),
    Code("LCX201", "fire-and-forget", "background"),
    Code("LCX202", "called-not-passed", "background"),
    Code("LCX203", "gathered-in-foreground", "background"),
    Code("LCX204", "dropped-task", "background"),
    Code("LCX205", "outlived-context", "background"),
    Code("LCX206", "background-in-request", "background", opt_in=True),
    Code("LCX207", "timer-without-context", "background", opt_in=True),
    Code("LCX208", "unseen-task-failure", "background"),
    Code("LCX209", "sync-or-async-guess", "background"),
    Code("LCX301", "swallowed-cancellation", "cancellation"),
    Code("LCX302", "wrapped-first-error", "cancellation"),
    Code("LCX303", "shared-cancellable", "cancellation"),
    Code("LCX304", "unsafe-cancellable", "cancellation"),
    Code("LCX305", "cancellable-write", "cancellation"),
    Code("LCX306", "unconsumed-errors", "cancellation", opt_in=True),
    Code("LCX307", "unprotected-cleanup", "cancellation"),
    Code("LCX308", "cancelled-and-left", "cancellation"),
    Code("LCX309", "unreachable-timeout", "cancellation"),
    Code("LCX310", "cleanup-missed", "cancellation"),
    Code("LCX401", "finished-context-reused", "log_contexts"),
    Code("LCX402", "context-not-restored", "log_contexts"),
    Code("LCX403", "callback-in-context", "log_contexts"),
    Code("LCX404", "manual-context", "log_contexts"),
    Code("LCX405", "context-across-yield", "log_contexts"),
    Code("LCX406", "context-lost-in-thread", "log_contexts"),
    Code("LCX407", "unbalanced-context", "log_contexts"),
    Code("LCX501", "hanging-request", "deferreds"),
    Code("LCX502", "dropped-failure", "deferreds"),
    Code("LCX503", "response-after-disconnect", "deferreds"),
    Code("LCX504", "looping-call", "deferreds"),
    Code("LCX505", "reactor-from-thread", "deferreds"),
    Code("LCX506", "errback-order", "deferreds"),
    Code("LCX507", "deferred-fired-twice", "deferreds"),
    Code("LCX508", "future-never-completed", "deferreds"),
)

CODES: Mapping[str, str] = MappingProxyType({each.code: each.name for each in REGISTRY})
"""Code to name."""

RULE_CODES: tuple[Code, ...] = tuple(each for each in REGISTRY if each.family)

OPT_IN = frozenset(each.code for each in REGISTRY if each.opt_in)
"""The codes of rules that are off unless the setting `enable` names them."""

HOME = "https://logctx-lint.readthedocs.io/en/latest/"
"""Where the documentation is published."""


def url(code: str) -> str:
    """The address of a code's section in the published documentation."""
    return f"{HOME}rules.html#{code.lower()}"


def is_prefix(text: str) -> bool:
    """Does `text` select at least one code, as `LCX`, `LCX3` and `LCX301` do?"""
    return bool(text) and any(code.startswith(text) for code in CODES)


def active_codes(enabled: tuple[str, ...]) -> frozenset[str]:
    """The rules that are on: all but the opt-in ones, and those that `enabled` names."""
    return frozenset(
        each.code for each in RULE_CODES if not each.opt_in or each.code.startswith(enabled)
    )
