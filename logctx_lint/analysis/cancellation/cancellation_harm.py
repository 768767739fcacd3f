"""Whether a swallowed cancellation does harm: a loop that goes on, a caller left waiting."""

from __future__ import annotations

import ast
from collections.abc import Collection, Set

from logctx_lint.analysis.callers import Callers, Started
from logctx_lint.analysis.cancellation.cancellation_state import Code, Way
from logctx_lint.analysis.cancellation.lone_entries import is_never_cancelled
from logctx_lint.analysis.cancellation.swallowing_blocks import is_async_context_manager
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.exception_handlers import Cancellation, Caught
from logctx_lint.analysis.function_framework import live_cancellation
from logctx_lint.analysis.shields import is_shield
from logctx_lint.config.settings import Storage
from logctx_lint.config.vocabulary import Role

_ENDS = frozenset({Role.RELEASER, Role.SERVICE_END})


def lost_by(code: Code, ways: Set[Way]) -> set[Way]:
    """The ways on which a cancellation is lost.

    One of trio comes out of every await until its scope is left: what goes on does not get far.
    """
    if live_cancellation(code) is Cancellation.TRIO:
        return {*ways} - {Way.GOES_ON}
    return {*ways}


def does_harm(
    context: TreeContext,
    code: Code,
    clause: Caught,
    live: Cancellation,
    ways: Set[Way],
    awaits: Collection[ast.AST],
) -> bool:
    """Whether somebody is harmed: a loop that goes on, a caller that waits for the answer."""
    traits = context.file.traits
    if traits.has_log_contexts or traits.storage is Storage.THREAD_LOCAL:
        return True
    if live is Cancellation.TWISTED:
        # Few projects cancel Deferreds at all.
        return {Way.LOOPS, Way.RETURNS} <= ways
    if is_never_cancelled(code):
        return False
    if live_cancellation(code) & Cancellation.TRIO:
        # What a function gives or raises instead, its caller does not get far with.
        return Way.LOOPS in ways
    if not clause.by_name:
        if _only_release(context, awaits):
            return False
        return is_async_context_manager(code) or ways != {Way.ENDS} or _is_awaited(context, code)
    if Way.CONVERTS in ways:
        return Way.ENDS not in ways
    if Way.RETURNS in ways and _is_awaited(context, code):
        return True
    # Shielded work is waited for once more.
    return ways == {Way.LOOPS} and not _are_shielded(context, awaits)


def _are_shielded(context: TreeContext, awaits: Collection[ast.AST]) -> bool:
    return all(isinstance(each, ast.Await) and is_shield(context, each.value) for each in awaits)


def _is_awaited(context: TreeContext, code: Code) -> bool:
    return Callers(context.file).of(code) in (Started.AWAITED, Started.BOTH)


def _only_release(context: TreeContext, awaits: Collection[ast.AST]) -> bool:
    """Whether only clean-up is cut short, as in `try: await connection.close()`.

    Who closes goes on closing, and nobody waits for what it gives.
    """
    return all(
        isinstance(each, ast.Await)
        and isinstance(each.value, ast.Call)
        and isinstance(context.parent(each), ast.Expr)
        and bool(context.roles(each.value) & _ENDS)
        for each in awaits
    )
