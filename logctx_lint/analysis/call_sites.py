"""The calls in a package that reach, or may reach, a given function."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.types import FunctionType, callees_of, functions_of, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Function


def call_sites(resolver: Resolver, function: Function) -> list[tuple[ast.Call, Scope]]:
    """The calls of something of a function's name, but for those that are known to be of others."""
    return [
        (call, scope)
        for call, scope in resolver.references.calls(function.name, function.module)
        if _may_reach(resolver, function, call, scope)
    ]


def calls_of(
    resolver: Resolver, function: Function
) -> Iterator[tuple[ast.Call, Scope, FunctionType]]:
    """The calls in the package that are known to reach a function, and as what."""
    for call, scope in resolver.references.calls(function.name, function.module):
        for each in callees_of(resolver.type_of(call.func, scope)):
            if each.function == function:
                yield call, scope, each


def _may_reach(resolver: Resolver, function: Function, call: ast.Call, scope: Scope) -> bool:
    members = members_of(resolver.type_of(call.func, scope))
    found = functions_of(resolver.type_of(call.func, scope))
    return function in found or len(found) < len(members) or not found
