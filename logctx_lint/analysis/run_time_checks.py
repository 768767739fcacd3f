"""Code that checks at run time whether a value is awaitable: nothing is reported of it there.

if inspect.iscoroutinefunction(callback):
    await callback()
else:
    callback()             # no coroutine is dropped here, whatever is declared
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.surroundings import outwards
from logctx_lint.analysis.units import Unit
from logctx_lint.inference.narrowing import dotted
from logctx_lint.inference.types import ClassObject, Instance, TupleType, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.syntax.ast_walk import all_nodes


def is_asked_for(unit: Unit, node: ast.expr) -> bool:
    """Whether code asks of a dotted name what it holds: its type, an attribute, a coroutine."""
    path = dotted(node)
    return bool(path) and any(
        bool(call.args)
        and dotted(call.args[0]).removesuffix(".__call__") == path
        and _asks(unit, call, scope)
        for call, scope in unit.nodes(ast.Call)
    )


def is_where_there(unit: Unit, node: ast.expr) -> bool:
    """Whether code asks if there is a method which the class of the object does not have.

    Which class it is that has one, among those that inherit from it, whoever asks knows.
    """
    if not isinstance(node, ast.Attribute):
        return False
    path, resolver = dotted(node.value), unit.file.resolver
    for call, scope in unit.nodes(ast.Call):
        match call:
            case ast.Call(ast.Name("hasattr"), [asked, ast.Constant(node.attr)]):
                if path and dotted(asked) == path:
                    members = members_of(resolver.type_of(asked, scope))
                    return all(
                        isinstance(each, Instance)
                        and resolver.classes.member(each, node.attr) is None
                        for each in members
                    )
    return False


def is_in_plain_mode(context: TreeContext, call: ast.Call) -> bool:
    """Whether a method is called where another one of the same object is known to be plain.

    if inspect.iscoroutinefunction(self.start):
        run(self.start())
    else:
        self.start(); self.stop()
    """
    if not isinstance(call.func, ast.Attribute) or not (path := dotted(call.func.value)):
        return False
    for outer, inner in outwards(context, call):
        if isinstance(outer, ast.If) and inner in outer.orelse:
            for asked in all_nodes(outer.test):
                match asked:
                    case ast.Call(func, [ast.Attribute(receiver)]) if dotted(receiver) == path:
                        scope = context.scopes[call]
                        return context.file.summaries.asks_whether_awaitable(func, scope)
    return False


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
