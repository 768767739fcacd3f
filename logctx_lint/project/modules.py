"""The modules of a project, found by following imports on disk, loaded when first needed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from logctx_lint.incremental.dependencies import Answer, Answers, Place, Trace
from logctx_lint.project.awaitable_names import AwaitableNames, leading_to_awaitables
from logctx_lint.project.facts import ClassFacts, FunctionFacts, FunctionNode, ModuleFacts
from logctx_lint.project.facts_cache import FactsCache
from logctx_lint.project.files import (
    ANY_PYTHON,
    AWAITABLE_NAMES,
    EVERYTHING,
    PROGRAM,
    STUBS,
    Folder,
    ModuleFile,
    Places,
)
from logctx_lint.project.function_bodies import FunctionTrees
from logctx_lint.project.symbol_index import Index, is_test
from logctx_lint.project.text_index import Mentions, Tree
from logctx_lint.syntax.source import Source

if TYPE_CHECKING:
    from logctx_lint.inference.use_def import Scope

_RUNTIME = ("logctx_lint", "runtime")
"""The reference runtime is where we are ourselves, wherever it is used."""


Home = tuple[Path, list[str]]
"""The folder that imports start from, and the package below it."""


class Module:
    """One module. `name` is its dotted name below `root`, the folder imports start from."""

    def __init__(
        self,
        name: str,
        path: Path,
        root: Path,
        file: ModuleFile,
        trace: Trace,
        trees: FunctionTrees,
    ) -> None:
        self.name = name
        self.path = path
        self.root = root
        self.file = file
        self._trace = trace
        self._trees = trees
        self.is_package = path.stem == "__init__"
        self.is_stub = path.suffix == ".pyi"

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

    # What is asked for is recorded (see `incremental.dependencies`): the less, the more rarely
    # dependent files have to be checked again.

    @cached_property
    def is_test(self) -> bool:
        """Whether the module belongs to the tests of its package."""
        return is_test(self.path.relative_to(self.root))

    @property
    def facts(self) -> ModuleFacts:
        """All that is known of the module, lines included."""
        self.note_all()
        return self.file.facts

    def facts_about(self, name: str) -> ModuleFacts:
        """Facts of which only what stands under `name` may be used, and no line numbers."""
        self._trace.used.append(self.file.part(f"item {name}"))
        return self.file.facts

    @property
    def stars(self) -> tuple[str, ...]:
        """What the module imports everything from."""
        self._trace.used.append(self.file.part("stars"))
        return self.file.facts.stars

    def place_of(self, function: Function) -> str:
        """Where a function stands, for a message: `package/module.py:12`."""
        self._trace.used.append(self.file.part(f"line {self._below(function)}"))
        return f"{self.path.relative_to(self.root).as_posix()}:{function.line}"

    def note_body(self, function: Function) -> None:
        """Take down that the body of one function is used."""
        self._trace.used.append(self.file.part(f"body {self._below(function)}"))

    def note_all(self) -> None:
        """Take down that any of the text may be used."""
        self._trace.used.append(self.file.part(EVERYTHING))

    def _below(self, function: Function) -> str:
        return function.qualified_name[len(self.name) + 1 :]

    @property
    def source(self) -> Source:
        """The text, for what has been taken down; raises Unreadable if the file has vanished."""
        return self.file.source

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

    @property
    def name(self) -> str:
        return self.facts.name

    def function(self, name: str) -> list[Function]:
        return [
            Function(
                self.module, f"{self.qualified_name}.{name}", item.line, item, self, self.scope
            )
            for item in self.facts.functions.get(name, ())
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

    @property
    def name(self) -> str:
        return self.facts.name

    @property
    def implementation(self) -> Function:
        """The definition that runs: of an overload, the last one of its name."""
        if self.scope or not any("overload" in text for text in self.facts.decorators):
            return self
        place = self.owner.facts if self.owner else self.module.facts_about(self.name)
        facts = place.functions.get(self.name, [self.facts])[-1]
        return Function(self.module, self.qualified_name, facts.line, facts, self.owner)

    def note_body(self) -> None:
        """Take down that the body is used, unless it came with that of another function."""
        if self.node is None:
            self.module.note_body(self)

    def tree(self) -> FunctionNode | None:
        self.note_body()
        return self.node or self.module.parse_function(self.facts)


class Modules:
    """Finds and loads modules. First-party source wins over a bundled stub."""

    def __init__(
        self,
        roots: tuple[Path, ...],
        cache: FactsCache,
        base: Path | None = None,
        hinted: Iterable[str] = (),
        environment: Iterable[Path] = (),
    ) -> None:
        """`base` is the folder that what is kept between runs is relative to.

        `hinted` are modules that may be in use without being imported. `environment` are the
        folders of installed packages, in which what is found nowhere else is looked for.
        """
        self._roots = roots
        self._environment = tuple(environment)
        self._hinted = tuple(hinted)
        self.places = Places(base or Path.cwd(), cache)
        self.places.roots.update(map(str, (*roots, *self._environment)))
        self.places.awaitable_names = self._names_in
        self.trace = Trace()
        self._trees = FunctionTrees()
        self._modules: dict[str, Module] = {}
        self._homes: dict[str, Home] = {}
        self._found: dict[tuple[Path, str], Answer[Module | None]] = {}
        self._packages: Answers[Module, str] = Answers(self.trace)
        self._awaitable_names: dict[str, tuple[dict[str, Index], int, AwaitableNames]] = {}
        self._imports: dict[str, tuple[int, list[str], set[Place]]] = {}

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
        return _below(self._home(folder), folder, file)

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
        self.trace.used.append(found)
        return found.value

    def package(self, module: Module) -> str:
        """The folder of the outermost package, or the module's file where there is none."""
        return self._packages.get(module, lambda: self._package(module))

    def _package(self, module: Module) -> str:
        folder = self.places.folder(os.path.join(module.root, module.name.partition(".")[0]))
        # Modules that lie side by side outside a package need not belong together.
        names = ("__init__.py", "__init__.pyi")
        is_package = any(self._in(folder, name).has_file(name) for name in names)
        return folder.path if is_package else str(module.path)

    def mentioning(self, table: str, name: str, near: Module) -> list[tuple[Module, list[str]]]:
        """The modules of a package in which a name is, say, `called`, and where in them it is.

        See `index.Mentions` for the tables and `ModuleFile.mentioning` for the places. The package
        is the outermost one that `near` is in. What tests do counts for tests alone.
        """
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
        return self._names_in(self.package(near))

    def _names_in(self, package: str) -> AwaitableNames:
        known = self._awaitable_names.get(package)
        if known is None or sum(index.changes for index in known[0].values()) != known[1]:
            indexes, ground = self._imported_by(package)
            changes = sum(index.changes for index in indexes.values())
            name = self.places.name_of(package) + AWAITABLE_NAMES
            find = partial(self._leading_to_awaitables, package, indexes)
            known = self._awaitable_names[package] = (
                indexes,
                changes,
                AwaitableNames(name, ground, find),
            )
        return known[2]

    def _leading_to_awaitables(self, package: str, indexes: Mapping[str, Index]) -> set[str]:
        known: set[str] = set()
        # There can be many lone files beside a package; what that says is found out once.
        others = () if _is_folder(package) else list(filter(_is_folder, indexes))
        for path in others:
            known |= self._names_in(path).names
        pairs = (
            pair
            for path, index in indexes.items()
            if path not in others
            for pair in index.words("leads")
        )
        return leading_to_awaitables(pairs, known)

    def _imported_by(self, package: str) -> tuple[dict[str, Index], set[Place]]:
        """The index of a package, and of every other that it imports, directly or not.

        With the places that say which these are, and what is in them.
        """
        found: dict[str, Index] = {}
        ground: set[Place] = set()
        waiting = [package]
        while waiting:
            path = waiting.pop()
            if path not in found:
                index = found[path] = self.places.index(path)
                imports = self._imports.get(path)
                if imports is None or imports[0] != index.changes:
                    imports = (index.changes, *self._find_imports(path, index))
                    self._imports[path] = imports
                waiting += imports[1]
                ground |= imports[2]
        return found, ground

    def _find_imports(self, path: str, index: Index) -> tuple[list[str], set[Place]]:
        """The packages that one imports, and the places that say so."""
        packages: list[str] = []
        root = STUBS if path.startswith(str(STUBS)) else Path(path).parent
        with self.trace.nothing():
            for name in ("builtins", "typing", *self._hinted, *index.words("imported")):
                # Below a folder that is no package, each module stands for itself.
                for each in dict.fromkeys((name.partition(".")[0], name)):
                    found = self._package_of(each, root)
                    packages += filter(None, [found])
                    if _is_folder(found):
                        break
            places = {part.place for part in self.trace.parts()}
        if not index.is_constant:
            places.add(index if _is_folder(path) else self.places.file(path))
        return packages, places

    def _package_of(self, name: str, root: Path) -> str:
        """The package of a module; empty where there is none, or no file of it."""
        module = self.find(name, root)
        return self.package(module) if module and module.file.digest else ""

    def _in_package(self, path: Path, near: Module) -> Module | None:
        """The module of a file in the package of `near`."""
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
        own = (PROGRAM.parent,) if tuple(parts[:2]) == _RUNTIME else ()
        starts = (root, *self._roots, *own, STUBS, *self._environment)
        if root in self._environment:
            # Our own stubs say more than the sources of what they describe.
            starts = (STUBS, *self._environment)
        for start in dict.fromkeys(starts):
            # A module that is not written in Python may have a stub of its own beside it.
            suffixes = (".pyi",) if start is STUBS or root == STUBS else (".py", ".pyi")
            if start in self._environment and start is not STUBS:
                suffixes = (".pyi", ".py")
                stubs = self._stubs_beside(name, parts, start)
                if stubs:
                    return stubs
            if start in own:
                outer = self._folder(str(PROGRAM), parts[1:-1])
            else:
                outer = self._folder(str(start), parts[:-1])
            if outer is None:
                continue
            inner = self._folder(outer.path, parts[-1:])
            for suffix in suffixes:
                for folder, file in ((inner, f"__init__{suffix}"), (outer, parts[-1] + suffix)):
                    if folder and self._in(folder, file).has_file(file):
                        return self._module(name, os.path.join(folder.path, file), start)
            if inner and start is not STUBS and self._in(inner, ANY_PYTHON).has_python():
                return self._module(name, os.path.join(inner.path, "__init__.py"), start)
        return None

    def _stubs_beside(self, name: str, parts: list[str], start: Path) -> Module | None:
        """The module in a package of stubs: `requests-stubs` for `requests`."""
        stubs = [f"{parts[0]}-stubs", *parts[1:]]
        inner, outer = self._folder(str(start), stubs), self._folder(str(start), stubs[:-1])
        for folder, file in ((inner, "__init__.pyi"), (outer, f"{parts[-1]}.pyi")):
            if len(parts) == 1 and folder is outer:
                continue
            if folder and self._in(folder, file).has_file(file):
                return self._module(name, os.path.join(folder.path, file), start)
        return None

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
        return Module(name, path, root, file, self.trace, self._trees)


def _is_folder(package: str) -> bool:
    """Whether a package is really one, and not a lone file (or nothing)."""
    return bool(package) and not package.endswith((".py", ".pyi"))


def module_name(path: Path) -> tuple[Path, str]:
    """The folder that imports start from, for the module at `path`, and its dotted name."""
    return _below(home(path.parent), path.parent.name, path.name)


def home(folder: Path) -> Home:
    """The folder that imports start from, for the modules in a folder, and the package they are."""
    parts: list[str] = []
    while _in_package(folder):
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, parts


def _below(home: Home, folder: str, file: str) -> tuple[Path, str]:
    root, package = home
    stem = file.rpartition(".")[0]
    parts = package if stem == "__init__" else [*package, stem]
    return root, ".".join(parts) or os.path.basename(folder)


def _in_package(folder: Path) -> bool:
    """Whether a folder is a package, or one without `__init__.py` inside a package."""
    if folder.parent == folder:
        return False
    return (folder / "__init__.py").is_file() or (folder.parent / "__init__.py").is_file()
