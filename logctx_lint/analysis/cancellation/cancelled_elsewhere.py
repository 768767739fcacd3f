"""Tasks that are cancelled in one function and awaited in another.

async def stop():                    async def _ended(task):
    with suppress(CancelledError):       with suppress(CancelledError):
        await task                           await task

task.cancel()                        task.cancel()
await stop()                         await _ended(task)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.call_sites import call_sites
from logctx_lint.analysis.context import FunctionOrLambda, TreeContext, body_of
from logctx_lint.analysis.kept_places import cancelled_in
from logctx_lint.inference.passed_arguments import passed
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, assignments, body_nodes, own_attribute, own_nodes


def is_cancelled_elsewhere(context: TreeContext, task: ast.expr) -> bool:
    """Whether a local task is cancelled by a function around or inside, or by all callers."""
    function = context.function_of(task)
    if not isinstance(task, ast.Name) or not isinstance(function, FunctionNode):
        return False
    scope = context.unit.scopes[function]
    if any(each.kind == "parameter" for each in scope.bindings.get(task.id, ())):
        return _is_cancelled_by_callers(context, function, task.id)
    others = [*_functions_inside(function), *_functions_around(context, function, task.id)]
    return any(task.id in _cancelled_in(each) for each in others)


def taken_from_self(function: FunctionNode) -> dict[str, str]:
    """By local names: the attribute of `self` that each of them was taken from."""
    return {
        target.id: ast.unparse(value)
        for target, value in assignments(body_nodes(function))
        if isinstance(target, ast.Name) and own_attribute(value)
    }


def _functions_inside(function: FunctionNode) -> Iterator[FunctionOrLambda]:
    for each in all_nodes(function):
        if isinstance(each, FunctionOrLambda) and each is not function:
            yield each


def _functions_around(
    context: TreeContext, function: FunctionNode, name: str
) -> Iterator[FunctionOrLambda]:
    """The function that a variable belongs to, and all others in there."""
    if name in context.unit.scopes[function].bindings:
        return
    for outer in context.around(function):
        if isinstance(outer, FunctionNode) and name in context.unit.scopes[outer].bindings:
            yield outer
            yield from _functions_inside(outer)
            return


def _cancelled_in(function: FunctionOrLambda) -> set[str]:
    """What a function cancels itself, or has others cancel, as text."""
    return {ast.unparse(each) for each in cancelled_in(own_nodes(body_of(function)))}


def _is_cancelled_by_callers(context: TreeContext, function: FunctionNode, name: str) -> bool:
    """Whether every call passes, for a parameter, what has just been cancelled."""
    called = context.unit.scopes[function].function
    if called is None:
        return False
    sites = call_sites(context.resolver, called)
    return bool(sites) and all(
        _passes_cancelled(call, scope, dict(passed(context.resolver, call, called)).get(name))
        for call, scope in sites
    )


def _passes_cancelled(call: ast.Call, scope: Scope, argument: ast.expr | None) -> bool:
    node = scope.node
    if not isinstance(node, FunctionNode) or argument is None:
        return False
    text = ast.unparse(argument)
    given = {text, taken_from_self(node).get(text, text)}
    return any(
        isinstance(each.func, ast.Attribute)
        and each.func.attr == "cancel"
        and each.lineno <= call.lineno
        and ast.unparse(each.func.value) in given
        for each in body_nodes(node, ast.Call)
    )
