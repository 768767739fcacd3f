"""Parameters whose annotation the code around them contradicts.

def limited(function: Coroutine, key: Callable[[str], Awaitable[int]] = lambda name: 1):
    function.limit = 5                  # A coroutine has no such attribute,
    return await function(key)          # and cannot be called: it is a coroutine function.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from logctx_lint.inference.types import (
    CallableType,
    Certainty,
    Instance,
    Type,
    members_of,
    union_of,
    without_none,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver


_LAZY = frozenset({"typing.Coroutine", "typing.Awaitable"})


def by_use(declared: Type, name: str, scope: Scope) -> Type:
    """What a parameter is that is declared to be a coroutine, by what its function does with it.

    A coroutine cannot be called, nor given an attribute: what is meant is the function.
    """
    if not isinstance(declared, Instance) or declared.cls.qualified_name not in _LAZY:
        return declared
    tree = scope.tree
    is_function = isinstance(tree, FunctionNode) and _is_function(tree, name)
    return CallableType(declared) if is_function else declared


def _is_function(tree: FunctionNode, name: str) -> bool:
    is_called = False
    for node in all_nodes(tree):
        match node:
            case ast.Call(ast.Name(called)) if called == name:
                is_called = True
            case ast.Attribute(ast.Name(owner), _, ast.Store()) if owner == name:
                is_called = True
            case ast.Name(bound, ast.Store()) if bound == name:
                return False
    return is_called


def by_default(resolver: Resolver, declared: Type, default: ast.expr, scope: Scope) -> Type:
    """What a parameter is that is declared to give an awaitable, where its default gives none."""
    if not any(
        isinstance(each, CallableType) and resolver.awaitability(each.returns).is_certain
        for each in members_of(declared)
    ):
        return declared
    given = without_none(resolver.type_of(default, scope))
    results = [resolver.awaitability(resolver.call_type(each)) for each in members_of(given)]
    is_plain = bool(results) and all(each.certainty is Certainty.NO for each in results)
    return union_of([declared, given]) if is_plain else declared
