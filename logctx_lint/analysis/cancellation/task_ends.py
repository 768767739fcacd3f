"""What a coroutine does when it is cancelled, and by which event it announces its end.

async def _run(self):
    try:
        await self._serve()
    finally:
        await self._flush()     # It goes on here after `task.cancel()`,
        self._stopped.set()     # and who waits for this event waits for its end.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from logctx_lint.analysis.call_sites import calls_of
from logctx_lint.analysis.called_code import Code, code_of
from logctx_lint.analysis.cancellation.cancellation_state import key_of, mentions
from logctx_lint.analysis.cancellation.cleanup_of_callers import said_by_caller
from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.analysis.exception_handlers import catches_asyncio
from logctx_lint.analysis.own_class import own_methods
from logctx_lint.analysis.started_tasks import run_by_attribute
from logctx_lint.analysis.units import File
from logctx_lint.inference.suspensions import is_suspension
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import (
    Suspension,
    all_nodes,
    body_nodes,
    own_nodes,
    start_of,
    suspends,
)

_ANNOUNCING = frozenset({"set", "set_result", "set_exception"})


def slow_end(
    context: TreeContext, canceller: FunctionNode, function: Function
) -> tuple[Function, ast.stmt] | None:
    """Where a coroutine function awaits something when it is cancelled.

    Something else than the task of the function that cancels it: they would wait for each other.
    """
    code = code_of(function)
    if code is None:
        return None
    for block in _run_at_end(context.file, code):
        for statement in block:
            if any(
                isinstance(each, Suspension)
                and is_suspension(context.file.summaries, each, code.scope)
                and not _waits_for(context, canceller, each)
                for each in own_nodes([statement])
            ):
                return function, statement
    return None


def _waits_for(context: TreeContext, canceller: FunctionNode, place: ast.AST) -> bool:
    """Whether a task of the same object is awaited that runs the function that cancels."""
    match place:
        case ast.Await(ast.Attribute(ast.Name("self"), name)):
            return any(each.tree() is canceller for each in run_by_attribute(context, name))
    return False


def is_announced_and_awaited(
    context: TreeContext, canceller: FunctionNode, cancel: ast.Call, functions: list[Function]
) -> bool:
    """Whether code that cancels a task, or another method of the class, waits for what each of
    the functions that may run in the task announces its end by."""
    announced = [_announced_by(context, canceller, each) for each in functions]
    places = frozenset.intersection(*announced) if announced else frozenset()
    if not places:
        return False
    waiting = [each for each in body_nodes(canceller) if start_of(each) > start_of(cancel)]
    own = {each.line for each in functions if each.module == context.file.module}
    others = [each for each in own_methods(context) if each.lineno not in own]
    of_self = frozenset(each for each in places if each.startswith("self."))
    return _awaits(waiting, places) or any(_awaits(all_nodes(each), of_self) for each in others)


def _awaits(nodes: Iterable[ast.AST], places: frozenset[str]) -> bool:
    return any(isinstance(each, ast.Await) and mentions(each, places) for each in nodes)


def _announced_by(
    context: TreeContext, canceller: FunctionNode, function: Function
) -> frozenset[str]:
    """The events and futures by which a coroutine function says that it has ended, cancelled or
    not; those that mean the same in the function that cancels it."""
    code = code_of(function)
    if code is None:
        return frozenset()
    blocks = list(_run_at_end(context.file, code))
    suspensions = [each for block in blocks for each in own_nodes(block) if suspends([each])]
    # It is left behind its block.
    managers = [each for each in code.nodes if isinstance(each, ast.AsyncWith)]
    return frozenset(
        name
        for block in blocks
        for node in own_nodes(block)
        if (place := _announced(node)) is not None
        and (name := _named_by(context, canceller, code, place))
        and not any(start_of(each) > start_of(node) for each in suspensions)
        and not any(node in body_nodes(each) for each in managers)
    )


def _run_at_end(file: File, code: Code) -> Iterator[list[ast.stmt]]:
    """The blocks that a coroutine function runs when it is cancelled."""
    for node in code.nodes:
        attempt = as_try(node)
        if attempt is not None and suspends(attempt.body):
            yield attempt.finalbody
            yield from (
                each.body for each in attempt.handlers if catches_asyncio(file, each, code.scope)
            )


def _announced(node: ast.AST) -> ast.expr | None:
    match node:
        case ast.Call(ast.Attribute(place, name), [] | [_]) if name in _ANNOUNCING:
            return place
    return None


def _named_by(context: TreeContext, canceller: FunctionNode, code: Code, place: ast.expr) -> str:
    """What the function that cancels a task calls a place of the one that runs in it; empty if
    that is another place, or not known."""
    name = key_of(place)
    root, function, owner = name.partition(".")[0], code.function, context.unit.scope.owner
    if function is None or not root:
        return ""
    if root == "self":
        ancestors = context.resolver.classes.ancestors(owner) if owner else []
        is_own = any(each == function.owner for each, _ in ancestors)
        return name if is_own else ""
    if root in code.scope.bindings:
        return _passed_for(context, canceller, function, place)
    around = function.scope.node if function.scope else None
    is_free = root not in context.unit.scopes[canceller].bindings
    is_here = function.module == context.file.module and (around is canceller or is_free)
    return name if is_here else ""


def _passed_for(
    context: TreeContext, canceller: FunctionNode, function: Function, place: ast.expr
) -> str:
    """What all who start a function pass for a place: `create_task(run(stopped))`."""
    names: set[str] = set()
    for call, scope, callee in calls_of(context.resolver, function):
        name = said_by_caller(context.resolver, callee, call, place) or ""
        of_self = name.startswith("self.") and scope.owner == context.unit.scope.owner
        names.add(name if of_self or scope.node is canceller else "")
    return names.pop() if len(names) == 1 else ""
