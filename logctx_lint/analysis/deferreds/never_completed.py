"""Futures that an attribute keeps, that somebody awaits, and that no code completes.

def __init__(self):
    self._closing = loop.create_future()        # A task takes its place where there is something
                                                # to close; else it stays.
async def wait_closed(self):
    await self._closing
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.deferreds.completions import makes_future
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, is_none

_DEFERRED = "twisted.internet.defer.Deferred"
_ASKING = frozenset({"add_done_callback", "cancelled", "done", "exception", "result"})


def never_completed(
    context: TreeContext, function: FunctionNode
) -> Iterator[tuple[ast.Assign, ast.Attribute, ast.Await]]:
    """Such Futures that a method makes: where it does, where it keeps them, and who waits."""
    for node in all_nodes(function):
        match node:
            case ast.Assign([ast.Attribute(ast.Name("self"), name) as place], value):
                pass
            case _:
                continue
        if not makes_future(context, value, context.scopes[value]):
            continue
        waiting: ast.Await | None = None
        for each in all_nodes(context.file.tree):
            if isinstance(each, ast.Attribute) and each.attr == name and each is not place:
                parent = context.file.body.parent(each)
                if isinstance(parent, ast.Await):
                    waiting = waiting or parent
                elif not _is_mere_look(each, parent):
                    break
        else:
            if waiting is not None:
                yield node, place, waiting


def bare_results(context: TreeContext, function: FunctionNode) -> Iterator[ast.Return]:
    """Where a function gives a new Deferred that nobody else has, and elsewhere something else.

    One that gives nothing else is there to wait forever.
    """
    returns = [each for each in body_nodes(function, ast.Return) if not is_none(each.value)]
    bare = [each for each in returns if _is_bare(context, each.value)]
    if len(bare) < len(returns):
        yield from bare


def _is_bare(context: TreeContext, value: ast.expr | None) -> bool:
    """`Deferred()`, which no canceller may see to."""
    match value:
        case ast.Call(_, [], []):
            return _DEFERRED in context.names(value)
    return False


def _is_mere_look(place: ast.Attribute, parent: ast.AST | None) -> bool:
    """Whether code at a place neither completes what is kept there nor gives it to others."""
    match parent:
        case ast.Attribute(_, name):
            return name in _ASKING
        case ast.Assign(targets):
            return place in targets
        case ast.Compare() | ast.If() | ast.UnaryOp() | ast.BoolOp() | ast.Expr():
            return True
        case ast.AnnAssign(target):
            return target is place
    return False
