"""Methods that only one class of the project has: an unknown receiver is inferred from them."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from logctx_lint.incremental.memo import Store
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.types import (
    NONE,
    UNKNOWN,
    External,
    ExternalInstance,
    FunctionType,
    Instance,
    Presumed,
    Type,
    members_of,
    union_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Class, Function, Module
from logctx_lint.syntax.ast_walk import is_name

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver

_COMMON_NAMES = Path(__file__).with_name("common_names.txt")
"""Methods of the standard library, Twisted and others that have more than one word in them."""
_SEVERAL_WORDS = re.compile(r"[^_]_[^_]|[a-z0-9][A-Z]")
_CLASS_NAME = re.compile(r"_*[A-Z]\w*")
_OF_TYPES = ("typing.", "typing_extensions.")
"""What makes types of classes, and no classes with other methods: `NewType`, `TypeVar`."""
_MODE = re.compile(r"^(async|aio|sync)|(async|aio|sync)$", re.IGNORECASE)
"""What class names say of the mode, sync or async."""
_MOST_DECLARATIONS = 30
_MAKING_ATTRIBUTES = ("__getattr__", "__getattribute__")


@cache
def _common_names() -> frozenset[str]:
    return frozenset(_COMMON_NAMES.read_text(encoding="utf-8").split())


class UniqueMethodNames:
    """Answers for calls on objects of which nothing is known; part of the resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._functions: Store[tuple[Function, ...]] = {}

    def result(self, callee: ast.expr, scope: Scope) -> Type:
        """What calling `callee`, which is unknown, very likely gives."""
        if isinstance(callee, ast.Name):
            # `start = self.queue.startConsuming`
            bindings = scope.bindings.get(callee.id, ())
            values = [binding.value for binding in bindings if binding.kind == "value"]
            if len(bindings) == len(values) == 1 and values[0] and not bindings[0].path:
                callee = values[0]
        if not isinstance(callee, ast.Attribute) or not is_distinctive(callee.attr):
            return UNKNOWN
        name = callee.attr
        functions = self.functions(name, scope.module)
        if not functions or not self._is_unknown(self._resolver.type_of(callee.value, scope)):
            return UNKNOWN
        if isinstance(callee.value, ast.Attribute) and self._is_foreign(callee.value.attr, scope):
            return UNKNOWN
        return Presumed(union_of(map(self._called, functions)), functions)

    def _is_foreign(self, attribute: str, scope: Scope) -> bool:
        """Whether all that the project calls so is known to be an object of other code."""
        found = [
            self._resolver.member(Instance(cls), attribute)
            for cls in self._resolver.references.classes_with("members", attribute, scope.module)
        ]
        known_members = [
            each for type_ in found for each in members_of(type_) if each not in (UNKNOWN, NONE)
        ]
        return bool(known_members) and all(
            isinstance(each, External | ExternalInstance) for each in known_members
        )

    def only(self, callee: ast.expr, scope: Scope) -> list[Function]:
        """The one method of the project that a call on an unknown object very likely reaches."""
        if not isinstance(callee, ast.Attribute) or not is_distinctive(callee.attr):
            return []
        if not self._is_unknown(self._resolver.type_of(callee.value, scope)):
            return []
        if isinstance(callee.value, ast.Attribute) and self._is_foreign(callee.value.attr, scope):
            return []
        classes = self._resolver.references.classes_with("members", callee.attr, scope.module)
        found = classes[0].function(callee.attr) if len(classes) == 1 else []
        return found if len(found) == 1 else []

    def functions(self, name: str, near: Module) -> tuple[Function, ...]:
        """The methods called `name` of a project, if a call of any of them gives an awaitable."""
        if near.is_installed:
            return ()
        key = (self._resolver.modules.package(near), near.is_test, name)
        return self._resolver.memo.get(
            self._functions, key, lambda: tuple(self._find(name, near)), ()
        )

    def _find(self, name: str, near: Module) -> list[Function]:
        found: list[Function] = []
        templates: list[Class] = []
        references = self._resolver.references
        for table in ("asynchronous", "members"):
            for cls in references.classes_with(table, name, near):
                values = [variable.value for variable in cls.facts.variables.get(name, ())]
                # `self.startJob = self.queue.startJob` is none of its own.
                if not all(value.endswith(f".{name}") for value in values):
                    return []
                if self._is_made_over(cls):
                    return []
                for function in cls.function(name):
                    if function in found:
                        continue
                    if self._resolver.awaitability(self._called(function)).is_likely:
                        found.append(function)
                    elif not self._resolver.functions.is_abstract(function):
                        return []
                    elif not function.facts.is_async:
                        templates.append(cls)
                    if len(found) > _MOST_DECLARATIONS:
                        return []
        return [] if any(_has_twin(each, found) for each in templates) else found

    def _called(self, function: Function) -> Type:
        return self._resolver.call_type(FunctionType(function))

    def _is_unknown(self, receiver: Type) -> bool:
        """Whether an object may have a method that we do not see."""
        return all(
            member in (UNKNOWN, NONE)
            # A class that is mixed into others calls what these have; one that makes its
            # attributes up decides itself what they are.
            or (
                isinstance(member, Instance)
                and not member.cls.module.is_stub
                and not any(self._resolver.classes.unknown_bases(member.cls))
                and not any(
                    ancestor.function(name)
                    for ancestor, _ in self._resolver.classes.ancestors(member.cls)
                    for name in _MAKING_ATTRIBUTES
                )
            )
            for member in members_of(receiver)
        )

    def _is_made_over(self, cls: Class) -> bool:
        """Whether its module makes something of a class whose methods have the same names.

        Client = blocking(_Client)   # `client.fetch()` need not be that of `_Client`.
        """
        if cls.module.is_foreign:
            return False
        scope = Scope(cls.module)
        return any(
            isinstance(value, ast.Call)
            and any(is_name(each, cls.name) for each in value.args)
            and not any(
                each.startswith(_OF_TYPES) for each in self._resolver.names(value.func, scope)
            )
            for name, text in cls.module.values_with(cls.name)
            if _CLASS_NAME.fullmatch(name) and (value := parse_expression(text))
        )


def _has_twin(template: Class, found: list[Function]) -> bool:
    """Whether a class whose methods are to be written is the plain twin of an asynchronous one."""
    return any(each.owner and _kernel(each.owner) == _kernel(template) for each in found)


def _kernel(cls: Class) -> str:
    return _MODE.sub("", cls.name.strip("_"))


def is_distinctive(name: str) -> bool:
    """Whether a name is unlikely to be a method of anybody else's objects."""
    return bool(_SEVERAL_WORDS.search(name)) and name not in _common_names()
