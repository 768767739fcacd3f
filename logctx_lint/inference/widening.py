"""Widening: makes types less exact, so that the fixed point of a cycle is reached; see `memo`.

`def nest(x): return [nest(x)]` gives a list of lists of lists: one level more in each round.
So what has come to hold its like is said to hold anything.
"""

from __future__ import annotations

from typing import get_args

from logctx_lint.inference.types import (
    UNKNOWN,
    CallableType,
    ClassObject,
    FunctionType,
    Instance,
    Presumed,
    TupleType,
    Type,
    UnionType,
    members_of,
    union_of,
)

_EXACT_ROUNDS = 3
_DEEPEST = 2
"""Types inside types."""
_WIDEST = 32
"""Members of a union that has grown on a circle: `node = node.value` goes through all there are."""
_SWINGING_ROUNDS = 8
"""An answer that still changes goes back and forth."""
_TYPES = get_args(Type)


def widen(before: object, now: object, changes: int) -> object:
    """What to take for an answer that has changed so often."""
    if not isinstance(now, _TYPES) or not isinstance(before, _TYPES):
        return now
    if (before == UNKNOWN and changes > _EXACT_ROUNDS) or len(members_of(now)) > _WIDEST:
        return UNKNOWN
    if not changes:
        return now
    held = {member.cls for member in members_of(before) if isinstance(member, Instance)}
    grown = union_of(
        Instance(member.cls, (UNKNOWN,) * len(member.arguments))
        if isinstance(member, Instance) and member.cls in held and _holds_its_like(member)
        else member
        for member in members_of(now)
    )
    if changes < _EXACT_ROUNDS:
        return grown
    if changes < _SWINGING_ROUNDS:
        return _cut(grown, _DEEPEST)
    return _cut(union_of([*members_of(before), *members_of(grown)]), _DEEPEST)


def _holds_its_like(type_: Instance) -> bool:
    stack: list[Type] = list(type_.arguments)
    while stack:
        match stack.pop():
            case Instance(cls, arguments):
                if cls == type_.cls:
                    return True
                stack += arguments
            case ClassObject(_, parts) | TupleType(parts) | UnionType(parts):
                stack += parts
            case CallableType(returns, parameters):
                stack += [returns, *parameters]
    return False


def _cut(type_: Type, depth: int) -> Type:
    """The type without what is deeper inside it."""
    match type_:
        case UnionType(members):
            return union_of(_cut(member, depth) for member in members)
        case Instance(cls, arguments) if arguments:
            return Instance(cls, _cut_all(arguments, depth))
        case ClassObject(cls, arguments) if arguments:
            return ClassObject(cls, _cut_all(arguments, depth))
        case TupleType(elements):
            return TupleType(_cut_all(elements, depth))
        case CallableType(returns, parameters):
            (returns,) = _cut_all((returns,), depth)
            return CallableType(returns, _cut_all(parameters, depth))
        case FunctionType(function, receiver, bindings):
            if receiver is not None:
                cut = _cut(receiver, depth)
                receiver = cut if isinstance(cut, Instance | ClassObject) else None
            cut_bindings = tuple((name, _cut(bound, depth)) for name, bound in bindings)
            return FunctionType(function, receiver, cut_bindings)
        case Presumed(inner, functions, by_decorator):
            return Presumed(_cut(inner, depth), functions, by_decorator)
    return type_


def _cut_all(types: tuple[Type, ...], depth: int) -> tuple[Type, ...]:
    return tuple(_cut(each, depth - 1) if depth else UNKNOWN for each in types)
