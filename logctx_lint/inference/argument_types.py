"""Types of parameters and attributes without annotation, inferred from their uses."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from logctx_lint.incremental.memo import Store
from logctx_lint.inference.arguments import arguments_of, pair
from logctx_lint.inference.types import (
    FOREIGN_OPTION,
    UNKNOWN,
    ClassObject,
    FunctionType,
    Instance,
    Type,
    erase,
    members_of,
    union_of,
    without_none,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import last_name

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver

_FURTHEST = 3
"""Calls behind calls that an answer may rest on."""
_MOST_TYPES = 6
"""What is given more than these different things can be anything."""


class CallSites:
    """Infers definitions from their uses; part of the resolver.

    Whoever calls a function may have its own arguments from its callers, and so on round in
    circles. So an answer rests on answers of a lower level, which are kept apart, and those of
    the lowest level look at no uses: then no circle closes, and nothing depends on who asked first.
    """

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._parameters: Store[Type] = {}
        self._attributes: Store[Type] = {}

    def parameter(self, function: Function, name: str) -> Type:
        """What is passed for a parameter without annotation; has UNKNOWN for calls not seen."""
        if not self._may_look(function):
            return UNKNOWN
        return self._resolver.memo.get(
            self._parameters, (function, name), lambda: self._passed(function, name), UNKNOWN
        )

    def attribute(self, cls: Class, name: str) -> Type:
        """What code outside the class sets an attribute of its instances to."""
        if cls.module.is_foreign or self._resolver.memo.level >= _FURTHEST:
            return UNKNOWN
        return self._resolver.memo.get(
            self._attributes, (cls, name), lambda: self._set(cls, name), UNKNOWN
        )

    def _may_look(self, function: Function) -> bool:
        is_nested = function.scope is not None and function.scope.function is not None
        # Whoever asks for the level has an answer of that level alone, so that comes last.
        return (
            not function.module.is_foreign
            and not is_nested
            and self._resolver.memo.level < _FURTHEST
        )

    def _passed(self, function: Function, name: str) -> Type:
        with self._resolver.memo.lower():
            given: list[Type] = []
            is_by_subclasses = function.name == "__init__"
            for call, scope, bound in self._calls_of(function):
                is_by_subclasses &= last_name(call.func) == "__init__"
                arguments = arguments_of(self._resolver, call, scope)
                parameters = list(function.facts.parameters)[bound:]
                for parameter, argument in pair(parameters, arguments):
                    if parameter.name == name and parameter.kind in ("", "k"):
                        given.append(argument())
            if given and is_by_subclasses and self._has_other_heirs(function):
                given.append(FOREIGN_OPTION)
        return _summary(given)

    def _has_other_heirs(self, init: Function) -> bool:
        """Whether a class has a subclass that is given its arguments by whoever makes it.

        What the constructor of another subclass passes on is none of its business.
        """
        cls = init.owner
        return cls is not None and any(
            not each.function("__init__") and self._inherits(each, cls)
            for each in self._resolver.references.subclasses(cls)
        )

    def _calls_of(self, function: Function) -> Iterator[tuple[ast.Call, Scope, bool]]:
        """The calls that reach a function, and whether its first parameter is filled already."""
        if function.owner and function.name == "__init__":
            yield from self._constructions(function, function.owner, {function.owner})
            return
        for call, scope in self._resolver.references.calls(function.name, function.module):
            for member in members_of(self._resolver.type_of(call.func, scope)):
                if isinstance(member, FunctionType) and self._is_same(member.function, function):
                    yield call, scope, self._resolver.bindings.is_bound(member)
                    break

    def _constructions(
        self, init: Function, cls: Class, seen: set[Class]
    ) -> Iterator[tuple[ast.Call, Scope, bool]]:
        """The calls of a class, and of those that inherit its `__init__` or pass arguments on."""
        for call, scope in self._resolver.references.calls(cls.name, init.module):
            for member in members_of(self._resolver.type_of(call.func, scope)):
                if isinstance(member, ClassObject) and member.cls == cls:
                    yield call, scope, True
                    break
        for other in self._resolver.references.subclasses(cls):
            if other in seen or len(seen) > 20 or not self._inherits(other, cls):
                continue
            seen.add(other)
            own = other.function("__init__")
            if own:
                for call, scope in self._resolver.references.body(own[-1]).calls.get(
                    "__init__", ()
                ):
                    for member in members_of(self._resolver.type_of(call.func, scope)):
                        if isinstance(member, FunctionType) and member.function == init:
                            yield call, scope, self._resolver.bindings.is_bound(member)
            else:
                yield from self._constructions(init, other, seen)

    def _inherits(self, cls: Class, base: Class) -> bool:
        return any(ancestor == base for ancestor, _ in self._resolver.classes.ancestors(cls))

    def _is_same(self, called: Function, function: Function) -> bool:
        """Whether a call may reach `function`: it is called, or overrides or is overridden."""
        if called == function:
            return True
        if not called.owner or not function.owner:
            return False
        return self._inherits(called.owner, function.owner) or self._inherits(
            function.owner, called.owner
        )

    def _set(self, cls: Class, name: str) -> Type:
        with self._resolver.memo.lower():
            given = [
                self._resolver.type_of(statement.value, scope)
                for statement, scope in self._resolver.references.assignments(name, cls.module)
                if self._sets(statement, scope, cls, name)
            ]
        return _summary(given)

    def _sets(self, statement: ast.Assign, scope: Scope, cls: Class, name: str) -> bool:
        """Whether a statement sets the attribute on an instance of `cls` or what inherits it."""
        for target in statement.targets:
            if isinstance(target, ast.Attribute) and target.attr == name:
                for member in members_of(self._resolver.type_of(target.value, scope)):
                    if isinstance(member, Instance) and (
                        self._inherits(member.cls, cls) or self._inherits(cls, member.cls)
                    ):
                        return True
        return False


def _summary(given: list[Type]) -> Type:
    """One type for what is given at several places; nobody says that these are all."""
    members = members_of(without_none(union_of(erase(each) for each in given)))
    known_members = [member for member in members if member != UNKNOWN]
    if not known_members or len(known_members) > _MOST_TYPES:
        return UNKNOWN
    return union_of([*known_members, UNKNOWN])
