"""Events that others wait for, and that are set only where the work before succeeds.

self.loading[key] = event = asyncio.Event()
self.values[key] = await load(key)      # Where this fails, whoever waits for the event is stuck.
event.set()
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.analysis.skipped_cleanup import risks_in
from logctx_lint.analysis.started_tasks import class_node
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, blocks_of, own_nodes, place_name

_EVENTS = frozenset({"asyncio.Event", "asyncio.locks.Event"})


@dataclass(frozen=True, slots=True)
class UnsetEvent:
    """Where an event is made, what may fail, and where it is set."""

    made: ast.Assign
    place: str
    risk: ast.expr
    setting: ast.stmt


def unset_events(context: TreeContext, function: ast.AsyncFunctionDef) -> Iterator[UnsetEvent]:
    """The events that a method keeps for others and sets behind something that may fail."""
    for block in blocks_of(function):
        for position, statement in enumerate(block):
            if not isinstance(statement, ast.Assign) or not _is_event(context, statement.value):
                continue
            kept = next((each for each in statement.targets if _is_of_self(each)), None)
            if kept is None or not _is_waited_for(context, place_name(kept)):
                continue
            names = {ast.unparse(each) for each in statement.targets}
            found = _set_late(context, function, block[position + 1 :], names)
            if found is not None:
                yield UnsetEvent(statement, ast.unparse(kept), *found)


def _is_event(context: TreeContext, value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and bool(_EVENTS & set(context.names(value)))


def _is_of_self(target: ast.expr) -> bool:
    return ast.unparse(target).startswith("self.")


def _is_waited_for(context: TreeContext, name: str) -> bool:
    """Whether the class waits for what an attribute of this name is or holds."""
    cls = class_node(context)
    return cls is not None and any(
        isinstance(node, ast.Await)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr == "wait"
        and place_name(node.value.func.value) == name
        for node in all_nodes(cls)
    )


def _set_late(
    context: TreeContext, function: FunctionNode, following: list[ast.stmt], names: set[str]
) -> tuple[ast.expr, ast.stmt] | None:
    """What may fail before a statement that sets an event, and that statement."""
    risks: list[ast.expr] = []
    for each in following:
        if isinstance(each, ast.Expr) and _sets(each.value, names):
            return (risks[0], each) if risks else None
        if as_try(each) is not None or any(_sets(node, names) for node in own_nodes([each])):
            return None  # On some path; which one is not known here.
        risks += risks_in(context, function, [each])
    return None


def _sets(node: ast.AST, names: set[str]) -> bool:
    match node:
        case ast.Call(ast.Attribute(receiver, "set"), []):
            return ast.unparse(receiver) in names
    return False
