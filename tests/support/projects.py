"""Small projects written to disk, and what the resolver says of `reveal(...)` in them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent

from logctx_lint.analysis.units import File, units
from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.settings import Framework, Storage
from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.summaries import Summaries
from logctx_lint.inference.types import (
    Awaitability,
    CallableType,
    ClassObject,
    External,
    ExternalInstance,
    FunctionType,
    Instance,
    ModuleType,
    NoneType,
    Presumed,
    TupleType,
    Type,
    TypeVariable,
    UnionType,
    Unknown,
)
from logctx_lint.inference.use_def import Comprehension, Scope
from logctx_lint.project.facts_cache import FactsCache
from logctx_lint.project.frameworks import Traits
from logctx_lint.project.modules import Module, Modules
from logctx_lint.syntax.source import Source

Located = tuple[ast.expr, Scope]


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write dedented files below `folder`."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")


class Project:
    """A project in a folder, with one resolver."""

    def __init__(self, folder: Path, files: Mapping[str, str] | None = None) -> None:
        write(folder, files or {})
        self.folder = folder
        self.modules = Modules((folder / "src", folder), FactsCache(None))
        self.resolver = Resolver(self.modules)

    def find(self, name: str) -> Module | None:
        return self.modules.find(name, self.folder)

    def revealed(self, name: str) -> list[Located]:
        """What `reveal(...)` is called with in the file `name`, in source order."""
        found = [
            (node.args[0], scope)
            for node, scope in self._expressions(name)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "reveal"
        ]
        return sorted(found, key=lambda each: (each[0].lineno, each[0].col_offset))

    def types(self, name: str) -> list[str]:
        """The types of what is revealed in a file."""
        return [show(self.resolver.type_of(node, scope)) for node, scope in self.revealed(name)]

    def names(self, name: str) -> list[tuple[str, ...]]:
        """The qualified names of what is revealed in a file."""
        return [self.resolver.names(node, scope) for node, scope in self.revealed(name)]

    def _expressions(self, name: str) -> Iterator[Located]:
        source = Source.read(self.folder / name)
        tree = source.parse()
        vocabulary = Vocabulary({})
        file = File(
            tree,
            self.modules.of_source(source),
            self.resolver,
            vocabulary,
            Summaries(self.resolver, vocabulary),
            Traits(Framework.BOTH, Storage.CONTEXTVAR),
        )
        for unit in units(file, tree):
            for statement, scope in unit.statements:
                if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    continue
                for child in ast.iter_child_nodes(statement):
                    yield from _below(child, scope)


def _below(node: ast.AST, scope: Scope) -> Iterator[Located]:
    """The expressions in one statement, each with the scope it is read in."""
    if isinstance(node, ast.stmt):
        return
    if isinstance(node, ast.expr):
        yield node, scope
    inner = scope.child(node) if isinstance(node, ast.Lambda | Comprehension) else scope
    for child in ast.iter_child_nodes(node):
        yield from _below(child, inner)


def types(folder: Path, text: str, **files: str) -> list[str]:
    """The types revealed in `text`, a module `main`, beside other top-level modules."""
    project = Project(folder, {f"{name}.py": each for name, each in files.items()})
    write(folder, {"main.py": text})
    return project.types("main.py")


def awaitabilities(folder: Path, text: str) -> list[Awaitability]:
    """Whether what is revealed in `text` is awaitable."""
    project = Project(folder, {"main.py": text})
    return [
        project.resolver.awaitability(project.resolver.type_of(node, scope))
        for node, scope in project.revealed("main.py")
    ]


def show(type_: Type) -> str:
    """A type as a reader would write it; `?` is unknown."""
    match type_:
        case Unknown():
            return "?"
        case NoneType():
            return "None"
        case Instance(cls, arguments):
            return cls.name + _arguments(arguments)
        case ClassObject(cls, arguments):
            return f"type[{cls.name}{_arguments(arguments)}]"
        case FunctionType(function):
            return f"def {function.name}"
        case CallableType(returns, parameters):
            return f"({', '.join(map(show, parameters))}) -> {show(returns)}"
        case ModuleType(module):
            return f"module {module.name}"
        case External(name) | ExternalInstance(name):
            return f"{type(type_).__name__} {name}"
        case TypeVariable(name):
            return f"~{name.rpartition('.')[2]}"
        case TupleType(elements):
            return f"({', '.join(map(show, elements))})"
        case Presumed(found):
            return f"{show(found)}?"
        case UnionType(members):
            return " | ".join(map(show, members))


def _arguments(arguments: tuple[Type, ...]) -> str:
    return f"[{', '.join(map(show, arguments))}]" if arguments else ""
