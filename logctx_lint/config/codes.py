"""Every code with its name, without importing a rule.

Settings and options are checked against this table in runs that need no rule at all, where
importing libcst would cost more than the rest of the run. A test holds it against the rules.
"""

from __future__ import annotations

from collections.abc import Mapping

NOT_ANALYSED = "LCX000"
UNUSED_NOQA = "LCX001"

CODES: Mapping[str, str] = {
    NOT_ANALYSED: "not-analysed",
    UNUSED_NOQA: "unused-noqa",
    "LCX101": "unawaited-awaitable",
    "LCX102": "awaitable-never-used",
    "LCX103": "awaitable-as-value",
    "LCX104": "late-await",
    "LCX105": "raw-await",
    "LCX106": "async-callback",
    "LCX107": "sometimes-awaitable",
    "LCX108": "redundant-yieldable",
    "LCX109": "escaping-return",
    "LCX201": "fire-and-forget",
    "LCX202": "called-not-passed",
    "LCX203": "gathered-in-foreground",
    "LCX204": "dropped-task",
    "LCX205": "outlived-context",
    "LCX206": "background-in-request",
    "LCX207": "timer-without-context",
    "LCX301": "swallowed-cancellation",
    "LCX302": "wrapped-first-error",
    "LCX303": "shared-cancellable",
    "LCX304": "unsafe-cancellable",
    "LCX305": "cancellable-write",
    "LCX306": "unconsumed-errors",
    "LCX401": "finished-context-reused",
    "LCX402": "context-not-restored",
    "LCX403": "callback-in-context",
    "LCX404": "manual-context",
    "LCX501": "hanging-request",
    "LCX502": "dropped-failure",
}

OPT_IN = frozenset({"LCX206", "LCX207", "LCX306"})
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
    ours = CODES.keys() - {NOT_ANALYSED, UNUSED_NOQA}
    return frozenset(code for code in ours if code not in OPT_IN or code.startswith(enabled))
