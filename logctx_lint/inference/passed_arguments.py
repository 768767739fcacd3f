"""What a call passes for the parameters of a function."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from logctx_lint.inference.types import NONE, FunctionType, members_of
from logctx_lint.inference.use_def import Scope

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver


def argument_for(
    resolver: Resolver, call: ast.Call, callee: FunctionType, name: str
) -> ast.expr | None:
    """The expression that a call passes for a parameter; None where there is none."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    positional = [each.name for each in callee.function.facts.parameters if not each.kind]
    if name not in positional:
        return None
    index = positional.index(name) - resolver.bindings.is_bound(callee)
    if index < 0:
        return call.func.value if isinstance(call.func, ast.Attribute) else None
    if index >= len(call.args) or any(isinstance(each, ast.Starred) for each in call.args):
        return None
    return call.args[index]


def positional_parameters(resolver: Resolver, callee: FunctionType) -> list[str]:
    """The names of the parameters that a call fills by position, without a bound first one."""
    positional = [each.name for each in callee.function.facts.parameters if not each.kind]
    return positional[resolver.bindings.is_bound(callee) :]


def is_passed(
    resolver: Resolver, call: ast.Call, callee: FunctionType, name: str, *, scope: Scope
) -> bool:
    """Whether a call passes something for a parameter, and nothing says that it may be None."""
    given = argument_for(resolver, call, callee, name) if name else None
    return given is not None and NONE not in members_of(resolver.type_of(given, scope))
