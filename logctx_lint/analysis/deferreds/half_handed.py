"""Functions that call the event loop thread-safely in one place and directly in another.

def on_done(future):
    try:
        result = future.result()
    except Exception as error:
        answer.set_exception(error)                         # In that thread, too.
    else:
        loop.call_soon_threadsafe(answer.set_result, result)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.context import TreeContext, arguments, as_try, in_source_order
from logctx_lint.analysis.surroundings import within
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import COMPLETERS
from logctx_lint.syntax.ast_walk import body_nodes, is_inside, last_name

_FILLING = COMPLETERS | {"put_nowait", "set"}
_OF_ANY_THREAD = frozenset({"contextvars.Context.run", "_contextvars.Context.run"})
HANDING_OVER = frozenset({"call_soon_threadsafe", "callFromThread"})


def called_here_too(
    context: TreeContext, function: ast.FunctionDef
) -> Iterator[tuple[ast.Call, ast.Call]]:
    """Calls that a function makes itself, and the one that hands such a call to the loop."""
    calls = in_source_order(body_nodes(function, ast.Call))
    for over in calls:
        assert isinstance(over, ast.Call)
        if last_name(over.func) not in HANDING_OVER:
            continue
        for handed in _handed(over):
            if not _OF_ANY_THREAD.isdisjoint(context.names(handed)):
                continue
            for call in calls:
                assert isinstance(call, ast.Call)
                if _is_of_the_same(call, handed) and not _are_alternatives(context, call, over):
                    yield call, over
                    break


def completed_beside(
    context: TreeContext, function: ast.FunctionDef
) -> Iterator[tuple[ast.Call, ast.Call]]:
    """What a function completes or fills right beside a call that hands the loop something else.

    queue.put_nowait(event)
    loop.call_soon_threadsafe(wake_up)
    """
    for over in in_source_order(body_nodes(function, ast.Call)):
        statement = context.parent(over)
        if last_name(over.func) not in HANDING_OVER or not isinstance(statement, ast.Expr):
            continue
        for each in (*context.before(statement), *context.behind(statement)):
            call = each.value if isinstance(each, ast.Expr) else None
            if (
                isinstance(call, ast.Call)
                and last_name(call.func) in _FILLING
                and Role.LOOP_BOUND in context.roles(call)
            ):
                yield call, over


def _handed(over: ast.Call) -> Iterator[ast.Attribute]:
    """The bound methods that the loop is to call, also in a lambda."""
    for given in arguments(over)[:1]:
        match given:
            case ast.Attribute():
                yield given
            case ast.Lambda(_, ast.Call(ast.Attribute() as func)):
                yield func


def _is_of_the_same(call: ast.Call, handed: ast.Attribute) -> bool:
    match call.func:
        case ast.Attribute(receiver, name) if ast.unparse(receiver) == ast.unparse(handed.value):
            return name == handed.attr or {name, handed.attr} <= COMPLETERS
    return False


def _are_alternatives(context: TreeContext, call: ast.Call, over: ast.Call) -> bool:
    """Whether a condition, or a failure, chooses between handing over and calling here."""
    for outer, inner in within(context, call):
        match outer:
            case ast.Lambda():
                return False
            case ast.If(_, body, orelse):
                others = orelse if inner in body else body
                if is_inside(over, others) or (inner in body and _leaves(body)):
                    return True
            case ast.IfExp(_, body, orelse) if is_inside(over, [body, orelse]):
                return True
        attempt = as_try(outer)
        if attempt and is_inside(over, attempt.body) and inner not in attempt.body:
            return True
    return False


def _leaves(body: list[ast.stmt]) -> bool:
    """`if is_here: future.set_result(x); return`"""
    return isinstance(body[-1], ast.Return | ast.Raise | ast.Continue)
