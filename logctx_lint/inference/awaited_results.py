"""Functions that await what a callback returns although their signature declares a plain result.

async def run(handler: Callable[[], T]) -> T:  # means Callable[[], Awaitable[T]]
    return await maybe_coroutine(handler)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from logctx_lint.inference.known_names import KIND_TEST_NAMES
from logctx_lint.inference.types import CallableType, FunctionType, Type, members_of
from logctx_lint.inference.unification import parameter_variable
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, last_name

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver
    from logctx_lint.inference.use_def import Scope

_DEEPEST = 2
"""How many helpers in between are looked into."""


def awaits_what_it_calls(
    resolver: Resolver, function: Function, solved: Mapping[str, Type]
) -> bool:
    """Whether a function awaits what one of its arguments gives, for which `solved` has types.

    So may a method await what its object was given.
    """
    if not function.facts.is_async or function.module.is_stub:
        return False
    if not any(resolver.awaitability(each).is_likely for each in solved.values()):
        return False
    variables = {name.rpartition(".")[2] for name in solved}
    given = {
        each.name
        for each in function.facts.parameters
        if not variables.isdisjoint(re.findall(r"\w+", each.annotation))
        or parameter_variable(function, each.name) in solved
    }
    if function.owner and not given:
        given = {"self"}
    return _awaits(resolver, function, given, _DEEPEST)


def _awaits(resolver: Resolver, function: Function, given: set[str], depth: int) -> bool:
    """Whether a function awaits what the parameters of some names give, if that can be awaited."""
    function = function.implementation
    node = function.source_tree()
    if node is None:
        return False
    scope = resolver.body_scopes.of(function, node)
    for each in all_nodes(node):
        match each:
            case ast.Call(func, [asked, *_]) if last_name(func).strip("_") in KIND_TEST_NAMES:
                if _comes_from(asked, scope, given):
                    return True
            case ast.Await(ast.Call(func=ast.Subscript(func) | func)) if _is_given(func, given):
                return True
            case ast.Await(ast.Call() as call) if depth and _hands_on(call, given):
                if _is_awaited_by(resolver, call, scope, depth):
                    return True
    return False


def _comes_from(asked: ast.expr, scope: Scope, given: set[str]) -> bool:
    """Whether a value is a parameter, or what a call of one gave."""
    values: list[ast.expr] = [asked]
    if isinstance(asked, ast.Name):
        values += [each.value for each in scope.bindings.get(asked.id, ()) if each.value]
    return any(_is_given(node, given) for value in values for node in all_nodes(value))


def _hands_on(call: ast.Call, given: set[str]) -> bool:
    """Whether something is an argument of a call, or called in one."""
    values = (*call.args, *(keyword.value for keyword in call.keywords))
    return any(_is_given(inner, given) for value in values for inner in all_nodes(value))


def _is_given(node: ast.AST, given: set[str]) -> bool:
    match node:
        case ast.Name(name):
            return name in given
        case ast.Attribute(ast.Name("self")):
            return "self" in given
    return False


def _is_awaited_by(resolver: Resolver, call: ast.Call, scope: Scope, depth: int) -> bool:
    """Whether a helper may await what it is handed; one that is not known may."""
    for callee in members_of(resolver.type_of(call.func, scope)):
        match callee:
            case FunctionType(function):
                names = {each.name for each in function.facts.parameters}
                if function.module.is_stub:
                    continue
                if function.facts.is_async and _awaits(resolver, function, names, depth - 1):
                    return True
            case CallableType():
                continue
            case _:
                return True
    return False
