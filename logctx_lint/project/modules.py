"""The modules of a project, found by following imports on disk, loaded when first needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from logctx_lint.incremental.dependencies import Answer, Answers, Trace
from logctx_lint.project.awaitable_names import AwaitableNames
from logctx_lint.project.facts import ClassFacts, FunctionFacts, FunctionNode
from logctx_lint.project.facts_cache import FactsCache
from logctx_lint.project.files import (
    EVERYTHING,
    LIBRARY_STUBS,
    OF_STUBS,
    PROGRAM,
    STUBS,
    ModuleFile,
    Places,
)
from logctx_lint.project.folders import ANY_PYTHON, Folder
from logctx_lint.project.function_bodies import FunctionTrees
from logctx_lint.project.module_names import Home, Start, home, name_in
from logctx_lint.project.package_awaitables import PackageAwaitables
from logctx_lint.project.recorded_file import RecordedFile
from logctx_lint.project.symbol_index import is_test
from logctx_lint.project.text_index import Mentions, Tree
from logctx_lint.syntax.placeholders import BodyKind, kind_of
from logctx_lint.syntax.source import Source

if TYPE_CHECKING:
    from logctx_lint.inference.use_def import Scope

_BUNDLED = (STUBS, LIBRARY_STUBS)
_RUNTIME = ("logctx_lint", "runtime")
"""The reference runtime is where we are ourselves, wherever it is used."""


class Module(RecordedFile):
    """One module. `name` is its dotted name below `root`, the folder imports start from."""

    def __init__(
        self,
        name: str,
        path: Path,
        root: Path,
        file: ModuleFile,
        trace: Trace,
        trees: FunctionTrees,
        *,
        is_installed: bool = False,
    ) -> None:
        super().__init__(file, trace, is_installed=is_installed)
        self.name = name
        self.path = path
        self.root = root
        self._trees = trees
        self.is_package = path.stem == "__init__"
        self.is_stub = path.suffix == ".pyi"
        self.is_partial = root == LIBRARY_STUBS
        """Whether much that the real module has is missing in it."""

    def __repr__(self) -> str:
        return f"Module({self.name!r})"

    def absolute(self, module: str) -> str:
        """The absolute name of an imported module, whose leading dots are relative to this."""
        level = len(module) - len(module.lstrip("."))
        if not level:
            return module
        parts = self.name.split(".")
        parts = parts[: len(parts) - level + self.is_package]
        return ".".join([*parts, module[level:]] if module[level:] else parts)

    @property
    def is_foreign(self) -> bool:
        """Whether it is none of the project's own modules, or only the stub of one."""
        return self.is_stub or self.is_installed

    @cached_property
    def is_test(self) -> bool:
        """Whether the module belongs to the tests of its package."""
        return is_test(self.path.relative_to(self.root))

    def place_of(self, function: Function) -> str:
        """Where a function stands, for a message: `package/module.py:12`."""
        self._note(f"line {function.local_name}")
        return f"{self.path.relative_to(self.root).as_posix()}:{function.line}"

    def note_body(self, function: Function) -> None:
        """Take down that the body of one function is used."""
        self._note(f"body {function.local_name}")

    def note_body_kind(self, function: Function) -> None:
        """Take down that it matters whether the body of one function does anything."""
        self._note(f"kind {function.local_name}")

    def parse_function(self, function: FunctionFacts) -> FunctionNode | None:
        """The tree of one function, with the module's line numbers."""
        return self._trees.of(self.file, function)


@dataclass(frozen=True)
class Class:
    """One class; two are the same if they stand at the same place of one module."""

    module: Module = field(repr=False)
    qualified_name: str
    """With the module's name: `synapse.server.HomeServer`."""
    line: int
    facts: ClassFacts = field(compare=False, repr=False)
    scope: Scope | None = field(default=None, compare=False, repr=False)
    """The function that it is defined in."""

    def __hash__(self) -> int:
        # Asked for all the time, and a string keeps its own.
        return hash(self.qualified_name)

    @property
    def name(self) -> str:
        return self.facts.name

    def methods(self) -> list[Function]:
        """All that the class itself defines, setters and overloads included."""
        return [each for name in self.facts.functions for each in self.function(name)]

    def method_trees(self) -> list[tuple[Function, FunctionNode]]:
        """The same, each with its tree, as far as there is one."""
        return [(each, tree) for each in self.methods() if (tree := each.tree())]

    def function(self, name: str) -> list[Function]:
        found = self.facts.functions.get(name)
        if not found:
            return []
        full_name = f"{self.qualified_name}.{name}"
        return [
            Function(self.module, full_name, item.line, item, self, self.scope) for item in found
        ]


@dataclass(frozen=True)
class Function:
    """One function or method; two are the same if they stand at the same place of one module."""

    module: Module = field(repr=False)
    qualified_name: str
    line: int
    facts: FunctionFacts = field(compare=False, repr=False)
    owner: Class | None = field(default=None, compare=False, repr=False)
    scope: Scope | None = field(default=None, compare=False, repr=False)
    """The function that it is defined in."""
    node: FunctionNode | None = field(default=None, compare=False, repr=False)
    """Its tree, for functions inside function bodies; others are parsed on demand."""

    def __hash__(self) -> int:
        return hash(self.qualified_name)

    @property
    def name(self) -> str:
        return self.facts.name

    @property
    def local_name(self) -> str:
        """Its name inside its module: `Class.method`."""
        return self.qualified_name[len(self.module.name) + 1 :]

    @property
    def implementation(self) -> Function:
        """The definition that runs: of an overload, the last one of its name."""
        if self.scope or not _is_overload(self.facts):
            return self
        facts = self._definitions[-1]
        return Function(self.module, self.qualified_name, facts.line, facts, self.owner)

    @property
    def is_overloaded(self) -> bool:
        """Whether overloads declare what it gives for which arguments."""
        return not self.scope and any(map(_is_overload, self._definitions))

    @property
    def _definitions(self) -> list[FunctionFacts]:
        place = self.owner.facts if self.owner else self.module.facts_about(self.name)
        return place.functions.get(self.name, [self.facts])

    def note_body(self) -> None:
        """Take down that the body is used, unless it came with that of another function."""
        if self.node is None:
            self.module.note_body(self)

    @property
    def body_kind(self) -> BodyKind | None:
        """Whether its body does anything; None if the text cannot be parsed."""
        if self.node is None:
            self.module.note_body_kind(self)
        node = self.node or self.module.parse_function(self.facts)
        return kind_of(node.body) if node else None

    def text(self) -> str:
        """The source text, decorators included: to look for a word before parsing."""
        self.note_body()
        lines = self.module.source.lines
        return "".join(lines[self.facts.first_line - 1 : self.facts.end_line])

    def tree(self) -> FunctionNode | None:
        """The tree, decorators included; None if the text cannot be parsed."""
        self.note_body()
        return self.node or self.module.parse_function(self.facts)

    def source_tree(self) -> FunctionNode | None:
        """The tree, if it says what the function does: that of a stub does not."""
        return None if self.module.is_stub else self.tree()


class Modules:
    """Finds and loads modules.

    First-party source wins over a bundled stub, that over what is installed, and an installed
    library over what is bundled of it.
    """

    def __init__(
        self,
        roots: tuple[Path, ...],
        cache: FactsCache,
        base: Path | None = None,
        hinted: Iterable[str] = (),
        installed: Iterable[Path] = (),
        no_stubs_of: Iterable[str] = (),
        *,
        is_remembering: bool = True,
    ) -> None:
        """`base` is the folder that what is kept between runs is relative to.

        `hinted` are modules that may be in use without being imported, `installed` the folders
        that imports of installed modules start from, `no_stubs_of` libraries that are not what
        the bundled stubs of libraries say. `is_remembering`: what answers come from is asked for,
        to keep that between runs.
        """
        self._roots = roots
        self._installed = tuple(path for path in installed if path not in roots)
        self._no_stubs_of = frozenset(no_stubs_of)
        self.places = Places(base or Path.cwd(), cache)
        self.places.roots.update(map(str, (*roots, *self._installed)))
        self.places.installed = tuple(map(self.places.name_of, map(str, self._installed)))
        self.trace = Trace(is_kept=is_remembering)
        self._trees = FunctionTrees()
        self._modules: dict[str, Module] = {}
        self._homes: dict[str, Home] = {}
        self._found: dict[tuple[Path, str], Answer[Module | None]] = {}
        self._packages: Answers[Module, str] = Answers(self.trace)
        self._awaitables = PackageAwaitables(self, hinted)
        self.places.awaitable_names = self._awaitables.of

    @property
    def loaded(self) -> int:
        """How many modules are in memory."""
        return len(self._modules)

    def known(self, path: Path) -> Module | None:
        """The module of a file, if anybody has asked for it."""
        return self._modules.get(str(path.absolute()))

    def of_source(self, source: Source) -> Module:
        """The module of a file that is being linted, whose text this is."""
        path = source.path.absolute()
        known = self._modules.get(str(path))
        if known is not None and known.file.digest == source.digest:
            known.file.take(source)
            return known
        if known is not None:
            self._packages.forget(known)
            self._trees.forget(known.file)
        root, name = self.name_of(str(path))
        self.places.roots.add(str(root))
        file = self.places.new_file(str(path), source)
        module = self._modules[str(path)] = self._make(name, path, root, file)
        self._found.pop((root, name), None)
        if self.find(name, root) is not module:
            # Not on disk, or not yet.
            self._found[root, name] = Answer(module, [file.part(EVERYTHING)])
        return module

    def name_of(self, path: str) -> tuple[Path, str]:
        """The folder that imports start from, for the file at `path`, and its dotted name."""
        folder, file = os.path.split(path)
        return name_in(self._home(folder), folder, file)

    def _home(self, folder: str) -> Home:
        if folder not in self._homes:
            self._homes[folder] = home(Path(folder))
        return self._homes[folder]

    def find(self, name: str, root: Path) -> Module | None:
        """The module called `name` as seen from code below `root`."""
        key = (root, name)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self.trace.answer(lambda: self._search(name, root))
        if found.matters:
            self.trace.used.append(found)
        return found.value

    def package(self, module: Module) -> str:
        """The folder of the outermost package, or the module's file where there is none."""
        return self._packages.get(module, lambda: self._package(module))

    def _package(self, module: Module) -> str:
        if module.is_installed:
            return self._installed_package(module)
        folder = self.places.folder(os.path.join(module.root, module.name.partition(".")[0]))
        # Modules that lie side by side outside a package need not belong together.
        names = ("__init__.py", "__init__.pyi")
        is_package = any(self._in(folder, name).has_file(name) for name in names)
        return folder.path if is_package else str(module.path)

    def _installed_package(self, module: Module) -> str:
        """The outermost folder that is more than a namespace, which many distributions share."""
        folder = str(module.root)
        for part in module.path.relative_to(module.root).parts[:-1]:
            folder = os.path.join(folder, part)
            here = self.places.folder(folder)
            if any(self._in(here, name).has_file(name) for name in ("__init__.py", "__init__.pyi")):
                return folder
        return str(module.path)

    def mentioning(self, table: str, name: str, near: Module) -> list[tuple[Module, list[str]]]:
        """The modules of a package in which a name is, say, `called`, and where in them it is.

        See `index.Mentions` for the tables, `ModuleFile.mentioning` for the places. The package is
        the outermost one of `near`, unless it is installed. What tests do counts for tests alone.
        """
        if near.is_installed:
            return []
        package = self.package(near)
        index = self.places.index(package)
        self.trace.used.append(index.part(f"{table} {name}"))
        found = []
        for path in index.files_with(table, name):
            module = self._in_package(Path(package, path), near)
            if module and (near.is_test or not module.is_test):
                self.trace.used.append(module.file.part(f"{table} {name}"))
                found.append((module, module.file.mentioning(table, name)))
        return found

    def awaitable_names(self, near: Module) -> AwaitableNames:
        """The names that lead to awaitables in the package of a module and all that it imports."""
        return self._awaitables.of(self.package(near))

    def installed_root(self, path: str) -> Path | None:
        """The folder that imports of an installed package start from; None for any other."""
        if path.startswith(str(PROGRAM)):
            return None  # Wherever we are installed ourselves.
        below = (root for root in self._installed if path.startswith(os.path.join(root, "")))
        return next(below, None)

    def _in_package(self, path: Path, near: Module) -> Module | None:
        """The module of a file in the package of `near`; our stubs are those of other packages."""
        if any(map(path.is_relative_to, _BUNDLED)):
            return None
        parts = path.relative_to(near.root).with_suffix("").parts
        return self.find(".".join(parts[:-1] if parts[-1] == "__init__" else parts), near.root)

    def at(self, path: Path) -> Module | None:
        """The module whose file is at `path`."""
        root, name = self.name_of(str(path.absolute()))
        return self.find(name, root)

    def around(self, path: Path, folders: Iterable[Path]) -> Mentions:
        """What is mentioned in the package of a file, or beside it, and in some folders."""
        own = self.beside(path.absolute())
        trees = [own, *(self.places.tree(str(folder)) for folder in folders)]
        return Mentions(list(dict.fromkeys(trees)), self.trace)

    def beside(self, path: Path) -> Tree:
        """The text of the outermost package that a file is in, or of the files beside it."""
        root, package = self._home(os.path.dirname(path))
        return self.places.tree(os.path.join(root, *package[:1]), deep=bool(package))

    def _search(self, name: str, root: Path) -> Module | None:
        parts = name.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        for start in self._starts(parts, root):
            outer = self._folder(str(start.folder), start.parts[:-1])
            if outer is None:
                continue
            last = start.parts[-1]
            inner = self._folder(outer.path, [last])
            for suffix in start.suffixes:
                for folder, file in ((inner, f"__init__{suffix}"), (outer, last + suffix)):
                    if folder and self._in(folder, file).has_file(file):
                        return self._module(name, os.path.join(folder.path, file), start.root)
            if inner and self._is_namespace(inner, start.namespaces):
                return self._module(name, os.path.join(inner.path, "__init__.py"), start.root)
        return None

    def _starts(self, parts: list[str], root: Path) -> Iterator[Start]:
        """Where to look for a module that is imported by one below `root`, in this order."""
        # A module that is not written in Python may have a stub of its own beside it.
        suffixes = (".pyi",) if root in _BUNDLED else (".py", ".pyi")
        if root not in self._installed:
            for each in dict.fromkeys((root, *self._roots)):
                if each not in _BUNDLED:
                    yield Start(each, each, parts, suffixes)
                else:
                    yield Start(each, each, parts, (".pyi",), "none")
        if tuple(parts[:2]) == _RUNTIME:
            yield Start(PROGRAM.parent, PROGRAM, parts[1:], suffixes)
        if root != STUBS:
            yield Start(STUBS, STUBS, parts, (".pyi",), "none")
        if parts[0] in sys.stdlib_module_names:
            return  # It comes before what is installed.
        stubs = [parts[0] + OF_STUBS, *parts[1:]]
        for each in self._installed:
            yield Start(each, each, stubs, (".pyi",), "none")
        for each in self._installed:
            yield Start(each, each, parts, (".pyi", ".py"), "all")
        if root != STUBS and self._is_nowhere_else(parts, root):
            yield Start(LIBRARY_STUBS, LIBRARY_STUBS, parts, (".pyi",), "none")

    def _is_nowhere_else(self, parts: list[str], root: Path) -> bool:
        """Whether a library is known from our own stub alone: a release says all there is."""
        if parts[0] in self._no_stubs_of:
            return False
        library = self.find(parts[0], root) if len(parts) > 1 else None
        return library is None or library.is_partial

    def _is_namespace(self, folder: Folder, namespaces: str) -> bool:
        """Whether a folder without `__init__.py` is a package."""
        if namespaces == "with files":
            return self._in(folder, ANY_PYTHON).has_python()
        return namespaces == "all"

    def _folder(self, start: str, parts: list[str]) -> Folder | None:
        """The folder of a package, if there is one."""
        folder = self.places.folder(start)
        for part in parts:
            if not self._in(folder, part).has_folder(part):
                return None
            folder = self.places.folder(os.path.join(folder.path, part))
        return folder

    def _in(self, folder: Folder, name: str) -> Folder:
        """A folder that is asked about a name."""
        self.trace.used.append(folder.part(name))
        return folder

    def _module(self, name: str, path: str, root: Path) -> Module:
        module = self._modules.get(path)
        if module is None:
            file = self.places.file(path)
            module = self._modules[path] = self._make(name, Path(path), root, file)
        return module

    def _make(self, name: str, path: Path, root: Path, file: ModuleFile) -> Module:
        is_installed = self.installed_root(str(path)) is not None and root in self._installed
        return Module(name, path, root, file, self.trace, self._trees, is_installed=is_installed)


def _is_overload(function: FunctionFacts) -> bool:
    return any("overload" in text for text in function.decorators)
