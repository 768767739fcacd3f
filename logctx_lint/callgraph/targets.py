"""Call targets: which first-party functions a call may reach."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum

from logctx_lint.callgraph.class_hierarchy import ClassHierarchy
from logctx_lint.inference.definitions import Definition
from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.types import (
    UNKNOWN,
    CallableType,
    ClassObject,
    FunctionType,
    Instance,
    Presumed,
    Type,
    TypeVariable,
    Unknown,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Function


class Reason(str, Enum):
    """Why it is not known what a call reaches; the values are what a person reads."""

    TYPE = "the type of what is called is unknown"
    CALLABLE = "any callable may be there"
    PARAMETER = "it is a parameter, and what callers hand in is followed from there"
    ABSTRACT = "it is abstract, and nothing overrides it"


@dataclass(frozen=True, slots=True)
class Reached:
    """The functions that a call may reach. Without any it leaves the project, or:"""

    functions: tuple[Function, ...] = ()
    reason: Reason | None = None


class CallTargets:
    """Answers what a call reaches."""

    def __init__(self, resolver: Resolver, hierarchy: ClassHierarchy) -> None:
        self._resolver = resolver
        self._hierarchy = hierarchy

    def of(self, func: ast.expr, scope: Scope) -> Reached:
        """What calling an expression may reach."""
        definition: Definition = UNKNOWN
        if isinstance(func, ast.Name | ast.Attribute):
            definition, names = self._resolver.define(func, scope)
            if isinstance(func, ast.Attribute) and not names:
                return self._method(func, scope)
            if isinstance(func, ast.Name) and _is_parameter(func.id, scope):
                reached = self.of_type(self._resolver.type_of(func, scope))
                return reached if reached.functions else Reached((), Reason.PARAMETER)
        if isinstance(definition, FunctionType):
            return self.of_type(definition)
        return self.of_type(self._resolver.type_of(func, scope))

    def _method(self, func: ast.Attribute, scope: Scope) -> Reached:
        """A method as it is defined, whatever its decorators make of it, and its overrides."""
        if isinstance(func.value, ast.Call) and ast.unparse(func.value.func) == "super":
            return self.of_type(self._resolver.type_of(func, scope))
        receiver = self._resolver.type_of(func.value, scope)
        reached = _joined([self._member(each, func.attr) for each in members_of(receiver)])
        if reached.reason is not Reason.TYPE:
            return reached
        # The name alone may say something.
        presumed = self._resolver.unique_methods.result(func, scope)
        return self.of_type(presumed) if isinstance(presumed, Presumed) else reached

    def _member(self, receiver: Type, name: str) -> Reached:
        """The method that an object has under a name, and what its subclasses make of it."""
        if isinstance(receiver, TypeVariable):
            return self._member(receiver.bound, name)
        if not isinstance(receiver, Instance | ClassObject):
            return self.of_type(self._resolver.member(receiver, name))
        method = self._hierarchy.definition(receiver.cls, name)
        if method and not method.module.is_foreign:
            overrides = self._hierarchy.of(receiver.cls, name)
            if not self._hierarchy.is_abstract(method):
                return Reached(tuple(dict.fromkeys([method, *overrides])))
            reached = Reached(
                tuple(each for each in overrides if not self._hierarchy.is_abstract(each))
            )
            return reached if reached.functions else Reached((), Reason.ABSTRACT)
        reached = self.of_type(self._resolver.member(receiver, name))
        if reached.reason is None or receiver.cls.module.is_foreign:
            return reached
        # A mixin counts on what it will be mixed with.
        mixed = tuple(self._hierarchy.of(receiver.cls, name))
        return Reached(mixed) if mixed else reached

    def of_type(self, type_: Type) -> Reached:
        """What calling a value of a type reaches."""
        return _joined([self._of_member(member) for member in members_of(type_)])

    def _of_member(self, type_: Type) -> Reached:
        match type_:
            case FunctionType(function):
                return Reached(() if function.module.is_foreign else (function.implementation,))
            case Instance():
                call = self._resolver.classes.member(type_, "__call__")
                return Reached() if call is None else self.of_type(call)
            case CallableType():
                return Reached((), Reason.CALLABLE)
            case TypeVariable(_, bound):
                return self.of_type(bound)
            case Unknown() | Presumed(functions=()):
                return Reached((), Reason.TYPE)
            case Presumed(functions=functions):
                return Reached(tuple(each for each in functions if not each.module.is_foreign))
        return Reached()


def _joined(reached: list[Reached]) -> Reached:
    """What one of several values reaches; a reason counts where nothing else is known."""
    functions = tuple(dict.fromkeys(each for one in reached for each in one.functions))
    if functions or any(one.reason is None for one in reached):
        return Reached(functions)
    return reached[0] if reached else Reached((), Reason.TYPE)


def _is_parameter(name: str, scope: Scope) -> bool:
    """Whether a name is a parameter of this function or of one around it."""
    inner: Scope | None = scope
    while inner:
        if inner.node and name in inner.bindings:
            return any(binding.kind == "parameter" for binding in inner.bindings[name])
        inner = inner.parent
    return False
