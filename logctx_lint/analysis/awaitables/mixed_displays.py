"""Un-awaited calls in a list, tuple or dict whose other elements are plain values.

return {"name": await name(), "size": size()}     # of an async def
json.dumps({"size": size()})
send({"kind": "file", "size": size()})            # and nothing awaits what is under "size"
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from logctx_lint.analysis.awaitables.declared_values import Misplaced
from logctx_lint.analysis.units import Unit
from logctx_lint.inference.types import Kind
from logctx_lint.inference.use_def import Scope
from logctx_lint.syntax.ast_walk import all_nodes

_TO_TEXT = frozenset({"json.dump", "json.dumps"})


def beside_values(unit: Unit) -> Iterator[Misplaced]:
    """The calls that give a coroutine in such a place."""
    if not unit.possible_awaitables:
        return
    for statement, scope in unit.nodes(ast.Return):
        is_async = scope.function is not None and scope.function.facts.is_async
        parts = list(_parts(statement.value)) if is_async and statement.value else []
        if any(isinstance(each, ast.Await) for each in parts):
            fate = "returned un-awaited beside what is awaited"
            yield from _coroutines(unit, parts, scope, fate)
    for call, scope in unit.nodes(ast.Call):
        match call:
            case ast.Call(ast.Name("dump" | "dumps") | ast.Attribute(_, "dump" | "dumps")) if (
                call.args and not _TO_TEXT.isdisjoint(unit.file.resolver.names(call.func, scope))
            ):
                parts = list(_parts(call.args[0]))
                yield from _coroutines(unit, parts, scope, "turned into JSON, which fails")
    for display, scope in unit.nodes(ast.Dict):
        is_async = scope.function is not None and scope.function.facts.is_async
        if is_async and any(
            isinstance(each, ast.Constant | ast.JoinedStr) for each in display.values
        ):
            under = (value for key, value in _named(display) if not _is_awaited(unit, key))
            yield from _coroutines(unit, under, scope, "put un-awaited beside plain values")


def _named(display: ast.Dict) -> Iterator[tuple[str, ast.expr]]:
    """The values that stand under a text."""
    for key, value in zip(display.keys, display.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value, value


def _is_awaited(unit: Unit, key: str) -> bool:
    """Whether the file takes what is under a key somewhere, and may await that."""
    return any(
        isinstance(each, ast.Constant) and each.value == key
        for node in all_nodes(unit.file.tree)
        for each in _asked_by(node)
    )


def _asked_by(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Subscript(_, key, ast.Load()):
            return [key]
        case ast.Call(ast.Attribute(_, "get" | "pop"), [key, *_]):
            return [key]
    return []


def _parts(value: ast.expr) -> Iterator[ast.expr]:
    """The elements of a display, and of the displays in it."""
    elements: list[ast.expr] = []
    match value:
        case ast.Dict(_, elements) | ast.List(elements) | ast.Tuple(elements):
            pass
    for each in elements:
        yield each
        yield from _parts(each)


def _coroutines(
    unit: Unit, parts: Iterable[ast.expr], scope: Scope, fate: str
) -> Iterator[Misplaced]:
    resolver = unit.file.resolver
    for each in parts:
        if isinstance(each, ast.Call) and each in unit.possible_awaitables:
            answer = resolver.awaitability(resolver.type_of(each, scope))
            if answer.is_certain and answer.kind is Kind.COROUTINE:
                yield Misplaced(each, scope, fate, answer.kind)
