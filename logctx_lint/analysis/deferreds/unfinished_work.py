"""Futures that others await and that are completed only if the work before succeeds.

if self._connecting is not None:
    return await self._connecting
self._connecting = loop.create_future()
await self._open()                       # Where this fails, they wait forever,
self._connecting.set_result(None)        # and so does everybody who comes later.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext, as_try, in_source_order
from logctx_lint.analysis.deferreds.completions import completed, completion, is_own, makes
from logctx_lint.analysis.own_class import own_methods
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import Suspension, all_nodes, body_nodes, holding, own_nodes

_ENDS = frozenset({"set_exception", "cancel", "set_result"})


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Where a Future is made, what may fail, and where it is completed otherwise."""

    made: ast.stmt
    place: str
    risk: ast.expr | ast.stmt
    setting: ast.Attribute


def unfinished(context: TreeContext, method: ast.AsyncFunctionDef) -> Iterator[Unfinished]:
    """Such Futures that a method makes and keeps in an attribute."""
    methods = own_methods(context)
    if not methods:
        return
    for made in body_nodes(method, ast.Assign):
        place = next(filter(None, map(_place, made.targets)), "")
        if not place or not makes(context, made.value, context.scopes[made]):
            continue
        found = _left(context, made, {*map(ast.unparse, made.targets), place})
        others = (each for each in methods if each is not method)
        if found and _is_awaited(methods, place) and not any(_ends(o, place) for o in others):
            yield Unfinished(made, place, *found)


def _left(
    context: TreeContext, made: ast.Assign, texts: set[str]
) -> tuple[ast.expr | ast.stmt, ast.Attribute] | None:
    """What may keep a function from completing what it has made, and where it would do that."""
    setting, between = _completed_behind(context, made, texts)
    if setting is None or any(context.is_named_at_ends(made, text) for text in texts):
        return None
    suspensions = (each for each in own_nodes(between) if isinstance(each, Suspension))
    risks = in_source_order(e for e in suspensions if ast.unparse(e) not in texts)
    if not risks or _is_seen_to(between, texts):
        return None
    assert isinstance(risks[0], ast.expr | ast.stmt)
    return risks[0], setting


def _place(target: ast.expr) -> str:
    kept = holding(target)
    return ast.unparse(kept) if isinstance(kept, ast.Attribute) and is_own(kept) else ""


def _completed_behind(
    context: TreeContext, made: ast.stmt, texts: set[str]
) -> tuple[ast.Attribute | None, list[ast.stmt]]:
    """Where the same block completes it further down, and what stands between."""
    between: list[ast.stmt] = []
    for statement in context.behind(made):
        func = completion(statement)
        if func is not None and completed(func) in texts:
            return (func if func.attr == "set_result" else None), between
        between.append(statement)
    return None, between


def _is_seen_to(between: list[ast.stmt], texts: set[str]) -> bool:
    """Whether a handler, a `finally` or somebody who is given it may see to it."""
    for node in own_nodes(between):
        attempt = as_try(node)
        if attempt is not None and (attempt.finalbody or attempt.handlers):
            return True
        is_place = isinstance(node, ast.Name | ast.Attribute | ast.Subscript)
        if is_place and ast.unparse(node) in texts:
            return True
        if isinstance(node, ast.Return | ast.Break | ast.Continue):
            return True
    return False


def _is_awaited(methods: list[FunctionNode], place: str) -> bool:
    return any(
        isinstance(each, ast.Await)
        and any(ast.unparse(inner) == place for inner in all_nodes(each, ast.Attribute))
        for method in methods
        for each in all_nodes(method)
    )


def _ends(method: FunctionNode, place: str) -> bool:
    """Whether another method completes what is kept there, or puts something else there."""
    if method.name == "__init__":
        return False
    for node in all_nodes(method):
        match node:
            case ast.Attribute(receiver, name) if name in _ENDS:
                if ast.unparse(receiver).startswith(place):
                    return True
            case ast.Attribute(ctx=ast.Store() | ast.Del()) if ast.unparse(node) == place:
                return True
    return False
