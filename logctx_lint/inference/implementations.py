"""The implementations of an abstract method: its overrides, or methods of classes of its shape.

class Transport(Protocol):
    def open(self) -> Stream: ...
    async def close(self) -> None: ...

class Socket:                       # No base class, but all of its methods.
    def open(self) -> Stream: return Stream()
    async def close(self) -> None: self.stop()
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from logctx_lint.project.modules import Class, Function

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver


def implementations(resolver: Resolver, function: Function) -> list[Function]:
    """What a method stands for that is only there to be overridden; any other one itself."""
    is_abstract = resolver.functions.is_abstract(function)
    found = list(overrides(resolver, function)) if is_abstract else []
    return found or [function.implementation]


def overrides(resolver: Resolver, function: Function) -> Iterator[Function]:
    """What overrides a method, and is no such template itself.

    By the shape of a class alone only where no class says that it implements a protocol.
    """
    derived = list(resolver.references.overriding(function))
    for each in derived or _of_its_shape(resolver, function):
        if not resolver.functions.is_abstract(each):
            yield each


def _of_its_shape(resolver: Resolver, function: Function) -> Iterator[Function]:
    """The same method of classes that have all methods of its `Protocol`, as asynchronous."""
    protocol = function.owner
    if protocol is None or not resolver.classes.is_protocol(protocol):
        return
    table = "asynchronous" if function.facts.is_async else "members"
    for cls in resolver.references.classes_with(table, function.name, protocol.module):
        if not resolver.classes.is_protocol(cls) and _has_all(resolver, cls, protocol):
            yield from cls.function(function.name)[-1:]


def _has_all(resolver: Resolver, cls: Class, protocol: Class) -> bool:
    for name, functions in protocol.facts.functions.items():
        found = _method(resolver, cls, name)
        if found is None or found.facts.is_async != functions[-1].is_async:
            return False
    return True


def _method(resolver: Resolver, cls: Class, name: str) -> Function | None:
    owners = (each for each, _ in resolver.classes.ancestors(cls))
    return next((found[-1] for owner in owners if (found := owner.function(name))), None)
