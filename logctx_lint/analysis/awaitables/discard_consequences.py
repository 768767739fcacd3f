"""Message texts about a discarded awaitable: the consequence, and what to do instead."""

from __future__ import annotations

import ast

from logctx_lint.analysis.awaitables.discarded_awaitables import DropKind, Dropped
from logctx_lint.analysis.context import TreeContext, presumed_by
from logctx_lint.config.settings import Storage
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.inference.types import Kind
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import body_nodes


def fate(context: TreeContext, found: Dropped) -> str:
    """What a dropped awaitable is, and what becomes of it."""
    if found.how is DropKind.CHAIN and not found.kind.is_lazy:
        return f"{found.kind.with_article} that goes on unawaited behind its callbacks" + losses(
            context, sees_failure=found.sees_failure
        )
    return fate_of(context, found.kind, sees_failure=found.sees_failure)


def fate_of(context: TreeContext, kind: Kind, *, sees_failure: bool = False) -> str:
    """As `fate`, of what a call gives that nothing is done with."""
    if kind.is_lazy:
        return "a coroutine that never runs"
    if kind is Kind.AWAITABLE:
        return "an awaitable that nobody awaits: it may never run"
    return f"{kind.with_article} that runs unawaited{losses(context, sees_failure=sees_failure)}"


def losses(context: TreeContext, *, sees_failure: bool = False) -> str:
    """What dropping eager work costs; only some code bases have log contexts that can leak."""
    lost = [] if sees_failure else ["nobody handles its failure"]
    if context.file.traits.storage is Storage.THREAD_LOCAL:
        lost.append("its log context leaks")
    return f", so {' and '.join(lost)}" if lost else ""


def callback_cure(context: TreeContext, kind: Kind) -> str:
    """What to hand over instead of a function whose awaitable is dropped by who calls it."""
    if not kind.is_lazy:
        return "pass a function that handles its failure"
    if context.file.traits.uses_twisted:
        return "pass a function that gives it to `ensureDeferred` and adds an errback"
    return "pass a function that starts a task for it and keeps that"


def cure(context: TreeContext, kind: Kind, *, in_lambda: bool = False) -> str:
    """What to do about an awaitable that is dropped in code that cannot await it."""
    where = "a function" if in_lambda else "this"
    if kind is Kind.DEFERRED:
        return "return it, or give it an errback"
    if context.file.traits.uses_twisted and kind.is_lazy:
        return (
            f"make {where} an `async def` that awaits it, or give it to `ensureDeferred` "
            "and add an errback"
        )
    if kind.is_lazy:
        return (
            f"make {where} an `async def` that awaits it, or start a task for it and keep that task"
        )
    return "keep it and look at its outcome, or await it in an `async def`"


def profile(context: TreeContext, found: Dropped, *, can_await: bool) -> Profile:
    """Which profile reports it.

    Work that never runs is a mistake, unless whoever calls a function of two kinds knows that
    it gives none; so is an asynchronous function that runs on behind one
    which could wait for it. Other eager work is often left alone on purpose: its failure is
    logged when it is collected.
    """
    if _is_guess_in_test(context, found.call):
        return Profile.STRICT
    if context.file.traits.has_log_contexts:
        return Profile.RECOMMENDED
    if found.kind.is_lazy:
        return Profile.STRICT if _may_be_plain(context, found) else Profile.RECOMMENDED
    is_plain = found.how is DropKind.PLAIN and found.kind is not Kind.AWAITABLE
    function = context.function_of(found.call)
    # A test that does not wait ends before what it tests; one that goes on looks at what the
    # call has done so far.
    ends_test = (
        isinstance(function, FunctionNode)
        and function.name.startswith("test")
        and not _goes_on(function, found.call)
    )
    if is_plain and (can_await or ends_test) and _is_asynchronous(context, found.call):
        return Profile.RECOMMENDED
    return Profile.STRICT


def _may_be_plain(context: TreeContext, found: Dropped) -> bool:
    """Whether a plain function gives an awaitable for some, and does its work for others."""
    if found.is_sure or _is_asynchronous(context, found.call):
        return False
    return context.file.summaries.may_give_else(context.type_of(found.call.func))


def _goes_on(function: FunctionNode, call: ast.Call) -> bool:
    """Whether a function calls anything behind a call, or asserts anything."""
    end = call.end_lineno or 0, call.end_col_offset or 0
    return any(
        isinstance(node, ast.Call | ast.Assert) and (node.lineno, node.col_offset) > end
        for node in body_nodes(function)
    )


def _is_guess_in_test(context: TreeContext, call: ast.Call) -> bool:
    """Whether the callee is only known by the name of the method, where doubles stand in."""
    if not context.file.module.is_test:
        return False
    return not context.functions(call.func) and bool(presumed_by(context.type_of(call)))


def _is_asynchronous(context: TreeContext, call: ast.Call) -> bool:
    """Whether what is called is written as an asynchronous function."""
    functions = context.callees(call)
    return bool(functions) and all(
        each.facts.is_async or Role.INLINE_CALLBACKS in context.decorator_roles(each)
        for each in functions
    )
