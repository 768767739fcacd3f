"""Which suspension points may raise a cancelled error, and which never suspend.

Nor do awaits of a coroutine function that lets no cancellation out: each of its own stands in a
handler that takes the cancelled error, and does not raise it.

    async def evaluate(self):
        try:
            return Result(await self.run())
        except BaseException as error:
            return Result(error=error)
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.cancellation.cancellation_state import Code, FlowOf, of_function
from logctx_lint.inference.suspensions import awaited_calls, called, is_suspension, may_run
from logctx_lint.inference.types import Certainty, FunctionType, members_of
from logctx_lint.project.modules import Function

_MAYBE = "twisted.internet.defer.maybeDeferred"


def may_give_cancellation(code: Code, place: ast.AST, flow_of: FlowOf | None) -> bool:
    """Whether a cancelled error may come out of a suspension point.

    Without `flow_of` no other functions are looked into.
    """
    if not is_suspension(code.file.summaries, place, code.scope) or _is_fired(code, place):
        return False
    if flow_of is None or not isinstance(place, ast.Await):
        return True
    calls = awaited_calls(place.value, code.scope)
    return not calls or not all(_keeps_it(code, each, flow_of) for each in calls)


def _is_fired(code: Code, place: ast.AST) -> bool:
    """`maybeDeferred(f)` of a plain function that gives no awaitable has fired already."""
    match place:
        case ast.Await(ast.Call(_, [function, *_]) as call) | ast.Yield(
            ast.Call(_, [function, *_]) as call
        ) if _MAYBE in code.names(call):
            resolver = code.file.resolver
            members = members_of(resolver.type_of(function, code.scope))
            return bool(members) and all(
                isinstance(each, FunctionType)
                and not each.function.module.is_stub
                and resolver.awaitability(resolver.call_type(each)).certainty is Certainty.NO
                and not any(resolver.references.overriding(each.function))
                for each in members
            )
    return False


def _keeps_it(code: Code, call: ast.Call, flow_of: FlowOf) -> bool:
    """Whether no cancellation gets out of whatever a call may run."""
    summaries = code.file.summaries
    functions = [
        may_run(summaries, each.implementation) for each in called(summaries, call.func, code.scope)
    ]
    return bool(functions) and all(
        bool(each) and all(_lets_none_out(code, one.implementation, flow_of) for one in each)
        for each in functions
    )


def _lets_none_out(code: Code, function: Function, flow_of: FlowOf) -> bool:
    if not function.facts.is_async or function.facts.is_generator or function.module.is_stub:
        return False
    if code.file.resolver.functions.decorated(function) != FunctionType(function):
        return False
    inner = of_function(code.file, function)
    return inner is not None and not flow_of(inner).lets_out
