"""Tasks that `asyncio.wait()` leaves running, as its time is over or one of them has ended."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext, loops
from logctx_lint.analysis.log_calls import writes_log
from logctx_lint.analysis.possible_values import possible_values
from logctx_lint.analysis.surroundings import is_in_loop
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import WAIT
from logctx_lint.project.awaitable_names import PLAIN_BUILTINS
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    call_arguments,
    is_none,
    last_name,
)


@dataclass(frozen=True, slots=True)
class Wait:
    """`done, pending = await asyncio.wait(tasks, ...)`"""

    call: ast.Call
    pending: ast.Name | None
    """None where nothing is bound to it."""
    tasks: list[ast.Name]
    """The local names of tasks, or of a collection of them, that it waits for."""


def waits(context: TreeContext, function: FunctionNode) -> Iterator[Wait]:
    for node in body_nodes(function):
        target: ast.expr | None
        match node:
            case ast.Assign([target], ast.Await(ast.Call(_, [given, *_]) as call)):
                pass
            case ast.Expr(ast.Await(ast.Call(_, [given, *_]) as call)):
                target = None
            case _:
                continue
        if WAIT & set(context.names(call)):
            match target:
                case ast.Tuple([_, ast.Name() as pending]):
                    yield Wait(call, pending, _named(given))
                case None:
                    yield Wait(call, None, _named(given))


def _named(given: ast.expr) -> list[ast.Name]:
    waited = elements(given) or [given]
    names = [each for each in waited if isinstance(each, ast.Name)]
    return names if len(names) == len(waited) else []


def left_running(context: TreeContext, function: ast.AsyncFunctionDef) -> Iterator[Wait]:
    """Waits that end early and leave tasks running which nobody names again."""
    for wait in waits(context, function):
        limits = [each for each in wait.call.keywords if each.arg in ("timeout", "return_when")]
        if not any(_ends_early(each.value) for each in limits) or not wait.tasks:
            continue
        names = {each.id for each in wait.tasks} | ({wait.pending.id} if wait.pending else set())
        if (
            is_used_behind(function, wait.call, names)
            or is_in_loop(context, wait.call)
            or _are_handed_on(context, function, names)
        ):
            continue
        if all(_is_started_here(context, each) for each in wait.tasks):
            yield wait


def _is_started_here(context: TreeContext, tasks: ast.Name) -> bool:
    bindings = context.scopes[tasks].reaching_name(tasks)
    return bool(bindings) and all(
        each.kind == "value" and each.value is not None and _starts(context, each.value)
        for each in bindings
    )


def _elements(nodes: Iterable[ast.AST], names: set[str]) -> set[str]:
    """The variables of loops over collections of some names."""
    return {
        target.id
        for node in nodes
        for loop in loops(node)
        if isinstance(loop.iter, ast.Name) and loop.iter.id in names
        for target in all_nodes(loop.target, ast.Name)
    }


def _are_handed_on(context: TreeContext, function: FunctionNode, names: set[str]) -> bool:
    """Whether others get at the tasks, so that the wait is but for a while.

    self._tasks.add(task)
    await asyncio.wait([task], timeout=5)
    """
    nodes = body_nodes(function)
    each_of = _elements(nodes, names)
    for node in nodes:
        match node:
            case ast.Call() if WAIT & set(context.names(node)):
                continue
            case ast.Call() if writes_log(context.file, node, context.scopes[node]):
                continue
            case ast.Assign(targets):
                # `task = self._task = create_task(work())`
                is_start = any(isinstance(e, ast.Name) and e.id in names for e in targets)
                if is_start and not all(isinstance(e, ast.Name | ast.Tuple) for e in targets):
                    return True
        if hands_on(node, names | each_of):
            return True
    return False


def hands_on(node: ast.AST, texts: set[str]) -> bool:
    """Whether a task is given another name or put into a collection: `tasks = (self._task, ...)`.

    Who only asks for its state, or cancels it, does not take it.
    """
    match node:
        case ast.Assign(_, value) | ast.AnnAssign(_, _, value) | ast.NamedExpr(_, value) if value:
            given = [end for each in possible_values(value) for end in (each, *elements(each))]
        case ast.Call(func) if not (isinstance(func, ast.Name) and func.id in PLAIN_BUILTINS):
            given = call_arguments(node)
        case _:
            return False
    given = [each.value if isinstance(each, ast.Starred) else each for each in given]
    return any(
        isinstance(each, ast.Attribute | ast.Name) and ast.unparse(each) in texts for each in given
    )


def _ends_early(limit: ast.expr) -> bool:
    is_all = isinstance(limit, ast.Attribute | ast.Name) and last_name(limit) == "ALL_COMPLETED"
    return not is_all and not is_none(limit)


def _starts(context: TreeContext, value: ast.expr) -> bool:
    """Whether everything in an expression is a task that it starts itself."""
    match value:
        case ast.Call():
            return Role.TASK_STARTER in context.roles(value)
        case ast.List(elements) | ast.Set(elements) | ast.Tuple(elements):
            return bool(elements) and all(_starts(context, each) for each in elements)
        case ast.ListComp(element) | ast.SetComp(element):
            return _starts(context, element)
    return False


def elements(node: ast.expr) -> list[ast.expr]:
    """The elements of a display."""
    return node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else []


def is_used_behind(function: FunctionNode, node: ast.expr, names: set[str]) -> bool:
    """Whether a function names something again further down."""
    return any(
        each.id in names and each.lineno > (node.end_lineno or node.lineno)
        for each in body_nodes(function, ast.Name)
    )
