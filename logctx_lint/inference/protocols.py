"""Types of what Python's protocols give: awaiting, iterating, entering, unpacking."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from logctx_lint.inference.types import (
    FOREIGN,
    FOREIGN_OPTION,
    NONE,
    UNKNOWN,
    Awaitability,
    Certainty,
    External,
    ExternalInstance,
    Instance,
    Kind,
    Presumed,
    TupleType,
    Type,
    TypeVariable,
    UnionType,
    Unknown,
    erase,
    members_of,
    union_of,
)

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver
    from logctx_lint.project.modules import Class

_KINDS = (
    (frozenset({"typing.Coroutine", "types.CoroutineType"}), Kind.COROUTINE),
    (frozenset({"twisted.internet.defer.Deferred"}), Kind.DEFERRED),
    (frozenset({"asyncio.tasks.Task"}), Kind.TASK),
    (frozenset({"asyncio.futures.Future"}), Kind.FUTURE),
)


def awaited(resolver: Resolver, type_: Type) -> Type:
    """What `await` gives back."""
    match type_:
        case UnionType(members):
            return union_of(awaited(resolver, member) for member in members if member != NONE)
        case External(is_option=True) | ExternalInstance(is_option=True):
            return FOREIGN_OPTION
        case External() | ExternalInstance() | Presumed(functions=()):
            return FOREIGN
        case Instance():
            for name, index in (
                ("typing.Coroutine", 2),
                ("twisted.internet.defer.Deferred", 0),
                ("asyncio.futures.Future", 0),
                ("typing.Awaitable", 0),
            ):
                arguments = resolver.classes.arguments_as(type_, name)
                if arguments is not None:
                    return arguments[index] if index < len(arguments) else UNKNOWN
            generator = resolver.call_type(resolver.member(type_, "__await__"))
            if isinstance(generator, Instance) and len(generator.arguments) == 3:
                return generator.arguments[2]
        case TypeVariable(_, bound):
            return awaited(resolver, bound) if bound != UNKNOWN else UNKNOWN
    return UNKNOWN


def iterated(resolver: Resolver, type_: Type, *, is_async: bool = False) -> Type:
    """What a loop over the value gives."""
    match type_:
        case UnionType(members):
            return union_of(
                iterated(resolver, member, is_async=is_async)
                for member in members
                if member != NONE
            )
        case TupleType(elements):
            return union_of(elements)
        case External(is_option=True) | ExternalInstance(is_option=True):
            return FOREIGN_OPTION
        case External() | ExternalInstance():
            return FOREIGN
        case Instance():
            name = "typing.AsyncIterable" if is_async else "typing.Iterable"
            arguments = resolver.classes.arguments_as(type_, name)
            if arguments:
                return arguments[0]
            return _next(resolver, type_, is_async=is_async)
    return UNKNOWN


def _next(resolver: Resolver, type_: Instance, *, is_async: bool) -> Type:
    """What the iterator that a class makes gives, or the old way to be iterable."""
    iterator = resolver.call_type(resolver.member(type_, "__aiter__" if is_async else "__iter__"))
    if is_async:
        return awaited(resolver, resolver.call_type(resolver.member(iterator, "__anext__")))
    if iterator != UNKNOWN:
        return resolver.call_type(resolver.member(iterator, "__next__"))
    return resolver.call_type(resolver.member(type_, "__getitem__"))


def entered(resolver: Resolver, type_: Type, *, is_async: bool = False) -> Type:
    """What `with ... as` binds."""
    if is_async:
        return awaited(resolver, resolver.call_type(resolver.member(type_, "__aenter__")))
    return resolver.call_type(resolver.member(type_, "__enter__"))


_STRUCTURAL: dict[str, tuple[str, Callable[[Resolver, Type], Type]]] = {
    "typing.Awaitable": ("__await__", awaited),
    "typing.Iterable": ("__iter__", iterated),
    "typing.AsyncIterable": ("__aiter__", lambda resolver, t: iterated(resolver, t, is_async=True)),
    "contextlib.AbstractContextManager": ("__enter__", entered),
    "contextlib.AbstractAsyncContextManager": (
        "__aenter__",
        lambda resolver, type_: entered(resolver, type_, is_async=True),
    ),
}
"""Classes that one method makes an object an instance of, and what that gives."""


def content_as(resolver: Resolver, instance: Instance, name: str) -> Type | None:
    """What an instance holds, seen as the protocol called `name`; None if it is no such thing."""
    if name not in _STRUCTURAL:
        return None
    method, content = _STRUCTURAL[name]
    if resolver.classes.member(instance, method) is None:
        return None
    return content(resolver, instance)


def element(resolver: Resolver, type_: Type, index: int) -> Type:
    """What unpacking gives at `index`."""
    match type_:
        case TupleType(elements):
            return elements[index] if index < len(elements) else UNKNOWN
        case UnionType(members):
            return union_of(
                element(resolver, member, index) for member in members if member != NONE
            )
    return iterated(resolver, type_)


_NOT_KNOWN = Awaitability(Certainty.UNKNOWN)


def awaitability(resolver: Resolver, type_: Type) -> Awaitability:
    """Whether a value of this type is an awaitable, how surely, and of which kind."""
    if type_ is UNKNOWN:
        return _NOT_KNOWN
    kinds: list[Kind] = []
    presumed: list[Kind] = []
    others = unknowns = variables = options = 0
    for member in members_of(type_):
        if isinstance(member, Presumed):
            presumed.append(awaitability(resolver, member.type).kind)
            continue
        kind = _kind(resolver, member)
        if isinstance(kind, Kind):
            kinds.append(kind)
        elif isinstance(member, TypeVariable):
            variables += 1  # `Awaitable[T] | T`: whatever it may be.
        elif isinstance(member, External | ExternalInstance) and member.is_option:
            options += 1  # `Client | AsyncClient`: which of them it is, the code knows.
        elif kind is None:
            unknowns += 1
        else:
            others += 1
    is_open = bool(others or variables or options)
    if kinds:
        return Awaitability(Certainty.SOME if is_open else Certainty.YES, kinds[0])
    if presumed:
        return Awaitability(Certainty.SOME if is_open else Certainty.LIKELY, presumed[0])
    is_unknown = unknowns or variables or options
    return Awaitability(Certainty.UNKNOWN if is_unknown else Certainty.NO)


def _kind(resolver: Resolver, type_: Type) -> Kind | bool | None:
    """The kind of awaitable, False for none, None for unknown."""
    match type_:
        case Unknown() | ExternalInstance() | External():
            return None
        case TypeVariable(_, bound):
            return None if bound == UNKNOWN else _kind(resolver, erase(bound))
        case UnionType():
            answer = awaitability(resolver, type_)
            return answer.kind if answer.is_certain else None
        case Instance(cls):
            return resolver.memo.get(
                resolver.kinds, cls, lambda: _kind_of_class(resolver, cls), None
            )
    return False


def _kind_of_class(resolver: Resolver, cls: Class) -> Kind | bool | None:
    """The same of the instances of a class, whatever its type arguments are."""
    for names, kind in _KINDS:
        if resolver.classes.has_ancestor(cls, names):
            return kind
    if resolver.classes.member(Instance(cls), "__await__") is not None:
        return Kind.AWAITABLE
    return None if resolver.classes.unknown_bases(cls) else False
