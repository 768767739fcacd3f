"""Tasks that `asyncio.wait()` leaves running, as its time is over or one of them has ended."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import last_name, own_nodes

_WAIT = frozenset({"asyncio.wait", "asyncio.tasks.wait"})


@dataclass(frozen=True, slots=True)
class Wait:
    """`done, pending = await asyncio.wait(tasks, ...)`"""

    call: ast.Call
    pending: ast.Name | None
    """None where nothing is bound to it."""
    tasks: list[ast.Name]
    """The local names of tasks, or of a collection of them, that it waits for."""


def waits(context: TreeContext, function: FunctionNode) -> Iterator[Wait]:
    for node in own_nodes(function.body):
        target: ast.expr | None
        match node:
            case ast.Assign([target], ast.Await(ast.Call(_, [given, *_]) as call)):
                pass
            case ast.Expr(ast.Await(ast.Call(_, [given, *_]) as call)):
                target = None
            case _:
                continue
        if _WAIT & set(context.names(call)):
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
        if is_used_behind(function, wait.call, names) or _in_loop(context, wait.call):
            continue
        if all(_is_started_here(context, each) for each in wait.tasks):
            yield wait


def _is_started_here(context: TreeContext, tasks: ast.Name) -> bool:
    bindings = context.scopes[tasks].reaching(tasks.id, (tasks.lineno, tasks.col_offset))
    return bool(bindings) and all(
        each.kind == "value" and each.value is not None and _starts(context, each.value)
        for each in bindings
    )


def _ends_early(limit: ast.expr) -> bool:
    is_all = isinstance(limit, ast.Attribute | ast.Name) and last_name(limit) == "ALL_COMPLETED"
    return not is_all and not (isinstance(limit, ast.Constant) and limit.value is None)


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


def _in_loop(context: TreeContext, node: ast.AST) -> bool:
    for outer in context.around(node):
        if isinstance(outer, FunctionNode):
            return False
        if isinstance(outer, ast.For | ast.AsyncFor | ast.While):
            return True
    return False


def elements(node: ast.expr) -> list[ast.expr]:
    """The elements of a display."""
    return node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else []


def is_used_behind(function: FunctionNode, node: ast.expr, names: set[str]) -> bool:
    """Whether a function names something again further down."""
    return any(
        isinstance(each, ast.Name)
        and each.id in names
        and each.lineno > (node.end_lineno or node.lineno)
        for each in own_nodes(function.body)
    )
