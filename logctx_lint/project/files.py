"""The files and folders that a project's facts come from, read once for each run."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol
from weakref import ReferenceType, ref

from logctx_lint.incremental.dependencies import Place
from logctx_lint.project.always_awaited import AlwaysAwaited, always_awaited
from logctx_lint.project.awaitable_names import AwaitableNames
from logctx_lint.project.facts import (
    FunctionFacts,
    ModuleFacts,
    aliases,
    extract,
    functions_called,
    interface_of,
    values_with,
)
from logctx_lint.project.facts_cache import FactsCache
from logctx_lint.project.folders import Folder
from logctx_lint.project.function_bodies import parse_alone
from logctx_lint.project.installed_names import InstalledNames
from logctx_lint.project.member_replacements import ModuleReplacements, module_replacements
from logctx_lint.project.partial_facts import Outline
from logctx_lint.project.paths import relative
from logctx_lint.project.symbol_index import (
    NO_MENTIONS,
    FunctionLines,
    Index,
    Mentions,
    build,
    classes_with,
    mentions,
)
from logctx_lint.project.text_index import Tree, imported_frameworks
from logctx_lint.syntax.placeholders import kind_of
from logctx_lint.syntax.source import Source, Unreadable, digest_of, read_bytes
from logctx_lint.time_limit import uncharged

PROGRAM = Path(__file__).parent.parent
STUBS = PROGRAM / "stubs"
"""Our own short stubs of Twisted, asyncio and the rest: nothing needs to be installed."""
LIBRARY_STUBS = PROGRAM / "library_stubs"
"""What is asynchronous in other libraries, for where they are not installed: a part of each."""

_PROGRAM = os.path.join(PROGRAM, "")
EVERYTHING = "everything"
ALWAYS_AWAITED = "always_awaited"
REPLACEMENTS = "replacements"
ALIASES = "aliases"
CLASSES = "classes"
FRAMEWORKS = "frameworks"
_MENTIONS = frozenset(Mentions._fields)
_IN_TEXT = {"called": "{}(", "set": ".{} ="}
"""How mentions that are not among the facts look in a line."""
DERIVED = "#"
"""Stands in the names of places that are not on disk themselves."""
_INDEX = DERIVED + "index"
"""Ends the name of an index, behind that of its folder or file."""
OF_STUBS = "-stubs"
"""Ends the name of a package that holds nothing but the stubs of another (PEP 561)."""
AWAITABLE_NAMES = DERIVED + "awaitable"
"""The same of the names that lead to awaitables."""
_NOTHING = ModuleFacts({}, (), {}, {}, {})
_OURS: dict[str, ModuleFacts] = {}
"""The facts of files that belong to this program, which are the same for every project."""


class Learnt(NamedTuple):
    """What a file says."""

    digest: str
    facts: ModuleFacts
    mentions: Mentions


class IndexReader(Protocol):
    """Reads many files at once: `index_workers`."""

    def are_worth_it(self, files: int) -> bool: ...
    def read(self, paths: Sequence[str]) -> Iterator[Learnt]: ...


class ModuleFile(Place):
    """The file of a module; a part is what it says of one name.

    The text is only read when somebody asks, and so are the facts.
    """

    def __init__(
        self,
        name: str,
        path: str,
        is_constant: bool,
        cache: FactsCache,
        *,
        in_parts: bool = False,
    ) -> None:
        """`in_parts`: little of it is used, perhaps, and that can be read by itself."""
        super().__init__(name, is_constant)
        self.path = path
        self._in_parts = in_parts
        self._cache = cache
        self.is_given = False
        """Its text was handed in, and may be another than the one on disk."""
        self._digest: str | None = None
        self._source: Source | None = None
        self._facts: ModuleFacts | None = None
        self._tree: ReferenceType[ast.Module] | None = None
        self._lines_of: tuple[ModuleFacts, FunctionLines] | None = None

    @property
    def digest(self) -> str:
        """Of the text; empty where there is no such file."""
        if self._digest is None:
            try:
                self._digest = digest_of(read_bytes(self.path))
            except Unreadable:
                self._digest = ""
        return self._digest

    @property
    def source(self) -> Source:
        """The text; raises Unreadable."""
        if self._source is None:
            self.take(Source.read(Path(self.path)))
            assert self._source is not None
        return self._source

    @property
    def is_held(self) -> bool:
        """Whether the text is known already, be the file on disk or not."""
        return self._source is not None

    def read(self) -> tuple[str, str]:
        """The text as far as it can be decoded, empty where there is none, and its digest."""
        if self._source is not None:
            return self._source.text, self._source.digest
        try:
            data = read_bytes(self.path)
        except Unreadable:
            return "", ""
        return data.decode("utf-8", "replace"), digest_of(data)

    def take(self, source: Source) -> None:
        """Take this for the text of the file, whatever is on disk."""
        if self._digest != source.digest:
            self._facts = None
            for name in ("_outline", ALWAYS_AWAITED, REPLACEMENTS):
                self.__dict__.pop(name, None)
        self._source = source
        self._digest = source.digest

    @property
    def facts(self) -> ModuleFacts:
        """What the text says; nothing where it cannot be read or parsed."""
        if self._facts is None:
            try:
                self.learn()
            except Unreadable:
                self._facts = _NOTHING
        assert self._facts is not None
        return self._facts

    def facts_about(self, name: str) -> ModuleFacts:
        """Facts of which only what stands under `name` may be used."""
        found = self._outline.about(name) if self._facts is None and self._outline else None
        return self.facts if found is None else found

    @property
    def stars(self) -> tuple[str, ...]:
        """What the module imports everything from."""
        found = self._outline.stars if self._facts is None and self._outline else None
        return self.facts.stars if found is None else found

    @cached_property
    def _outline(self) -> Outline | None:
        if not self._in_parts:
            return None
        try:
            # Lines that end otherwise are counted otherwise.
            return None if self.source.mentions("\r") else Outline(self.source)
        except Unreadable:
            return None

    @property
    def tree(self) -> ast.Module | None:
        """All of the file, while somebody else keeps it."""
        return self._tree() if self._tree else None

    def learn(self, tree: ast.Module | None = None) -> None:
        """Get the facts, from `tree` if that is known; raises Unreadable."""
        self._tree = ref(tree) if tree else None
        source = self._source or Source.read(Path(self.path))
        if self._facts is not None and self._digest == source.digest:
            return
        self._digest = source.digest
        self._facts = _OURS.get(self.path) if self.is_constant else None
        if self._facts is None:
            self._facts = self._cache.load(source.text)
        if self._facts is None:
            if tree is None:
                tree = source.parse()
                self._cache.tree_cache.offer(self.path, tree, len(source.text))
                self._tree = ref(tree)
            self._facts = extract(source, tree)
            self._cache.store(source.text, self._facts)
        if self.is_constant:
            _OURS[self.path] = self._facts

    def take_learnt(self, learnt: Learnt) -> Mentions:
        """Take over what another process has read in the file."""
        self._digest = learnt.digest
        self._facts = learnt.facts
        return learnt.mentions

    def says(self, part: str) -> str:
        kind, _, name = part.partition(" ")
        if kind == "item":
            return interface_of(self.facts_about(name), name)
        if kind in _WHOLE:
            return _WHOLE[kind](self)
        if kind == "values":
            return repr(values_with(self.facts, name))
        if kind == "mentions":
            return str(name in self.read()[0])
        if kind in _MENTIONS:
            return repr(self.mentioning(kind, name))
        return self._says_of_functions(kind, name)

    def _says_of_functions(self, kind: str, name: str) -> str:
        """Where the functions of a name stand, whether they do anything, or what they do."""
        functions = functions_called(self.facts_about(name.partition(".")[0]), name)
        if not functions:
            # A method of a class inside a function, say.
            return self.digest
        if kind == "line":
            return repr([function.line for function in functions])
        if kind == "kind":
            trees = (parse_alone(self, function) for function in functions)
            return repr([tree and kind_of(tree.body).value for tree in trees])
        return repr([self._body(function) for function in functions])

    def mentioning(self, table: str, name: str) -> list[str]:
        """The functions, or classes, that mention a name in one of the ways of `Mentions`.

        A function is named once for each line that does.
        """
        if table not in _IN_TEXT:
            return classes_with(self.facts, table, name)
        try:
            lines = self.source.lines_with(_IN_TEXT[table].format(name))
            return self._function_lines.names(lines) if lines else []
        except Unreadable:
            return []

    @property
    def _function_lines(self) -> FunctionLines:
        facts = self.facts
        if self._lines_of is None or self._lines_of[0] is not facts:
            self._lines_of = facts, FunctionLines(facts)
        return self._lines_of[1]

    @cached_property
    def always_awaited(self) -> AlwaysAwaited:
        """What the file awaits wherever it calls it, but for one place."""
        return always_awaited(self.read()[0])

    @cached_property
    def replacements(self) -> ModuleReplacements | None:
        """Which members of classes the file replaces; None where it cannot be parsed."""
        try:
            return module_replacements(self.tree or self.source.parse())
        except Unreadable:
            return None

    @property
    def mentions(self) -> Mentions:
        """All that the file mentions."""
        try:
            return mentions(self.source, self.facts)
        except Unreadable:
            return NO_MENTIONS

    def _body(self, function: FunctionFacts) -> list[str]:
        try:
            return self.source.lines[function.first_line - 1 : function.end_line]
        except Unreadable:
            return []


_WHOLE: dict[str, Callable[[ModuleFile], str]] = {
    EVERYTHING: lambda file: file.digest,
    "stars": lambda file: repr(file.stars),
    CLASSES: lambda file: repr([interface_of(file.facts, each) for each in file.facts.classes]),
    ALIASES: lambda file: repr(
        [(name, sorted(each)) for name, each in aliases(file.facts).items()]
    ),
    FRAMEWORKS: lambda file: repr(list(imported_frameworks(file.read()[0]))),
    ALWAYS_AWAITED: lambda file: repr([sorted(each) for each in file.always_awaited]),
    REPLACEMENTS: lambda file: repr(file.replacements),
}
"""Parts that are about the file as a whole, and what they say."""


class Places:
    """Every file and folder that was looked at, by name."""

    def __init__(self, base: Path, cache: FactsCache) -> None:
        """`base` is the folder that the names are relative to."""
        self._base = str(base)
        self.roots = {self._base}
        """The folders that are looked through as a whole, or below which others are."""
        self.installed: tuple[str, ...] = ()
        """The names of those in which installed modules are."""
        self._cache = cache
        self.workers: IndexReader | None = None
        """Who else reads files, where there are many."""
        self._known: dict[str, ModuleFile | Folder] = {}
        """By path; those of folders end in a separator."""
        self._paths: dict[str, str] = {}
        self._trees: dict[str, Tree] = {}
        self._indexes: dict[str, Index] = {}
        self._installed: dict[str, InstalledNames] = {}
        self.awaitable_names: Callable[[str], AwaitableNames]
        """How to find those of a package, given its path."""

    def file(self, path: str) -> ModuleFile:
        found = self._known.get(path)
        if not isinstance(found, ModuleFile):
            name, is_ours = self.name_of(path), _is_ours(path)
            in_parts = not is_ours and path.startswith(self._installed_roots)
            found = ModuleFile(name, path, is_ours, self._cache, in_parts=in_parts)
            self._known[path] = found
        return found

    def new_file(self, path: str, source: Source) -> ModuleFile:
        """A file whose text this is, which may be another than it had before."""
        known = self._known.get(path)
        if isinstance(known, ModuleFile) and known.digest == source.digest:
            known.take(source)
            return known
        found = ModuleFile(self.name_of(path), path, _is_ours(path), self._cache)
        found.take(source)
        found.is_given = True
        self._known[path] = found
        for folder, tree in self._trees.items():
            if _is_inside(path, folder):
                tree.replace(found)
        for package, index in self._indexes.items():
            self._replace(index, package, path, found)
        return found

    def folder(self, path: str) -> Folder:
        key = os.path.join(path, "")
        found = self._known.get(key)
        if not isinstance(found, Folder):
            found = self._known[key] = Folder(self.name_of(path) + "/", path, _is_ours(key))
        return found

    def tree(self, path: str, *, deep: bool = True) -> Tree:
        """The text of the Python files in a folder, or in that and those below."""
        key = os.path.join(path, "**" if deep else "*")
        found = self._trees.get(key)
        if found is None:
            held = (
                name
                for name, place in self._known.items()
                if _is_inside(name, key) and isinstance(place, ModuleFile) and place.is_held
            )
            files = sorted({*held, *self._python_files(path, deep=deep)})
            name = self.name_of(key) + ".py"
            found = Tree(name, map(self.file, files), self._cache.trees)
            self._trees[key] = found
        return found

    def _python_files(self, path: str, *, deep: bool) -> Iterator[str]:
        folders = [self.folder(path)]
        for folder in folders:
            yield from folder.python_files()
            if deep:
                folders += map(self.folder, folder.own_folders())

    def index(self, path: str) -> Index:
        """What is mentioned where in a package, or in one file."""
        found = self._indexes.get(path)
        if found is None:
            name = self.name_of(path) + _INDEX
            with uncharged():
                found = build(name, Path(path), self._cache.indexes, self._mentions_of)
            found.is_constant = _is_ours(path)
            if not os.path.isdir(path):
                found.ground = (self.file(path),)
            self._indexes[path] = found
            for each, file in self._known.items():
                if isinstance(file, ModuleFile):
                    self._replace(found, path, each, file)
        return found

    @property
    def indexes(self) -> int:
        """How many have been made."""
        return len(self._indexes) + len(self._installed)

    def installed_names(self, path: str) -> InstalledNames:
        """What the modules of an installed package, or a lone one, say of names."""
        found = self._installed.get(path)
        if found is None:
            name = self._package_name(path)
            kept_as = self.name_of(path)
            found = InstalledNames(path, name, self._cache.indexes, kept_as)
            self._installed[path] = found
        return found

    def keep_installed_names(self) -> None:
        """Keep what has been read of installed packages."""
        for each in self._installed.values():
            each.keep()

    @cached_property
    def _installed_roots(self) -> tuple[str, ...]:
        return tuple(os.path.join(self.path_of(each), "") for each in self.installed)

    def _package_name(self, path: str) -> str:
        """The dotted name of an installed package; empty for a lone module."""
        root = next(each for each in self._installed_roots if path.startswith(each))
        if path.endswith((".py", ".pyi")):
            path = os.path.dirname(path)
        parts = path[len(root) :].split(os.sep)
        return ".".join([parts[0].removesuffix(OF_STUBS), *parts[1:]])

    def _mentions_of(self, paths: list[str]) -> Iterator[Mentions]:
        files = [self.file(path) for path in paths]
        if self.workers is None or not self.workers.are_worth_it(len(paths)):
            for file in files:
                yield file.mentions
            return
        # What has been handed in is not on disk.
        others = [file.path for file in files if not file.is_held]
        learnt = self.workers.read(others)
        for file in files:
            yield file.mentions if file.is_held else file.take_learnt(next(learnt))

    def _replace(self, index: Index, package: str, path: str, file: ModuleFile) -> None:
        """Tell an index of a text that is another than on disk."""
        # Almost none is given, of thousands.
        if not file.is_given:
            return
        if path != package and not path.startswith(os.path.join(package, "")):
            return
        on_disk = ModuleFile(file.name, path, False, self._cache)
        inner = path[len(package) + 1 :].replace(os.sep, "/")
        # What was typed and taken back is again what is on disk, but not what the index was told.
        if on_disk.digest != file.digest or index.is_replaced(inner):
            index.replace(inner, file.mentions)

    def named(self, name: str) -> Place:
        """The place that once had this name, as it is now.

        Raises ValueError for a folder outside of `roots` that is to be looked through: whoever
        made the name up may mean the whole disk.
        """
        if name.endswith(_INDEX):
            return self.index(self._below_roots(self.path_of(name[: -len(_INDEX)])))
        if name.endswith(AWAITABLE_NAMES):
            path = self.path_of(name[: -len(AWAITABLE_NAMES)])
            return self.awaitable_names(self._below_roots(path))
        path = self.path_of(name)
        if name.endswith("*.py"):
            folder = self._below_roots(os.path.dirname(path))
            return self.tree(folder, deep=name.endswith("**.py"))
        return self.folder(path) if name.endswith("/") else self.file(path)

    def path_of(self, name: str) -> str:
        """Where the file or folder of a name is."""
        path = self._paths.get(name)
        if path is None:
            path = self._paths[name] = os.path.normpath(os.path.join(self._base, name))
        return path

    def _below_roots(self, path: str) -> str:
        for root in self.roots:
            if path == root or path.startswith(os.path.join(root, "")):
                return path
        raise ValueError(path)

    def name_of(self, path: str) -> str:
        """What a place is called, wherever the project lies."""
        return relative(path, self._base)


def _is_inside(path: str, tree: str) -> bool:
    """Whether a file belongs to a tree, given by its key: `folder/*` or `folder/**`."""
    below = tree.rstrip("*")
    return path.startswith(below) and (tree.endswith("**") or os.sep not in path[len(below) :])


def _is_ours(path: str) -> bool:
    return path.startswith(_PROGRAM)
