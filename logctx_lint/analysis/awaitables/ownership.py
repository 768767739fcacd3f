"""Calls whose awaitable may be dropped: the callee keeps it, or it cannot fail."""

from __future__ import annotations

import ast

from logctx_lint.analysis.callback_arguments import taken
from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.analysis.units import File
from logctx_lint.inference.passed_arguments import argument_for, is_passed
from logctx_lint.inference.returned_values import Returned, Source
from logctx_lint.inference.types import (
    Awaitability,
    Certainty,
    ClassObject,
    FunctionType,
    Instance,
    Kind,
    Type,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Function

_STARTED = frozenset({Kind.TASK, Kind.FUTURE})
_LOOKED_AFTER = frozenset({Source.ELEMENT, Source.NOTHING, Source.STORED, Source.STARTED})
_IF_NOT_AWAITABLE = frozenset({Source.COMPLETED, Source.WAITER, Source.ATTRIBUTE})
"""What a function that could await should await: a waiter made for it, what it is merely given
a look at, and what is done already and may have failed."""


def is_kept_elsewhere(context: TreeContext, function: Function) -> bool:
    """Whether others can get at all that a function returns."""
    returned = context.file.summaries.of(function).returned
    kept = _LOOKED_AFTER | _IF_NOT_AWAITABLE
    return bool(returned) and all(each.source in kept for each in returned)


def gives_new_task(file: File, call: ast.Call, scope: Scope) -> bool:
    """Whether a plain function starts a task that handles its failure, and only returns it.

    Where log contexts are kept it is a dropped awaitable as any other, whether it fails or not.
    """
    if file.traits.has_log_contexts or not file.prefilter.may_give_awaitable(call, scope):
        return False
    callees = members_of(file.resolver.run_by_call(file.resolver.type_of(call.func, scope)))
    functions = [each.function for each in callees if isinstance(each, FunctionType)]
    if len(functions) != len(callees) or any(
        each.facts.is_async or each.facts.decorators for each in functions
    ):
        return False
    given = file.resolver.awaitability(file.resolver.type_of(call, scope))
    return given.certainty is not Certainty.NO and all(
        (returned := file.summaries.of(each).returned)
        and all(value.source is Source.TASK and not value.can_fail for value in returned)
        for each in functions
    )


def sees_to_failures(context: TreeContext, func: ast.expr, scope: Scope) -> bool:
    """Whether no failure of its work gets out of what a function starts."""
    found = context.file.summaries.of_callee(func, scope)
    return bool(found) and all(each.handles_failures for each in found or ())


def hands_out_object(context: TreeContext, call: ast.Call) -> bool:
    """Whether a call may give an object of the project's own that was there before.

    `pipe.set(key, 1)` gives the pipe, `registry.get(name)` a model: they can be awaited, and are
    not called for that.
    """
    own = [
        each
        for each in members_of(context.type_of(call))
        if isinstance(each, Instance)
        and not each.cls.module.is_stub
        and context.resolver.awaitability(each) == Awaitability(Certainty.YES, Kind.AWAITABLE)
    ]
    if not own:
        return False
    for callee in members_of(context.resolver.run_by_call(context.type_of(call.func))):
        if isinstance(callee, ClassObject):
            return False
        if isinstance(callee, FunctionType):
            returned = context.file.summaries.of(callee.function).returned
            if any(each.source is Source.MADE for each in returned):
                return False
    return True


def starts_careful_work(context: TreeContext, call: ast.Call) -> bool:
    """Whether a call only starts what it is given, and no failure gets out of that.

    `loop.run_in_executor(None, f)`, `start(f())`: what they give fails where `f` does.
    """
    if context.awaitability(call).kind not in _STARTED:
        return False
    scope = context.scopes[call]
    functions = [each.node for each in taken(context.file, call, scope)]
    works = [each for each in arguments(call) if context.awaitability(each).kind.is_lazy]
    functions += [each.func for each in works if isinstance(each, ast.Call)]
    return (
        bool(functions)
        and all(isinstance(each, ast.Call) for each in works)
        and all(sees_to_failures(context, each, scope) for each in functions)
    )


def may_be_dropped(
    context: TreeContext,
    callees: Type,
    *,
    can_await: bool,
    is_lazy: bool = False,
    call: ast.Call | None = None,
    scope: Scope | None = None,
) -> bool:
    """Whether nothing is lost with what each of some functions returns.

    Without the `call` nothing is known of what they are given.
    """
    members = members_of(context.resolver.run_by_call(callees))
    functions = [each for each in members if isinstance(each, FunctionType)]
    if not functions:
        return False
    return all(
        _keeps(context, each, call, scope, can_await=can_await, is_lazy=is_lazy)
        for each in functions
    )


def _keeps(
    context: TreeContext,
    callee: FunctionType,
    call: ast.Call | None,
    scope: Scope | None,
    *,
    can_await: bool,
    is_lazy: bool,
) -> bool:
    has_contexts = context.file.traits.has_log_contexts
    wrappers = context.resolver.decorators.wrappers(callee.function)
    if wrappers:
        # What a decorator starts fails where the function does.
        is_started = callee.function.facts.is_async and not is_lazy and not has_contexts
        if is_started and context.file.summaries.of(callee.function).handles_failures:
            return True
        # What runs is what the decorator has put around it.
        summaries = [context.file.summaries.of(each) for each in wrappers]
        returned = tuple(value for summary in summaries for value in summary.returned)
    else:
        returned = context.file.summaries.of(callee.function).returned
    has_callbacks = call is not None and isinstance(context.parent(call), ast.Attribute)

    def is_safe(value: Returned) -> bool:
        if call and scope and is_passed(context.resolver, call, callee, value.unless, scope=scope):
            return True
        if value.source in _LOOKED_AFTER:
            return True
        is_handled = not value.can_fail and not is_lazy and not has_contexts
        if value.source is Source.ARGUMENT and not is_handled:
            if call is None or scope is None:
                return False
            argument = argument_for(context.resolver, call, callee, value.parameter)
            return argument is not None and not _is_new(context, argument, scope)
        # Where log contexts are kept, work that nobody waits for leaks one, if it fails or not.
        if is_handled:
            return True
        if value.source is Source.WAITER and has_contexts and not has_callbacks:
            return not value.can_fail
        return value.source in _IF_NOT_AWAITABLE and not can_await

    return bool(returned) and all(map(is_safe, returned))


def _is_new(context: TreeContext, argument: ast.expr, scope: Scope) -> bool:
    """Whether an argument is an awaitable that nobody else has."""
    if not isinstance(argument, ast.Call):
        return False
    resolver = context.resolver
    return resolver.awaitability(resolver.type_of(argument, scope)).is_likely
