"""Unification: solves type variables by matching a value's type with the type that is expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logctx_lint.inference import protocols
from logctx_lint.inference.types import (
    NONE,
    UNKNOWN,
    CallableType,
    ClassObject,
    FunctionType,
    Instance,
    TupleType,
    Type,
    TypeVariable,
    UnionType,
    members_of,
    type_variables,
    union_of,
)

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver
    from logctx_lint.project.modules import Function


def match(resolver: Resolver, wanted: Type, given: Type, solved: dict[str, Type]) -> bool:
    """Solve the type variables of `wanted` so that `given` fits; False if it does not.

    Of a union that is given, each member is matched by itself.
    """
    if isinstance(wanted, TypeVariable):
        known = solved.get(wanted.name)
        solved[wanted.name] = given if known is None else union_of([known, given])
        return True
    if isinstance(wanted, CallableType):
        # Overloads are a union, too, and are called as one.
        return _match_callable(resolver, wanted, given, solved)
    fits = [_match_member(resolver, wanted, member, solved) for member in members_of(given)]
    return any(fits)


def _match_member(resolver: Resolver, wanted: Type, given: Type, solved: dict[str, Type]) -> bool:
    match wanted:
        case UnionType(members):
            # `Awaitable[T] | T`: what fits the first is no T itself.
            ordered = sorted(members, key=lambda member: isinstance(member, TypeVariable))
            return any(_attempt(resolver, member, given, solved) for member in ordered)
        case TupleType(elements) if isinstance(given, TupleType):
            pairs = zip(elements, given.elements, strict=False)
            fits = [match(resolver, left, right, solved) for left, right in pairs]
            return all(fits)
        case ClassObject(cls, parts) if isinstance(given, ClassObject):
            instance = Instance(given.cls, given.arguments)
            return _match_instance(resolver, Instance(cls, parts), instance, solved)
        case Instance():
            if isinstance(given, TupleType):
                given = resolver.builtin("tuple", union_of(given.elements))
            return isinstance(given, Instance) and _match_instance(resolver, wanted, given, solved)
    return wanted == NONE == given


def _attempt(resolver: Resolver, wanted: Type, given: Type, solved: dict[str, Type]) -> bool:
    """Match without leaving anything behind when it fails."""
    trial = dict(solved)
    if not match(resolver, wanted, given, trial):
        return False
    solved.update(trial)
    return True


def _match_callable(
    resolver: Resolver, wanted: CallableType, given: Type, solved: dict[str, Type]
) -> bool:
    if not any(
        isinstance(member, FunctionType | CallableType | ClassObject | Instance)
        for member in members_of(given)
    ):
        return False
    returned = resolver.call_type(given)
    if not type_variables(wanted.returns):
        return returned != UNKNOWN
    return match(resolver, wanted.returns, returned, solved)


def _match_instance(
    resolver: Resolver, wanted: Instance, given: Instance, solved: dict[str, Type]
) -> bool:
    name = wanted.cls.qualified_name
    found = resolver.classes.arguments_as(given, name)
    if found is None:
        # What a class can do makes it one of these, whatever it inherits.
        content = protocols.content_as(resolver, given, name)
        found = None if content is None else (content,)
    if found is None:
        return False
    for part, argument in zip(wanted.arguments, found, strict=False):
        match(resolver, part, argument, solved)
    return True


def parameter_variable(function: Function, name: str) -> str:
    """The type variable that a parameter without annotation is."""
    return f"{function.qualified_name}({name})"
