"""Binds the arguments of a call to the parameters of a function that it reaches."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from logctx_lint.inference.types import NONE, FunctionType, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode, Parameter, parameters_of
from logctx_lint.project.modules import Function

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver


def open_parameters(resolver: Resolver, callee: FunctionType | Function) -> list[Parameter]:
    """The parameters that arguments fill: the object of a method that is called fills the first.

    A method that is given without its object counts as called on one.
    """
    if isinstance(callee, Function):
        is_bound = bool(resolver.bindings.first_parameter(callee))
        return list(callee.facts.parameters)[is_bound:]
    return list(callee.function.facts.parameters)[resolver.bindings.is_bound(callee) :]


def written_parameters(function: FunctionNode) -> list[Parameter]:
    """The parameters of a function by its tree, as far as arguments are bound to them."""
    return [Parameter(each.arg, "", "", kind) for each, _, kind in parameters_of(function.args)]


def pairs(call: ast.Call, parameters: Iterable[Parameter]) -> Iterator[tuple[Parameter, ast.expr]]:
    """The parameters that have an argument of their own, with it."""
    parameters = list(parameters)
    positional = [parameter for parameter in parameters if not parameter.kind]
    for parameter, argument in zip(positional, call.args, strict=False):
        if isinstance(argument, ast.Starred):
            break
        yield parameter, argument
    named = {parameter.name: parameter for parameter in parameters if parameter.kind in ("", "k")}
    for keyword in call.keywords:
        if keyword.arg in named:
            yield named[keyword.arg], keyword.value


def passed(
    resolver: Resolver, call: ast.Call, callee: FunctionType | Function
) -> list[tuple[str, ast.expr]]:
    """By their names: the parameters of a function that have an argument of their own, with it."""
    return [(each.name, value) for each, value in pairs(call, open_parameters(resolver, callee))]


def filled(call: ast.Call, parameters: Iterable[Parameter]) -> set[str]:
    """The names of the parameters that something is passed for: `*values` fill one, at least."""
    positional = (each.name for each in parameters if not each.kind)
    by_name = {each.arg for each in call.keywords if each.arg}
    return by_name | {name for name, _ in zip(positional, call.args, strict=False)}


def parameter_for(
    resolver: Resolver, call: ast.Call, callee: FunctionType | Function, argument: ast.expr
) -> str:
    """The parameter that an argument is passed for; empty where that is not clear."""
    return next((name for name, each in passed(resolver, call, callee) if each is argument), "")


def argument_for(
    resolver: Resolver, call: ast.Call, callee: FunctionType, name: str
) -> ast.expr | None:
    """The expression that a call passes for a parameter; None where there is none."""
    for parameter, argument in passed(resolver, call, callee):
        if parameter == name:
            return argument
    is_own = resolver.bindings.is_bound(callee) and isinstance(call.func, ast.Attribute)
    first = callee.function.facts.parameters[:1]
    return call.func.value if is_own and any(each.name == name for each in first) else None  # type: ignore[attr-defined]


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
