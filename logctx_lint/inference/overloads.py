"""Which overloads a call may select.

By literal arguments:

    @overload
    def stop(self, wait: Literal[True]) -> Awaitable[None]: ...
    @overload
    def stop(self, wait: Literal[False] = False) -> None: ...

By awaitables, and functions that give them:

    @overload
    def logged(f: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]: ...
    @overload
    def logged(f: Callable[P, T]) -> Callable[P, T]: ...

Overloads that differ in other types are all kept.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, TypeGuard

from logctx_lint.inference import annotation_types
from logctx_lint.inference.annotation_types import parse_expression, special_form
from logctx_lint.inference.arguments import pair
from logctx_lint.inference.class_members import signature_scope
from logctx_lint.inference.types import CallableType, Certainty, FunctionType, Kind, Type
from logctx_lint.project.facts import Parameter

if TYPE_CHECKING:
    from logctx_lint.inference.arguments import Arguments
    from logctx_lint.inference.resolver import Resolver


def meant(resolver: Resolver, members: tuple[Type, ...], arguments: Arguments) -> tuple[Type, ...]:
    """The members of a callee's type that a call with these arguments can mean."""
    callees = [each for each in members if _is_overload(each)]
    if len(callees) < len(members):
        return members
    if arguments.is_complete:
        callees = [
            each for each in callees if _takes_literals(resolver, each, arguments)
        ] or callees
    answers = [_takes_awaitables(resolver, each, arguments) for each in callees]
    best = True if True in answers else None
    kept = [each for each, answer in zip(callees, answers, strict=True) if answer is best]
    return tuple(kept or callees)


def _is_overload(member: Type) -> TypeGuard[FunctionType]:
    return isinstance(member, FunctionType) and any(
        "overload" in decorator for decorator in member.function.facts.decorators
    )


def _takes_awaitables(
    resolver: Resolver, callee: FunctionType, arguments: Arguments
) -> bool | None:
    """Whether awaitables are passed where they are asked for; None if none are, or who knows."""
    scope = signature_scope(callee.function)
    answers: list[bool | None] = []
    for parameter, argument in pair(_parameters(resolver, callee), arguments):
        if not parameter.annotation:
            continue
        wanted = annotation_types.evaluate(resolver, parse_expression(parameter.annotation), scope)
        is_result = isinstance(wanted, CallableType)
        asked = resolver.awaitability(resolver.call_type(wanted) if is_result else wanted)
        if not asked.is_certain:
            continue
        given = resolver.awaitability(resolver.call_type(argument()) if is_result else argument())
        if given.certainty is Certainty.NO:
            answers.append(False)
        elif given.is_certain and asked.kind in (Kind.AWAITABLE, given.kind):
            answers.append(True)
    return all(answers) if answers else None


def _parameters(resolver: Resolver, callee: FunctionType) -> list[Parameter]:
    """Those that a call passes something for."""
    parameters = list(callee.function.facts.parameters)
    return parameters[1:] if resolver.bindings.is_bound(callee) else parameters


def _takes_literals(resolver: Resolver, callee: FunctionType, arguments: Arguments) -> bool:
    for index, parameter in enumerate(_parameters(resolver, callee)):
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
