"""Finds references: the calls of a name and assignments of an attribute, anywhere in a package."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TypeVar, cast

from logctx_lint.incremental.dependencies import Answers
from logctx_lint.incremental.memo import Memo
from logctx_lint.inference.body_scopes import BodyScopes
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import ClassFacts, FunctionNode, ModuleFacts
from logctx_lint.project.modules import Class, Function, Module, Modules
from logctx_lint.syntax.ast_walk import last_name, own_nodes

_BODIES_KEPT = 64
"""Function trees kept at a time: enough for neighbours, too few to cost memory."""
_MOST_LINES = 60
"""A name that stands on more lines is too common to look at all of them."""
_MOST_OVERRIDES = 20
"""Classes that are looked at for a method that they override."""

_OF_INTEREST = frozenset((ast.Call, ast.Assign, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))

_Node = TypeVar("_Node", ast.Call, ast.Assign)
Located = tuple[_Node, Scope]
_Query = tuple[str, str, str, Path, bool]


class Body:
    """What one function calls and which attributes it sets."""

    def __init__(self, function: Function, scopes: BodyScopes) -> None:
        self._scopes = scopes
        self.calls: dict[str, list[Located[ast.Call]]] = {}
        self.assignments: dict[str, list[Located[ast.Assign]]] = {}
        node = function.tree()
        if node is not None:
            self._enter(function, node)

    def _enter(self, function: Function, node: FunctionNode) -> None:
        # The scope may be of another tree of the same text: it has to be the one of the calls.
        scope = self._scopes.of(function, node)
        self._read(cast(FunctionNode, scope.node).body, scope)

    def _read(self, nodes: list[ast.stmt] | list[ast.expr], scope: Scope) -> None:
        for node in own_nodes(nodes):
            if type(node) not in _OF_INTEREST:
                continue
            if isinstance(node, ast.Call):
                name = last_name(node.func)
                self.calls.setdefault(name, []).append((node, scope))
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Attribute):
                        self.assignments.setdefault(target.attr, []).append((node, scope))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for binding in scope.bindings.get(node.name, ()):
                    if binding.function and binding.function.node is node:
                        self._enter(binding.function, node)
            elif isinstance(node, ast.Lambda):
                self._read([node.body], scope.child(node))


class References:
    """Finds code by the names in it; part of the resolver."""

    def __init__(self, modules: Modules, memo: Memo, scopes: BodyScopes) -> None:
        self._modules = modules
        self._memo = memo
        self._scopes = scopes
        self._bodies: dict[Function, Body] = {}
        self._with_functions: Answers[_Query, list[Function]] = Answers(modules.trace)
        self._with_classes: Answers[_Query, list[Class]] = Answers(modules.trace)

    def calls(self, name: str, near: Module) -> Iterator[Located[ast.Call]]:
        """The calls of something called `name` in functions of the package that `near` is in."""
        for function in self._functions("called", name, near):
            yield from self.body(function).calls.get(name, ())

    def calls_in(self, module: Module, name: str) -> Iterator[Located[ast.Call]]:
        """The calls of something called `name` in functions of one module, however many."""
        query = "called there", name, module.name, module.root, module.is_test
        for function in self._with_functions.get(query, lambda: self._calling(name, module)):
            yield from self.body(function).calls.get(name, ())

    def assignments(self, name: str, near: Module) -> Iterator[Located[ast.Assign]]:
        """The statements there that set an attribute called `name`."""
        for function in self._functions("set", name, near):
            yield from self.body(function).assignments.get(name, ())

    def _functions(self, table: str, name: str, near: Module) -> list[Function]:
        """The outermost functions that mention a name; none if that is everywhere."""
        return self._with_functions.get(
            self._query(table, name, near), lambda: self._find_functions(table, name, near)
        )

    def _find_functions(self, table: str, name: str, near: Module) -> list[Function]:
        found = self._modules.mentioning(table, name, near)
        if sum(len(lines) for _, lines in found) > _MOST_LINES:
            return []
        return self._functions_of(found)

    def _calling(self, name: str, module: Module) -> list[Function]:
        found = self._modules.mentioning("called", name, module)
        return self._functions_of(each for each in found if each[0] == module)

    def _functions_of(self, found: Iterable[tuple[Module, Collection[str]]]) -> list[Function]:
        return [
            function
            for module, lines in found
            for below in dict.fromkeys(lines)
            for function in functions_named(module, below)
        ]

    def _query(self, table: str, name: str, near: Module) -> _Query:
        """All that the answer to a question depends on."""
        return table, name, self._modules.package(near), near.root, near.is_test

    def body(self, function: Function) -> Body:
        """What a function holds."""
        function.note_body()
        if function not in self._bodies:
            if self._memo.is_idle:
                while len(self._bodies) >= _BODIES_KEPT:
                    self._bodies.pop(next(iter(self._bodies)))
            self._bodies[function] = Body(function, self._scopes)
        return self._bodies[function]

    def subclasses(self, cls: Class) -> list[Class]:
        """The classes in the package that name a class of this name among their bases."""
        return self.classes_with("inherited", cls.name, cls.module)

    def overriding(self, function: Function) -> Iterator[Function]:
        """What overrides a method, in classes that the package has."""
        if function.owner is None:
            return
        seen, waiting = {function.owner}, [function.owner]
        while waiting and len(seen) < _MOST_OVERRIDES:
            for each in self.subclasses(waiting.pop()):
                if each in seen:
                    continue
                seen.add(each)
                waiting.append(each)
                own = each.function(function.name)
                if own:
                    yield own[-1]

    def classes_with(self, table: str, name: str, near: Module) -> list[Class]:
        """The classes in the package that mention a name in one of the ways of `Mentions`."""
        return self._with_classes.get(
            self._query(table, name, near), lambda: self._find_classes(table, name, near)
        )

    def _find_classes(self, table: str, name: str, near: Module) -> list[Class]:
        found = self._modules.mentioning(table, name, near)
        classes = [_class(module, below) for module, each in found for below in each]
        return [cls for cls in classes if cls]


def _class(module: Module, below: str) -> Class | None:
    """The class with this name inside a module."""
    place: ModuleFacts | ClassFacts | None = module.facts_about(below.partition(".")[0])
    for name in below.split("."):
        place = place.classes.get(name) if place else None
    if not isinstance(place, ClassFacts):
        return None
    return Class(module, f"{module.name}.{below}", place.line, place)


def functions_named(module: Module, below: str) -> list[Function]:
    """The functions with this name in a module, or in a class of it: `Class.method`."""
    outer, _, name = below.rpartition(".")
    if outer:
        cls = _class(module, outer)
        return cls.function(name) if cls else []
    facts = module.facts_about(name).functions.get(name, ())
    return [Function(module, f"{module.name}.{name}", each.line, each) for each in facts]
