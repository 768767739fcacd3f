"""The calls in a package that may be of one function."""

from __future__ import annotations

import ast

from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.types import FunctionType, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Function


def call_sites(resolver: Resolver, function: Function) -> list[tuple[ast.Call, Scope]]:
    """The calls of something of a function's name, but for those that are known to be of others."""
    return [
        (call, scope)
        for call, scope in resolver.references.calls(function.name, function.module)
        if _may_reach(resolver, function, call, scope)
    ]


def _may_reach(resolver: Resolver, function: Function, call: ast.Call, scope: Scope) -> bool:
    members = members_of(resolver.type_of(call.func, scope))
    found = [each.function for each in members if isinstance(each, FunctionType)]
    return function in found or len(found) < len(members) or not found
