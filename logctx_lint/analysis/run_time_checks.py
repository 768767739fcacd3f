"""Code that checks at run time whether a value is awaitable: nothing is reported of it there.

if inspect.iscoroutinefunction(callback):
    await callback()
else:
    callback()             # no coroutine is dropped here, whatever is declared
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.units import Unit
from logctx_lint.inference.narrowing import dotted
from logctx_lint.inference.types import ClassObject, Instance, TupleType
from logctx_lint.inference.use_def import Scope


def is_asked_for(unit: Unit, node: ast.expr) -> bool:
    """Whether code asks of a dotted name what it holds: its type, an attribute, a coroutine."""
    path = dotted(node)
    return bool(path) and any(
        bool(call.args)
        and dotted(call.args[0]).removesuffix(".__call__") == path
        and _asks(unit, call, scope)
        for call, scope in unit.nodes(ast.Call)
    )


def _asks(unit: Unit, call: ast.Call, scope: Scope) -> bool:
    match call:
        case ast.Call(ast.Name("hasattr"), [_, _]):
            return True
        case ast.Call(ast.Name("isinstance"), [_, classes]):
            return _are_awaitable(unit, classes, scope)
        case ast.Call(func, [_]):
            return unit.file.summaries.asks_whether_awaitable(func, scope)
    return False


def _are_awaitable(unit: Unit, classes: ast.expr, scope: Scope) -> bool:
    resolver = unit.file.resolver
    given = resolver.type_of(classes, scope)
    options = given.elements if isinstance(given, TupleType) else (given,)
    instances = [Instance(each.cls) for each in options if isinstance(each, ClassObject)]
    return any(resolver.awaitability(each).is_certain for each in instances)
