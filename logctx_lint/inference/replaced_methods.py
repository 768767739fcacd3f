"""Classes whose methods are replaced: by a decorator, a metaclass, or a function passed the class.

    def blocking(cls):
        for name, method in list(vars(cls).items()):
            if inspect.iscoroutinefunction(method):
                setattr(cls, name, run_in_loop(method))
        return cls

What a method of `@blocking class Client` returns, its `def` no longer says. So it is where a
metaclass does this, the `__init_subclass__` of a base class, or a module: `blocking(Client)`. Where
the wrapper returns the coroutine in one case, and runs it in the other, a method has two modes:
then callers that await it get what is declared.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from logctx_lint.incremental.memo import Store
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import class_scope
from logctx_lint.inference.references import functions_named
from logctx_lint.inference.types import ClassObject, FunctionType
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.member_replacements import Replacement, Wrapping, replacements
from logctx_lint.project.modules import Class, Function, Module

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver

_MAKE_CLASSES = ("__new__", "__init__")
"""The methods of a metaclass that see the class that is made."""
_MOST_SUBCLASSES = 20
_Passed = tuple[Module, str, Replacement]
"""A module, the expression in it that is a class, or `module.*`, and what is replaced of that."""


class ReplacedMethods:
    """Answers for which classes that is so; part of the resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._known: Store[tuple[Replacement, ...]] = {}
        self._of_functions: Store[tuple[Replacement, ...]] = {}
        self._in_package: Store[tuple[_Passed, ...]] = {}
        self._modes: Store[tuple[Replacement, ...]] = {}

    def hides(self, cls: Class, name: str, *, is_inherited: bool = False) -> bool:
        """Whether what stands in a class, or in those behind it, may not be what a method does."""
        return any(
            each.wrapping is Wrapping.OTHER
            and each.concerns(name)
            and (each.is_deep or not is_inherited)
            for each in self._of(cls)
        )

    def have_two_modes(self, function: Function) -> bool:
        """Whether a method returns what is declared, or does the work, as a wrapper decides."""
        owner = function.owner
        if owner is None or function.scope or not self._has_setters(owner.module):
            return False
        found = self._resolver.memo.get(
            self._modes, owner, lambda: tuple(self._with_modes(owner)), ()
        )
        return any(each.concerns(function.name) for each in found)

    def _with_modes(self, owner: Class) -> Iterator[Replacement]:
        """What makes two modes of the methods of a class, also in what inherits from it."""
        seen, waiting = {owner}, [owner]
        while waiting and len(seen) < _MOST_SUBCLASSES:
            cls = waiting.pop()
            for each in self._of(cls):
                if each.wrapping is Wrapping.EITHER and (each.is_deep or cls == owner):
                    yield each
            found = set(self._resolver.references.subclasses(cls)) - seen
            waiting += found
            seen |= found

    def _of(self, cls: Class) -> tuple[Replacement, ...]:
        if cls.module.is_stub:
            return ()
        return self._resolver.memo.get(self._known, cls, lambda: tuple(self._find(cls)), ())

    def _find(self, cls: Class) -> Iterator[Replacement]:
        for maker in self._makers(cls):
            yield from self._by(maker)
        for module, text, replacement in self._from_outside(cls.module):
            node = parse_expression(text.replace(".*", f".{cls.name}"))
            found = self._resolver.type_of(node, Scope(module)) if node is not None else None
            if isinstance(found, ClassObject) and found.cls == cls:
                yield replacement

    def _makers(self, cls: Class) -> Iterator[Function]:
        """The functions of source at hand that the new class goes through."""
        type_of = self._resolver.type_of
        for text in cls.facts.decorators:
            node = parse_expression(text)
            if node is not None:
                decorator = node.func if isinstance(node, ast.Call) else node
                made = type_of(decorator, class_scope(cls))
                if isinstance(made, FunctionType):
                    yield made.function
        for ancestor, _ in self._resolver.classes.ancestors(cls):
            if ancestor != cls:
                yield from ancestor.function("__init_subclass__")
            metaclass = parse_expression(ancestor.facts.metaclass)
            if metaclass is not None:
                made = type_of(metaclass, class_scope(ancestor))
                if isinstance(made, ClassObject):
                    for name in _MAKE_CLASSES:
                        yield from self._resolver.classes.functions(made.cls, name)

    def _by(self, function: Function) -> tuple[Replacement, ...]:
        """What a function replaces, of whatever."""
        if function.module.is_stub:
            return ()

        def find() -> tuple[Replacement, ...]:
            node = function.tree()
            scope = Scope(function.module)
            return tuple(replacements(node, lambda name: self._tree(name, scope))) if node else ()

        return self._resolver.memo.get(self._of_functions, function, find, ())

    def _tree(self, name: str, scope: Scope) -> FunctionNode | None:
        """The tree of the function that a module knows by a name."""
        node = parse_expression(name)
        found = self._resolver.type_of(node, scope) if node is not None else None
        return found.function.source_tree() if isinstance(found, FunctionType) else None

    # By code that runs as a module of the package is imported

    def _has_setters(self, near: Module) -> bool:
        return bool(self._resolver.modules.mentioning("called", "setattr", near))

    def _from_outside(self, near: Module) -> tuple[_Passed, ...]:
        modules = self._resolver.modules
        if near.is_installed:
            return ()
        return self._resolver.memo.get(
            self._in_package,
            (modules.package(near), near.root, near.is_test),
            lambda: tuple(self._find_outside(near)),
            (),
        )

    def _find_outside(self, near: Module) -> Iterator[_Passed]:
        modules = self._resolver.modules
        for module, _ in modules.mentioning("called", "setattr", near):
            said = module.replacements
            for each in said.here if said else ():
                yield module, each.holder, each
            for name in said.functions if said else ():
                for function in functions_named(module, name):
                    for user, _ in modules.mentioning("called", name, near):
                        yield from self._passed(user, function)

    def _passed(self, module: Module, function: Function) -> Iterator[_Passed]:
        """What a module passes to a function that replaces members."""
        said = module.replacements
        for func, given in said.passed if said else ():
            if func.rpartition(".")[2] == function.name:
                called = self._resolver.type_of(ast.parse(func, mode="eval").body, Scope(module))
                if isinstance(called, FunctionType) and called.function == function:
                    for each in self._by(function):
                        if any(own.name == each.holder for own in function.facts.parameters):
                            yield module, given, each
