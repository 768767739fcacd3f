"""The modules of a project, found by following imports on disk, loaded when first needed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from logctx_lint.project.cache import FactsCache
from logctx_lint.project.facts import (
    ClassFacts,
    FunctionFacts,
    FunctionNode,
    ModuleFacts,
    extract,
)
from logctx_lint.source import Source, Unreadable

if TYPE_CHECKING:
    from logctx_lint.project.scopes import Scope

STUBS = Path(__file__).parent.parent / "stubs"
"""Our own short stubs of Twisted, asyncio and the rest: nothing needs to be installed."""
_RUNTIME = ("logctx_lint", "runtime")
"""The reference runtime is where we are ourselves, wherever it is used."""
_NOTHING = ModuleFacts({}, (), {}, {}, {})


@dataclass(frozen=True, eq=False)
class Module:
    """One module. `name` is its dotted name below `root`, the folder imports start from."""

    name: str
    path: Path
    root: Path
    facts: ModuleFacts
    _source: Source | None = field(default=None, repr=False)

    @property
    def is_package(self) -> bool:
        return self.path.stem == "__init__"

    @property
    def is_stub(self) -> bool:
        return self.path.suffix == ".pyi"

    def absolute(self, module: str) -> str:
        """The absolute name of an imported module, whose leading dots are relative to this."""
        level = len(module) - len(module.lstrip("."))
        if not level:
            return module
        parts = self.name.split(".")
        parts = parts[: len(parts) - level + self.is_package]
        return ".".join([*parts, module[level:]] if module[level:] else parts)

    @cached_property
    def source(self) -> Source:
        """The text; raises Unreadable if the file has vanished since its facts were read."""
        return self._source or Source.read(self.path)

    def parse_function(self, function: FunctionFacts) -> FunctionNode | None:
        """The tree of one function, with the module's line numbers."""
        try:
            lines = self.source.lines[function.first_line - 1 : function.end_line]
        except Unreadable:
            return None
        text = "".join(lines)
        indented = text[:1] in (" ", "\t")
        try:
            tree: ast.Module = ast.parse("if 1:\n" + text if indented else text)
        except (SyntaxError, ValueError, RecursionError):
            return None
        node = tree.body[0]
        if isinstance(node, ast.If):
            node = node.body[0]
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return None
        ast.increment_lineno(node, function.first_line - 1 - indented)
        return node


@dataclass(frozen=True)
class Class:
    """One class; two are the same if they stand at the same place."""

    module: Module = field(compare=False, repr=False)
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
    """One function or method; two are the same if they stand at the same place."""

    module: Module = field(compare=False, repr=False)
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
        place = self.owner.facts if self.owner else self.module.facts
        facts = place.functions.get(self.name, [self.facts])[-1]
        return Function(self.module, self.qualified_name, facts.line, facts, self.owner)

    def tree(self) -> FunctionNode | None:
        return self.node or self.module.parse_function(self.facts)


class Modules:
    """Finds and loads modules. First-party source wins over a bundled stub."""

    def __init__(self, roots: tuple[Path, ...], cache: FactsCache) -> None:
        self._roots = roots
        self._cache = cache
        self._by_path: dict[Path, Module] = {}
        self._found: dict[tuple[Path, str], Module | None] = {}

    @property
    def loaded(self) -> int:
        """How many modules are in memory."""
        return len(self._by_path)

    def of_source(self, source: Source, tree: ast.Module | None = None) -> Module:
        """The module of a file that is being linted; raises Unreadable."""
        path = source.path.absolute()
        root, name = module_name(path)
        module_facts = self._cache.load(source.text)
        if module_facts is None:
            module_facts = extract(source, tree or source.parse())
            self._cache.store(source.text, module_facts)
        module = Module(name, path, root, module_facts, source)
        self._by_path[path] = module
        self._found[root, name] = module
        return module

    def find(self, name: str, root: Path) -> Module | None:
        """The module called `name` as seen from code below `root`."""
        key = (root, name)
        if key not in self._found:
            self._found[key] = self._search(name, root)
        return self._found[key]

    def at(self, path: Path) -> Module | None:
        """The module whose file is at `path`."""
        root, name = module_name(path.absolute())
        return self.find(name, root)

    def _search(self, name: str, root: Path) -> Module | None:
        parts = name.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        own = (STUBS.parents[1],) if tuple(parts[:2]) == _RUNTIME else ()
        for start in dict.fromkeys((root, *self._roots, *own, STUBS)):
            suffixes = (".pyi",) if start is STUBS or root == STUBS else (".py",)
            for suffix in suffixes:
                folder = start.joinpath(*parts)
                for path in (folder / f"__init__{suffix}", folder.with_suffix(suffix)):
                    if path.is_file():
                        return self._load(name, path, start)
            if folder.is_dir() and start is not STUBS and any(folder.glob("*.py")):
                return Module(name, folder / "__init__.py", start, _NOTHING)
        return None

    def _load(self, name: str, path: Path, root: Path) -> Module | None:
        if path not in self._by_path:
            try:
                source = Source.read(path)
                module_facts = self._cache.load(source.text)
                if module_facts is None:
                    module_facts = extract(source, source.parse())
                    self._cache.store(source.text, module_facts)
            except Unreadable:
                module_facts = _NOTHING
            self._by_path[path] = Module(name, path, root, module_facts)
        return self._by_path[path]


def module_name(path: Path) -> tuple[Path, str]:
    """The folder that imports start from, for the module at `path`, and its dotted name."""
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while _in_package(folder):
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts) or path.parent.name


def _in_package(folder: Path) -> bool:
    """Whether a folder is a package, or one without `__init__.py` inside a package."""
    if folder.parent == folder:
        return False
    return (folder / "__init__.py").is_file() or (folder.parent / "__init__.py").is_file()


def package_files(path: Path) -> Iterator[Path]:
    """The Python files of the outermost package that `path` is in, or those beside it."""
    root, name = module_name(path)
    package = root / name.partition(".")[0]
    if package.is_dir():
        yield from sorted(package.rglob("*.py"))
    else:
        yield from sorted(root.glob("*.py"))
