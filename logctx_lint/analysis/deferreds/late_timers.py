"""Timers that set the Future of a waiter that has been cancelled.

timer = loop.call_later(5, finish)      # Who waits is cancelled, and with it the Future;
await future                            # `finish` sets it all the same, which fails.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from logctx_lint.analysis.context import TreeContext, arguments, as_try
from logctx_lint.analysis.deferreds.completions import completed, is_careful, makes_future, new_in
from logctx_lint.analysis.deferreds.fired_twice import is_timer
from logctx_lint.analysis.kept_places import cancelled_in, places, places_cancelled
from logctx_lint.analysis.own_class import class_node
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, own_attribute

_ASKING = frozenset({"add_done_callback", "cancel", "cancelled", "done"})
"""Methods of a Future by which code sees to what becomes of it."""


def after_the_wait(
    context: TreeContext, function: ast.AsyncFunctionDef
) -> Iterator[tuple[ast.Call, ast.Await, ast.expr]]:
    """A timer that sets the Future that a function waits for, also where that was cancelled.

    What is yielded is the timer, the waiting, and where the Future is set.
    """
    timers = [e for e in body_nodes(function, ast.Call) if is_timer(context, e)]
    if not timers:
        return
    nodes = list(all_nodes(function))
    seen_to = {
        ast.unparse(each.value)
        for each in nodes
        if isinstance(each, ast.Attribute) and each.attr in _ASKING
    }
    new = new_in(context, function, context.unit.scopes[function], makes_future)
    made = {ast.unparse(each) for each, _ in new} - seen_to
    waits = {ast.unparse(node.value): node for node in body_nodes(function, ast.Await)}
    for timer in timers:
        for given in () if _is_stopped(context, function, timer) else arguments(timer):
            firing = next(_set_when_called(context, function, given, made), None)
            waiting = waits.get(completed(firing)) if firing is not None else None
            if firing is not None and waiting is not None:
                yield timer, waiting, firing
                break


def _is_stopped(context: TreeContext, function: FunctionNode, timer: ast.Call) -> bool:
    """Whether the function cancels a timer, or may: it gives the timer away."""
    cancelled = cancelled_in(all_nodes(function))
    match context.parent(timer):
        case ast.Expr():
            return False
        case ast.Assign(targets):
            kept = {*map(ast.unparse, targets)}
            kept |= {ast.unparse(each) for t in targets for each in places(t, function)}
            stopped = {*map(ast.unparse, (*cancelled, *places_cancelled(function)))}
            return not kept.isdisjoint(stopped)
    return any(cancelled)


def _set_when_called(
    context: TreeContext, function: FunctionNode, callback: ast.expr, places: set[str]
) -> Iterator[ast.expr]:
    """Where a callback sets one of some places, and does not look whether it may."""
    if completed(callback) in places:
        yield callback
    tree = _callback(context, function, callback)
    ways = 2
    while tree is not None and ways:
        nodes = list(all_nodes(tree))
        if any(is_careful(nodes, each) for each in places) or any(map(as_try, nodes)):
            return
        yield from (each for each in all_nodes(tree, ast.Attribute) if completed(each) in places)
        # `def on_timer(self): self.finish(None)`
        own = [each.func for each in all_nodes(tree, ast.Call) if own_attribute(each.func)]
        found = [each for func in own if (each := _callback(context, function, func))]
        tree = found[0] if len(found) == 1 else None
        ways -= 1


def _callback(
    context: TreeContext, function: FunctionNode, callback: ast.expr
) -> FunctionNode | ast.Lambda | None:
    """The tree of a lambda, of a function inside of another one or of a method of its class."""
    match callback:
        case ast.Lambda():
            return callback
        case ast.Name(name):
            inside: Iterable[ast.AST] = all_nodes(function)
        case ast.Attribute(ast.Name("self"), name):
            cls = class_node(context)
            inside = cls.body if cls else ()
        case _:
            return None
    found = [each for each in inside if isinstance(each, FunctionNode) and each.name == name]
    return found[0] if len(found) == 1 else None
