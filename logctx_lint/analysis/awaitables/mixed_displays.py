"""Un-awaited calls in a list, tuple or dict whose other elements are plain values.

return {"name": await name(), "size": size()}     # of an async def
json.dumps({"size": size()})
send({"kind": "file", "size": size()})            # and nothing awaits what is under "size"
first, second = yield load(1), load(2)            # under @inlineCallbacks
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from logctx_lint.analysis.awaitables.declared_values import Misplaced
from logctx_lint.analysis.units import Unit
from logctx_lint.inference.awaited_elsewhere import is_inlined
from logctx_lint.inference.types import Kind
from logctx_lint.inference.use_def import Scope
from logctx_lint.syntax.ast_walk import all_nodes

_PLAIN = (ast.Await, ast.Constant, ast.JoinedStr)
_TO_TEXT = frozenset({"json.dump", "json.dumps"})


def beside_values(unit: Unit) -> Iterator[Misplaced]:
    """The calls that give a coroutine in such a place."""
    if unit.possible_awaitables:
        yield from _returned(unit)
        yield from _turned_into_json(unit)
        yield from _in_dicts(unit)
        for node, scope in unit.nodes(ast.Yield):
            if scope.function is not None and is_inlined(scope.function.facts):
                yield from _yielded(unit, node.value, scope)


def _returned(unit: Unit) -> Iterator[Misplaced]:
    """`return [await f(), g()]`"""
    for statement, scope in unit.nodes(ast.Return):
        is_async = scope.function is not None and scope.function.facts.is_async
        parts = list(_parts(statement.value)) if is_async and statement.value else []
        if any(isinstance(each, ast.Await) for each in parts):
            fate = "returned un-awaited beside what is awaited"
            yield from _coroutines(unit, parts, scope, fate)


def _turned_into_json(unit: Unit) -> Iterator[Misplaced]:
    """`json.dumps({"name": f()})`"""
    for call, scope in unit.nodes(ast.Call):
        match call:
            case ast.Call(ast.Name("dump" | "dumps") | ast.Attribute(_, "dump" | "dumps")) if (
                call.args and not _TO_TEXT.isdisjoint(unit.file.resolver.names(call.func, scope))
            ):
                parts = list(_parts(call.args[0]))
                yield from _coroutines(unit, parts, scope, "turned into JSON, which fails")


def _in_dicts(unit: Unit) -> Iterator[Misplaced]:
    """`{"name": name, "items": f()}`"""
    for display, scope in unit.nodes(ast.Dict):
        is_async = scope.function is not None and scope.function.facts.is_async
        if is_async and any(isinstance(each, _PLAIN) for each in display.values):
            keys = dict(_named(display))
            for found in _coroutines(unit, keys, scope, "put un-awaited beside plain values"):
                if not _is_taken(unit, keys[found.call]):
                    yield found


def _yielded(unit: Unit, value: ast.expr | None, scope: Scope) -> Iterator[Misplaced]:
    """`yield [f(), g()]`, which gives the list back at once, with Deferreds in it."""
    match value:
        case ast.List(parts) | ast.Tuple(parts):
            pass
        case ast.ListComp(element):
            parts, scope = [element], scope.child(value)
        case _:
            return
    kinds = frozenset({Kind.COROUTINE, Kind.DEFERRED})
    found = list(_coroutines(unit, parts, scope, "yielded in a list, which waits for none", kinds))
    yield from found if len(found) == len(parts) else ()


def _named(display: ast.Dict) -> Iterator[tuple[ast.expr, str]]:
    """The values that stand under a text."""
    for key, value in zip(display.keys, display.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield value, key.value


def _is_taken(unit: Unit, key: str) -> bool:
    """Whether the file asks for what is under a key somewhere, and may await that."""
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
    unit: Unit,
    parts: Iterable[ast.expr],
    scope: Scope,
    fate: str,
    kinds: frozenset[Kind] = frozenset({Kind.COROUTINE}),
) -> Iterator[Misplaced]:
    resolver = unit.file.resolver
    for each in parts:
        if isinstance(each, ast.Call) and each in unit.possible_awaitables:
            answer = resolver.awaitability(resolver.type_of(each, scope))
            if answer.is_certain and answer.kind in kinds:
                yield Misplaced(each, scope, fate, answer.kind)
