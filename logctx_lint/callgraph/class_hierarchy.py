"""Subclasses: which methods a call on a base class may reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from logctx_lint.incremental.dependencies import Answers
from logctx_lint.inference.resolver import Resolver
from logctx_lint.project.facts import ClassFacts
from logctx_lint.project.modules import Class, Function, Module
from logctx_lint.project.text_index import Mentions
from logctx_lint.syntax.placeholders import BodyKind


class ClassHierarchy:
    """Finds the subclasses that the files of a package define."""

    def __init__(self, resolver: Resolver, mentions: Mentions) -> None:
        self._resolver = resolver
        self._mentions = mentions
        trace = resolver.modules.trace
        self._classes: Answers[Path, list[Class]] = Answers(trace)
        self._subclasses: Answers[Class, list[Class]] = Answers(trace)
        self._implementations: Answers[Class, list[Class]] = Answers(trace)

    def of(self, cls: Class, name: str) -> list[Function]:
        """The definitions of a method in the subclasses of a class, and what else may be one."""
        if not self._mentions.functions(name):
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

    def subclasses(self, cls: Class) -> list[Class]:
        """Every class that inherits `cls`, directly or through others."""
        return self._subclasses.get(cls, lambda: list(self._find_subclasses(cls)))

    def _find_subclasses(self, cls: Class) -> Iterable[Class]:
        found: dict[Class, None] = {}
        queue = [cls]
        for each in queue:
            for candidate in self._in_files(self._mentions.bases(each.name)):
                if candidate not in found and self._inherits(candidate, cls):
                    found[candidate] = None
                    queue.append(candidate)
        return found

    def _inherits(self, candidate: Class, cls: Class) -> bool:
        ancestors = self._resolver.classes.ancestors(candidate)
        return candidate != cls and any(ancestor == cls for ancestor, _ in ancestors)

    def implementations(self, cls: Class) -> list[Class]:
        """The classes that have all methods of a `Protocol`."""
        return self._implementations.get(
            cls, lambda: list(dict.fromkeys(self._find_implementations(cls)))
        )

    def _find_implementations(self, cls: Class) -> Iterator[Class]:
        if not self._resolver.classes.is_protocol(cls):
            return
        names = {
            name
            for ancestor, _ in self._resolver.classes.ancestors(cls)
            if self._resolver.classes.is_protocol(ancestor)
            for name in ancestor.facts.functions
        }
        if not names:
            return
        rarest = min(names, key=lambda name: len(self._mentions.functions(name)))
        for candidate in self._in_files(self._mentions.functions(rarest)):
            if rarest in candidate.facts.functions and not self._resolver.classes.is_protocol(
                candidate
            ):
                for each in (candidate, *self.subclasses(candidate)):
                    if all(self.definition(each, name) for name in names):
                        yield each

    def is_abstract(self, function: Function) -> bool:
        """Whether a method is there to be overridden."""
        if any("abstractmethod" in decorator for decorator in function.facts.decorators):
            return True
        kind, owner = function.body_kind, function.owner
        return kind is BodyKind.ASKING or (
            kind in (None, BodyKind.EMPTY)
            and owner is not None
            and self._resolver.classes.is_protocol(owner)
        )

    def _in_files(self, files: Iterable[Path]) -> Iterator[Class]:
        for file in dict.fromkeys(files):
            yield from self._classes.get(file, lambda file=file: self._in_file(file))  # type: ignore[misc]

    def _in_file(self, file: Path) -> list[Class]:
        module = self._resolver.modules.at(file)
        return list(classes(module)) if module else []


def classes(module: Module) -> Iterator[Class]:
    """The classes of a module, those inside classes included."""
    yield from _classes(module, module.name, module.classes)


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
