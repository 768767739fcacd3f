"""Futures that other code fails or cancels when the work for them is cut short.

async def _fetch(self, item):               async def _worker(self):
    try:                                        item = await self._queue.get()
        item.future.set_result(...)             try:
    except Exception as error:                      await self._fetch(item)
        item.future.set_exception(error)        finally:
                                                    item.future.cancel()
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.cancellation.cleanup_of_callers import (
    call_sites,
    cleanup_around,
    said_by_caller,
)
from logctx_lint.analysis.context import FunctionOrLambda, TreeContext
from logctx_lint.analysis.deferreds.shared_state import LOOK_UPS
from logctx_lint.analysis.kept_places import local_values, places_from
from logctx_lint.analysis.own_class import own_methods
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import body_nodes, own_attribute, own_nodes

_ENDINGS = frozenset({"cancel", "set_exception"})
_TAKING = LOOK_UPS | {"pop"}


def is_ended_elsewhere(context: TreeContext, attempt: ast.Try, future: ast.expr) -> bool:
    """Whether another function ends a future whose work an attempt does."""
    own = context.function_of(attempt)
    if not isinstance(own, FunctionNode):
        return False
    for method in own_methods(context):
        if method.lineno != own.lineno and any(
            _is_same(each, method, future, own) for each in _ended_in(method)
        ):
            return True
    for outer in context.around(own):
        if isinstance(outer, FunctionNode) and any(
            ast.unparse(each) == ast.unparse(future) for each in _ended_in(outer)
        ):
            return True
    return _is_ended_by_callers(context, own, future)


def _is_same(ended: ast.expr, method: FunctionNode, future: ast.expr, own: FunctionNode) -> bool:
    """Whether what another method ends may well be the future: of an item, or kept by `self`."""
    if isinstance(ended, ast.Attribute) and isinstance(future, ast.Attribute):
        return ended.attr == future.attr
    place = kept_in(future, own)
    return bool(place) and is_kept_in(ended, method, place)


def is_kept_in(node: ast.expr, function: FunctionNode, attribute: str) -> bool:
    """Whether a value is what an attribute of `self` is or holds, or one of a loop over these."""
    return attribute in _own_places(node, function)


def kept_in(node: ast.expr, function: FunctionOrLambda | None) -> str:
    """The one attribute of `self` that a value is, or is found in; empty if there is none."""
    found = _own_places(node, function) if function else set()
    return found.pop() if len(found) == 1 else ""


def _own_places(node: ast.expr, function: FunctionOrLambda) -> set[str]:
    return set(map(own_attribute, places_from(node, local_values(function)))) - {""}


def _ended_in(function: FunctionNode) -> Iterator[ast.expr]:
    """What a function cancels or fails, and not as its own work fails."""
    nodes = list(body_nodes(function))
    handled = {
        inner for node in nodes if isinstance(node, ast.ExceptHandler) for inner in body_nodes(node)
    }
    yield from (each for call in nodes if call not in handled for each in _ended_at(call))


def _ended_at(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Call(ast.Attribute(ended, name)) if name in _ENDINGS:
            yield ended


def _is_ended_by_callers(context: TreeContext, own: FunctionNode, future: ast.expr) -> bool:
    """Whether whoever calls a function ends what it was given, when that is cancelled."""
    sites = call_sites(context, own)
    return bool(sites) and all(
        (said := said_by_caller(context.resolver, callee, call, future)) is not None
        and any(
            ast.unparse(ended) == said
            for block in cleanup_around(context, call, scope)
            for each in own_nodes(block)
            for ended in _ended_at(each)
        )
        for call, scope, callee in sites
    )
