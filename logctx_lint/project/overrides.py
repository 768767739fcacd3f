"""Subclasses: which methods a call on a base class may reach."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from logctx_lint.project.classes import class_scope
from logctx_lint.project.facts import ClassFacts
from logctx_lint.project.mentions import Mentions
from logctx_lint.project.modules import Class, Function, Module
from logctx_lint.project.resolver import Resolver

_PROTOCOL = frozenset({"typing.Protocol", "typing_extensions.Protocol"})


class Overrides:
    """Finds the subclasses that the files of a package define."""

    def __init__(self, resolver: Resolver, mentions: Mentions) -> None:
        self._resolver = resolver
        self._mentions = mentions
        self._classes: dict[Path, list[Class]] = {}
        self._subclasses: dict[Class, tuple[Class, ...]] = {}
        self._implementations: dict[Class, tuple[Class, ...]] = {}

    def of(self, cls: Class, name: str) -> list[Function]:
        """The definitions of a method in the subclasses of a class, and what else may be one."""
        if not self._mentions.defines(name):
            return []
        below = (*self.subclasses(cls), *self.implementations(cls))
        found = [found for each in below if (found := self.definition(each, name))]
        return list(dict.fromkeys(found))

    def definition(self, cls: Class, name: str) -> Function | None:
        """The method that an object of a class has under a name."""
        for ancestor, _ in self._resolver.classes.ancestors(cls):
            if defined := ancestor.function(name):
                return defined[-1]
            if name in ancestor.facts.variables:
                return None
        return None

    def subclasses(self, cls: Class) -> tuple[Class, ...]:
        """Every class that inherits `cls`, directly or through others."""
        if cls not in self._subclasses:
            found: dict[Class, None] = {}
            queue = [cls]
            for each in queue:
                for candidate in self._in_files(self._mentions.bases.get(each.name, ())):
                    if candidate not in found and self._inherits(candidate, cls):
                        found[candidate] = None
                        queue.append(candidate)
            self._subclasses[cls] = tuple(found)
        return self._subclasses[cls]

    def _inherits(self, candidate: Class, cls: Class) -> bool:
        ancestors = self._resolver.classes.ancestors(candidate)
        return candidate != cls and any(ancestor == cls for ancestor, _ in ancestors)

    def implementations(self, cls: Class) -> tuple[Class, ...]:
        """The classes that have all methods of a `Protocol`."""
        if cls not in self._implementations:
            found = self._find_implementations(cls)
            self._implementations[cls] = tuple(dict.fromkeys(found))
        return self._implementations[cls]

    def _find_implementations(self, cls: Class) -> Iterator[Class]:
        if not self._is_protocol(cls):
            return
        names = {
            name
            for ancestor, _ in self._resolver.classes.ancestors(cls)
            if self._is_protocol(ancestor)
            for name in ancestor.facts.functions
        }
        if not names:
            return
        rarest = min(names, key=lambda name: len(self._mentions.functions.get(name, ())))
        for candidate in self._in_files(self._mentions.functions.get(rarest, ())):
            if rarest in candidate.facts.functions and not self._is_protocol(candidate):
                for each in (candidate, *self.subclasses(candidate)):
                    if all(self.definition(each, name) for name in names):
                        yield each

    def is_abstract(self, function: Function) -> bool:
        """Whether a method is there to be overridden."""
        if any("abstractmethod" in decorator for decorator in function.facts.decorators):
            return True
        node = function.tree()
        match [] if node is None else [each for each in node.body if not _says_nothing(each)]:
            case []:
                return function.owner is not None and self._is_protocol(function.owner)
            case [ast.Raise(ast.Call(ast.Name(name)) | ast.Name(name))]:
                return name == "NotImplementedError"
        return False

    def _is_protocol(self, cls: Class) -> bool:
        scope = class_scope(cls)
        return any(
            "Protocol" in base
            and not _PROTOCOL.isdisjoint(
                self._resolver.names_of_text(base.partition("[")[0], scope)
            )
            for base in cls.facts.bases
        )

    def _in_files(self, files: Iterable[Path]) -> Iterator[Class]:
        for file in dict.fromkeys(files):
            if file not in self._classes:
                module = self._resolver.modules.at(file)
                self._classes[file] = list(classes(module)) if module else []
            yield from self._classes[file]


def _says_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def classes(module: Module) -> Iterator[Class]:
    """The classes of a module, those inside classes included."""
    yield from _classes(module, module.name, module.facts.classes)


def _classes(module: Module, outer: str, table: dict[str, ClassFacts]) -> Iterator[Class]:
    for name, facts in table.items():
        qualified_name = f"{outer}.{name}"
        yield Class(module, qualified_name, facts.line, facts)
        yield from _classes(module, qualified_name, facts.classes)


def functions(module: Module) -> Iterator[Function]:
    """The functions of a module and the methods of its classes."""
    for name, table in module.facts.functions.items():
        for facts in table:
            yield Function(module, f"{module.name}.{name}", facts.line, facts)
    for cls in classes(module):
        for name in cls.facts.functions:
            yield from cls.function(name)
