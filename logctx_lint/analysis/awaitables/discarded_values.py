"""Expressions whose value is thrown away, by syntax alone: `f()`, `_ = f()`, `a or f()`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.units import Unit
from logctx_lint.inference.use_def import Scope
from logctx_lint.syntax.ast_walk import is_name

_COPIES = frozenset({"list", "tuple", "set", "frozenset", "sorted"})
"""Built-in functions that only make another collection of what they are given."""


def thrown_away(unit: Unit) -> Iterator[tuple[ast.stmt, ast.expr, Scope]]:
    """The statements whose value nothing can get at, with that value."""
    for statement, scope in unit.statements:
        match statement:
            case ast.Expr(value):
                yield statement, value, scope
            case ast.AnnAssign(ast.Name("_"), _, ast.expr() as value):
                yield statement, value, scope
            case ast.Assign(targets, value):
                if all(is_name(each, "_") for each in targets):
                    yield statement, value, scope


def discarded(node: ast.expr) -> Iterator[ast.Call]:
    """The calls whose results are thrown away when the value of `node` is."""
    for each in discarded_parts(node):
        if isinstance(each, ast.Call):
            yield each
        else:
            yield from discarded(each.value if isinstance(each, ast.DictComp) else each.elt)


def discarded_parts(
    node: ast.expr,
) -> Iterator[ast.Call | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp]:
    """The same, with comprehensions as a whole."""
    match node:
        case ast.GeneratorExp():
            yield node
        case ast.Call(ast.Name(name), [ast.GeneratorExp() | ast.ListComp() as inner], []) if (
            name in _COPIES
        ):
            yield inner
        case ast.Dict(_, values):
            for value in values:
                yield from discarded_parts(value)
        case ast.Call() | ast.ListComp() | ast.SetComp() | ast.DictComp():
            yield node
        case ast.BoolOp(_, values):
            for value in values:
                yield from discarded_parts(value)
        case ast.IfExp(_, body, orelse):
            yield from discarded_parts(body)
            yield from discarded_parts(orelse)
        case ast.Tuple(elements) | ast.List(elements) | ast.Set(elements):
            for element in elements:
                yield from discarded_parts(element)
        case ast.Starred(value):
            yield from discarded_parts(value)
