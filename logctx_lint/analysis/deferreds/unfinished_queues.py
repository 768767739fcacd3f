"""Queues that somebody joins, and whose items are not all marked as done, so that this never ends.

while True:
    item = await self.queue.get()
    try:
        await self.store(item)
    except ValueError:
        continue                        # `await self.queue.join()` waits for this item forever.
    self.queue.task_done()
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.called_code import outermost
from logctx_lint.analysis.cancellation.cleanup_of_callers import call_sites, said_by_caller
from logctx_lint.analysis.cancellation.skipped_cleanup import risks_in
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.deferreds.completions import is_own
from logctx_lint.analysis.deferreds.unset_events import Risk, gets_out
from logctx_lint.analysis.own_class import class_node
from logctx_lint.inference.types import Instance, members_of
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    own_nodes,
    place_name,
    with_following,
)

_QUEUES = frozenset(f"asyncio.queues.{kind}Queue" for kind in ("", "Lifo", "Priority"))
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_TAKING = frozenset({"get", "get_nowait"})


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What keeps an item from being marked as done, where that is done, and where one waits."""

    skipping: ast.stmt | Risk
    done: ast.Call
    joined: int
    """The line where somebody waits for all items."""


def unfinished_items(context: TreeContext, function: FunctionNode) -> Iterator[Unfinished]:
    """Items that a function takes out of a queue and marks as done only where all goes well."""
    done = [each for each in body_nodes(function, ast.Call) if _is(each, "task_done")]
    places = [ast.unparse(_queue(each)) for each in done]
    for statement, following in with_following(function):
        taken = next((each for each in own_nodes([statement]) if _is(each, "get")), None)
        if taken is None or not isinstance(statement, ast.Assign):
            continue
        queue = _queue(taken)
        if places.count(ast.unparse(queue)) != 1 or not _is_queue(context, queue):
            continue
        marking = done[places.index(ast.unparse(queue))]
        between = _until(following, marking)
        skipping = _skipped(context, function, between) if between is not None else None
        joined = _joined(context, function, queue) if skipping else None
        if skipping is not None and joined is not None:
            yield Unfinished(skipping, marking, joined)


def joined_in_vain(context: TreeContext, function: FunctionNode) -> Iterator[ast.Call]:
    """`await self.queue.join()` where the class takes items out and marks none of them as done."""
    cls = class_node(context)
    for node in body_nodes(function):
        if cls is None or not isinstance(node, ast.Await) or not _is(node.value, "join"):
            continue
        queue = _queue(node.value)
        if not isinstance(queue, ast.Attribute) or not is_own(queue):
            continue
        is_taken = any(
            _is(each, *_TAKING) and ast.unparse(_queue(each)) == ast.unparse(queue)
            for each in all_nodes(cls)
        )
        is_others = _is_marked(context, queue.attr) or _is_handed_on(context, queue.attr)
        if is_taken and not is_others and _is_queue(context, queue):
            assert isinstance(node.value, ast.Call)
            yield node.value


def _is(node: ast.AST, *names: str) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
    )


def _queue(call: ast.AST) -> ast.expr:
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Attribute)
    return call.func.value


def _is_queue(context: TreeContext, node: ast.expr) -> bool:
    members = members_of(context.type_of(node))
    return any(isinstance(each, Instance) for each in members) and all(
        each.cls.qualified_name in _QUEUES for each in members if isinstance(each, Instance)
    )


# What comes between


def _until(following: list[ast.stmt], marking: ast.Call) -> list[ast.stmt] | None:
    """The statements of a block before the one that marks an item as done."""
    for position, statement in enumerate(following):
        if isinstance(statement, ast.Expr) and statement.value is marking:
            return following[:position]
    return None


def _skipped(
    context: TreeContext, function: FunctionNode, between: list[ast.stmt]
) -> ast.stmt | Risk | None:
    """The first `continue` of some statements, or else what may fail in them."""
    for statement in between:
        found = next(_continues([statement]), None)
        if found is not None:
            return found
    for statement in between:
        for node in risks_in(context, function, [statement]):
            may_fail, _ = gets_out(context, node, statement)
            if may_fail:
                return Risk(node.lineno, may_fail)
    return None


def _continues(block: list[ast.stmt]) -> Iterator[ast.stmt]:
    """What goes on with the next turn of the loop that a block is in."""
    for statement in block:
        if isinstance(statement, ast.Continue):
            yield statement
        elif not isinstance(statement, (*_LOOPS, FunctionNode, ast.ClassDef)):
            for inner in _blocks(statement):
                yield from _continues(inner)


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        yield getattr(statement, name, [])
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


# Who waits


def _joined(context: TreeContext, function: FunctionNode, queue: ast.expr) -> int | None:
    """The line where somebody waits, as long as it takes, for all items of a queue."""
    text = ast.unparse(queue)
    if is_own(queue):
        return _join_in(class_node(context), text)
    name = queue.id if isinstance(queue, ast.Name) else ""
    bindings = context.unit.scopes[function].bindings.get(name, ())
    if not bindings:
        return _join_in(context.unit.node, text) if name else None
    if any(each.kind != "parameter" for each in bindings):
        return None
    for call, scope, callee in call_sites(context, function):
        if scope.module is not context.file.module:
            continue
        said = said_by_caller(context.resolver, callee, call, queue)
        found = _join_in(outermost(scope), said) if said else None
        if found is not None:
            return found
    return None


def _join_in(outer: ast.AST | None, text: str) -> int | None:
    for node in all_nodes(outer) if outer else ():
        match node:
            case ast.Await(ast.Call(ast.Attribute(joined, "join"))) if ast.unparse(joined) == text:
                return node.lineno
    return None


# Who else


def _is_marked(context: TreeContext, attribute: str) -> bool:
    """Whether code of the file marks items of something of this name as done, or of a local one."""
    return any(
        isinstance(each, ast.Attribute)
        and each.attr == "task_done"
        and (isinstance(each.value, ast.Name) or place_name(each.value) == attribute)
        for each in all_nodes(context.file.tree)
    )


def _is_handed_on(context: TreeContext, attribute: str) -> bool:
    """Whether the file gives a queue to others, who may do with it what they like."""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == attribute
        and isinstance(node.ctx, ast.Load)
        and not isinstance(context.file.body.parent(node), ast.Attribute)
        for node in all_nodes(context.file.tree)
    )
