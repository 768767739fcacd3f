"""Which overloads a call may select, by its literal arguments.

    @overload
    def stop(self, wait: Literal[True]) -> Awaitable[None]: ...
    @overload
    def stop(self, wait: Literal[False] = False) -> None: ...

Overloads that differ in other types are all kept.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from logctx_lint.inference.annotation_types import parse_expression, special_form
from logctx_lint.inference.class_members import signature_scope
from logctx_lint.inference.types import FunctionType, Type
from logctx_lint.project.facts import Parameter

if TYPE_CHECKING:
    from logctx_lint.inference.calls import Arguments
    from logctx_lint.inference.resolver import Resolver


def meant(resolver: Resolver, members: tuple[Type, ...], arguments: Arguments) -> tuple[Type, ...]:
    """The members of a callee's type that a call with these arguments can mean."""
    if not arguments.is_complete or not all(map(_is_overload, members)):
        return members
    kept = tuple(
        each
        for each in members
        if isinstance(each, FunctionType) and _accepts(resolver, each, arguments)
    )
    return kept or members


def _is_overload(member: Type) -> bool:
    return isinstance(member, FunctionType) and any(
        "overload" in decorator for decorator in member.function.facts.decorators
    )


def _accepts(resolver: Resolver, callee: FunctionType, arguments: Arguments) -> bool:
    function = callee.function
    parameters = list(function.facts.parameters)
    if resolver.bindings.is_bound(callee):
        parameters = parameters[1:]
    for index, parameter in enumerate(parameters):
        if "Literal" not in parameter.annotation:
            continue
        values = _literals(resolver, callee, parameter)
        if values is None:
            continue
        is_positional = not parameter.kind and index < len(arguments.positional)
        if is_positional or parameter.name in arguments.keywords:
            key: int | str = index if is_positional else parameter.name
            given = arguments.constants.get(key)
        else:
            given = _default(callee, parameter)
        if given is not None and given.value not in values:
            return False
    return True


def _literals(
    resolver: Resolver, callee: FunctionType, parameter: Parameter
) -> list[object] | None:
    """The values of a parameter that is annotated `Literal[...]`, and nothing else."""
    node = parse_expression(parameter.annotation)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = parse_expression(node.value)
    if not isinstance(node, ast.Subscript):
        return None
    names = resolver.names(node.value, signature_scope(callee.function))
    if special_form(names) != "Literal":
        return None
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if not all(isinstance(each, ast.Constant) for each in items):
        return None
    return [each.value for each in items if isinstance(each, ast.Constant)]


def _default(callee: FunctionType, parameter: Parameter) -> ast.Constant | None:
    """The default that counts: that of the definition which runs."""
    for each in callee.function.implementation.facts.parameters:
        if each.name == parameter.name:
            node = parse_expression(each.default)
            return node if isinstance(node, ast.Constant) else None
    return None
