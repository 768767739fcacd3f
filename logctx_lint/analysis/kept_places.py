"""Where a function takes a value from, or puts it: attributes, and variables further out.

for task in list(self._tasks):            # `task`: from `self._tasks`
    task.cancel()
self._latest = task = self._tasks.pop()   # `task`: from `self._tasks`, put into `self._latest`
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from logctx_lint.analysis.context import FunctionOrLambda, body_of, loops
from logctx_lint.analysis.deferreds.shared_state import COPIES, LOOK_UPS, VIEWS
from logctx_lint.analysis.possible_values import possible_values
from logctx_lint.inference.known_names import APPENDERS
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import assigned_to, assignments, body_nodes, own_nodes

Place = ast.Attribute | ast.Name
"""An attribute, or a name that the function itself binds to nothing."""
_Values = Mapping[str, list[ast.expr]]
_TAKING = LOOK_UPS | VIEWS | {"pop", "popleft", "popitem"}
_LONGEST_WAY = 3
"""How many names a value is followed through."""


def places(node: ast.expr, function: FunctionOrLambda) -> Iterator[Place]:
    """The places that a value is taken from, or put into: `self._tasks.add(task)`."""
    values = local_values(function)
    yield from places_from(node, values)
    text = ast.unparse(node)
    for each in own_nodes(body_of(function)):
        match each:
            case ast.Assign(targets, value) if text in map(ast.unparse, (*targets, value)):
                for target in targets:
                    yield from places_from(target, {})
            case ast.Call(ast.Attribute(holder, method), [given]) if method in APPENDERS:
                if ast.unparse(given) == text:
                    yield from places_from(holder, {})


def places_from(node: ast.expr, values: _Values, depth: int = _LONGEST_WAY) -> Iterator[Place]:
    """The places that a value, or what holds it, comes from; `values`: those of local names."""
    match node:
        case ast.Attribute():
            yield node
        case ast.Subscript(inner) | ast.Starred(inner):
            yield from places_from(inner, values, depth)
        case ast.Call(ast.Attribute(inner, name)) if name in _TAKING:
            yield from places_from(inner, values, depth)
        case ast.Call(ast.Name(name), [inner, *_]) if name in COPIES:
            yield from places_from(inner, values, depth)
        case ast.List(elements) | ast.Tuple(elements) | ast.Set(elements):
            for each in elements:
                yield from places_from(each, values, depth)
        case ast.Name(name) if name not in values:
            yield node
        case ast.Name(name) if depth:
            for value in values[name]:
                yield from places_from(value, values, depth - 1)
        case ast.IfExp() | ast.BoolOp() | ast.NamedExpr():
            for each in possible_values(node):
                yield from places_from(each, values, depth)


def cancelled_in(nodes: Iterable[ast.AST]) -> Iterator[ast.expr]:
    """The values that code cancels: `task.cancel()`, `call_later(5, deferred.cancel)`."""
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr == "cancel":
            yield node.value


def places_cancelled(function: FunctionOrLambda) -> Iterator[Place]:
    """The places of what a function cancels."""
    values = local_values(function)
    for each in cancelled_in(own_nodes(body_of(function))):
        yield from places_from(each, values)


def taken_from(node: ast.expr, function: FunctionNode) -> ast.Attribute | ast.Subscript | None:
    """The attribute or element that a value is, was taken from, or was put into first."""
    match node:
        case ast.Attribute() | ast.Subscript():
            return node
        case ast.Call(ast.Attribute(holder, name), keys) if name in LOOK_UPS:
            return ast.Subscript(holder, keys[0] if keys else ast.Constant(None), ast.Load())
        case ast.NamedExpr(_, value) | ast.IfExp(_, value, _) | ast.BoolOp(_, [value, *_]):
            return taken_from(value, function)
        case ast.Name(name):
            for value in assigned_to(name, body_nodes(function)):
                if not isinstance(value, ast.Name) and (found := taken_from(value, function)):
                    return found
    return None


def place_text(node: ast.expr) -> str:
    """A place as text; whatever stands in the brackets of an element."""
    if isinstance(node, ast.Subscript):
        return f"{place_text(node.value)}[]"
    return ast.unparse(node)


def local_values(function: FunctionOrLambda) -> dict[str, list[ast.expr]]:
    """What a function assigns to its local names, or loops over with them."""
    found: dict[str, list[ast.expr]] = {}
    nodes = list(own_nodes(body_of(function)))
    pairs = list(assignments(nodes))
    for loop in (loop for node in nodes for loop in loops(node)):
        parts = loop.target.elts if isinstance(loop.target, ast.Tuple) else [loop.target]
        pairs += [(each, loop.iter) for each in parts]
    for target, value in pairs:
        if isinstance(target, ast.Name):
            found.setdefault(target.id, []).append(value)
    return found
