"""The name graph (`awaitable_names`) of an installed package, read from the text of its files.

A project's own files are parsed for it, as they are for all else; of what is installed only the few
modules that are used ever are. So this reads regular expressions alone, and looks no further than
the heads of functions and classes, what functions return, and the aliases. As there, it may find
too many edges, never too few.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field
from functools import cache as cache_calls
from itertools import chain
from keyword import kwlist
from typing import NamedTuple, Protocol

from logctx_lint.incremental.dependencies import Place
from logctx_lint.incremental.store import Entries
from logctx_lint.project.awaitable_names import (
    ANYTHING,
    CALLED_FOR,
    INLINE_CALLBACKS,
    ITERATED_FOR,
    WORD,
    words_of,
)
from logctx_lint.syntax.source import Unreadable, read_bytes
from logctx_lint.time_limit import uncharged

FORMAT = 4
"""Goes up with every change of what is kept."""
# A line break that is written out is found several times as fast as `^`.
_STATEMENT = re.compile(
    r"\n(?P<indent>[ \t]*)(?=[\w@])(?:"
    r"(?P<asynchronous>async[ \t]+)?def[ \t]+(?P<function>\w+)"
    r"|class[ \t]+(?P<cls>\w+)[ \t]*(?:\((?P<bases>[^)]{0,2000})\))?[ \t]*:"
    r"|return\b[ \t]*(?P<returned>[^#\n]*)"
    r"|@[ \t]*(?P<decorator>[\w.]+)"
    r"|(?:self\.)?(?P<declared>\w+)[ \t]*:[ \t]*(?P<annotation>[\"'\w][^=\n#]*)"
    r"|(?:self\.)?(?P<alias>\w+)[ \t]*=[ \t]*(?P<value>[^\W\d][\w.]*(?:[\[(][^\n]*)?)[ \t]*$"
    r")",
    re.MULTILINE,
)
_HEAD = re.compile(
    r"[ \t]*(?:\[[^\]]*\])?[ \t]*\(.*?\)[ \t\n]*"
    r"(?:->[ \t]*(?P<returns>[^:#]*?)[ \t]*)?"
    r":[ \t]*(?:$|#|\.\.\.|return\b|pass\b|raise\b|\"\"\")",
    re.DOTALL | re.MULTILINE,
)
_LONGEST_HEAD = 2_000
_LARGEST = 4_000_000
"""Bytes of a file that is looked at."""
_ASYNCHRONOUS = (b"async ", b"wait", b"eferred", b"oroutine", b"inlineCallbacks", b"asyncio")
_BASES = re.compile(r"\n[ \t]*(?=c)class[ \t]+\w+[ \t]*\(([^)]{0,2000})\)", re.MULTILINE)
_TYPE_VARIABLE = re.compile(r"(?:\w+\.)*(?:TypeVar|ParamSpec|TypeVarTuple)\(")
_AS = re.compile(r" as ([^\W\d]\w*)")
_LAST_WORD = re.compile(r"\w+\Z")
_LONGEST_NAME = 60
_IMPORT = re.compile(
    r"\n[ \t]*(?=[fi])(?:"
    r"from[ \t]+(?P<module>[\w.]+)[ \t]+import[ \t]+(?P<names>\([^)]{0,4000}\)|[^\n#]*)"
    r"|import[ \t]+(?P<modules>[^#\n;]+))",
    re.MULTILINE,
)
_PLAIN_RESULT = re.compile(r"(?:None|True|False|-?\d[\w.]*|[rbf]?[\"'].*)?\s*\Z")
_QUOTED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_TWO_WORDS = re.compile(r"(\w+)[ \t]+(?=(\w+))")
_PLAIN_DECORATORS = frozenset(
    {"property", "staticmethod", "classmethod", "abstractmethod", "overload", "override", "setter",
     "cached_property", "final", "dataclass", "wraps"}
)  # fmt: skip
_KEYWORDS = frozenset(kwlist)
_MOST_WORDS = 8
"""Words of one expression."""
_TEST_FOLDERS = frozenset({"test", "tests"})


class NameEdges(Protocol):
    """A source of edges between names (`awaitable_names`), such as the index of a package."""

    @property
    def changes(self) -> int: ...
    def words(self, table: str) -> Iterable[str]: ...


@dataclass(frozen=True)
class InstalledEdges:
    """The edges from one module of an installed package."""

    edges: tuple[str, ...]
    imported: tuple[str, ...]
    """The paths of the modules, or of the packages of the project or bundled, that matter to it."""
    ground: frozenset[Place]
    changes: int = 0

    def words(self, table: str) -> tuple[str, ...]:
        """What the table `edges` of an index would say of it."""
        return self.edges if table == "edges" else ()


class NamesOfModule(NamedTuple):
    """What the text of one module says of names."""

    digest: str
    """Of the text."""
    edges: tuple[str, ...]
    imported: tuple[str, ...]
    """The modules that matter for it."""


class InstalledNames:
    """What the modules of one installed package say of names.

    Each is read when it is first needed, for an import seldom leads to all of a package. The cache
    has one entry for the package.
    """

    def __init__(self, path: str, name: str, cache: Entries, kept_as: str) -> None:
        """`name` is the dotted name of the package, `path` where it is; kept under `kept_as`."""
        self._path = path
        self._name = name
        self._cache = cache
        self._key = f"installed {FORMAT} {kept_as}".encode("utf-8", "surrogatepass")
        self._modules = _read(cache.load(self._key) or b"{}")
        self._is_changed = False
        self._is_folder = cache_calls(os.path.isdir)

    def of(self, path: str, digest: str) -> NamesOfModule:
        """What the module at a path says, whose text has this digest."""
        below = path[len(self._path) + 1 :]
        known = self._modules.get(below)
        if known is None or known.digest != digest:
            with uncharged():
                known = self._modules[below] = NamesOfModule(digest, *self._said(path))
            self._is_changed = True
        return known

    def keep(self) -> None:
        """Keep what has been read."""
        if self._is_changed:
            self._cache.store(self._key, json.dumps(self._modules, separators=(",", ":")).encode())
            self._is_changed = False

    def _said(self, path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Edges between names, and which other modules matter."""
        *folders, file = path[len(self._path) + 1 :].split(os.sep)
        if not _TEST_FOLDERS.isdisjoint(folders):
            return (), ()
        try:
            data = read_bytes(path)
        except Unreadable:
            return (), ()
        if len(data) > _LARGEST:
            return (), ()
        # So that the first line begins behind a line break, too.
        text = "\n" + data.decode("utf-8", "replace")
        pairs, outward = set[str](), set[str]()
        if _is_asynchronous(data):
            reader = _Reader(text, is_stub=path.endswith(".pyi"))
            pairs, outward = reader.pairs, reader.outward
        else:
            outward = set(WORD.findall(" ".join(_BASES.findall(text))))
        imports = _Imports(self._path, [self._name, *folders], self._is_folder)
        imported = imports.found(text, outward, re_exports=file.startswith("__init__."))
        return tuple(sorted(pairs)), tuple(sorted(imported))


def _read(data: bytes) -> dict[str, NamesOfModule]:
    """An entry of the cache, which may say anything."""
    try:
        return {
            str(path): NamesOfModule(str(digest), tuple(map(str, edges)), tuple(map(str, imported)))
            for path, (digest, edges, imported) in json.loads(data).items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _is_asynchronous(data: bytes) -> bool:
    """Whether a text mentions anything to wait for; most do not, and have no edges."""
    return any(word in data for word in _ASYNCHRONOUS) or data.count(b"uture") > data.count(
        b"__future__"
    )


@dataclass(frozen=True)
class _Imports:
    """The imports of one file."""

    package: str
    here: list[str]
    """The dotted name of the package that the file is in, in parts."""
    is_folder: Callable[[str], bool]

    def found(self, text: str, outward: Set[str], *, re_exports: bool) -> set[str]:
        """The modules that are imported from the package itself, and of others those that matter.

        These are handed on: by classes that inherit, by results, or as a whole.
        """
        found = set()
        for match in _IMPORT.finditer(text):
            if match["module"]:
                names = WORD.findall(match["names"])
                module = self._absolute(match["module"])
                if module.partition(".")[0] == self.here[0].partition(".")[0]:
                    found.add(module)
                    if self._is_package(module):
                        found.update(f"{module}.{each}" for each in names)
                elif re_exports or "*" in match["names"] or not outward.isdisjoint(names):
                    found.add(module)
                continue
            for each in match["modules"].split(","):
                words = each.split()
                if words and (words[-1].partition(".")[0] in outward or re_exports):
                    found.add(words[0])
        return found

    def _absolute(self, module: str) -> str:
        level = len(module) - len(module.lstrip("."))
        if not level:
            return module
        outer = ".".join(self.here).split(".")
        outer = outer[: len(outer) - level + 1]
        return ".".join([*outer, module[level:]] if module[level:] else outer)

    def _is_package(self, module: str) -> bool:
        name = self.here[0]
        if module == name:
            return True
        below = module.removeprefix(f"{name}.").split(".")
        return self.is_folder(os.path.join(self.package, *below))


@dataclass
class _Block:
    """A function or class that the text is in."""

    indent: int
    name: str
    is_function: bool
    is_annotated: bool = False
    words: frozenset[str] = frozenset()
    is_decorator: bool = field(default=False)


class _Reader:
    """Reads one text from top to bottom."""

    def __init__(self, text: str, *, is_stub: bool) -> None:
        self.pairs: set[str] = set()
        self.outward: set[str] = set()
        """What classes inherit and functions say that they return."""
        self._text = text
        self._is_stub = is_stub
        self._blocks: list[_Block] = []
        self._decorators: list[str] = []
        for match in _AS.finditer(text):
            word = _LAST_WORD.search(text[max(0, match.start() - _LONGEST_NAME) : match.start()])
            if word and word[0] != match[1]:
                self.pairs |= {f"{match[1]} {word[0]}", f"@{match[1]} @{word[0]}"}
        for match in _STATEMENT.finditer(text):
            self._read(match)

    def _read(self, match: re.Match[str]) -> None:
        indent = len(match["indent"].expandtabs())
        while self._blocks and self._blocks[-1].indent >= indent:
            self._blocks.pop()
        if match["function"]:
            self._function(match, indent)
        elif match["cls"]:
            self._class(match["cls"], match["bases"] or "", indent)
        elif match["decorator"]:
            self._decorators.append(match["decorator"].rpartition(".")[2])
        elif match["returned"] is not None:
            self._return(match["returned"].strip())
        elif match["declared"]:
            if match["declared"] not in _KEYWORDS and not _is_prose(match["annotation"]):
                self._add_edges(match["declared"], words_of(match["annotation"]))
        else:
            self._alias(match["alias"], match["value"])

    def _decorate(self, name: str) -> None:
        """Note what the decorators that were read make of a function."""
        for decorator in self._decorators:
            if decorator in INLINE_CALLBACKS:
                self.pairs.add(f"{name} {ANYTHING}")
            elif decorator not in _PLAIN_DECORATORS:
                self.pairs.add(f"{name} @{decorator}")
        self._decorators.clear()

    def _note_decorators(self) -> None:
        """The functions around one that begins are decorators, which may give anything."""
        for outer in self._blocks:
            if outer.is_function and not outer.is_decorator:
                outer.is_decorator = True
                if not outer.is_annotated and not self._is_stub:
                    self.pairs.add(f"@{outer.name} {ANYTHING}")

    def _function(self, match: re.Match[str], indent: int) -> None:
        name = match["function"]
        head = _HEAD.match(self._text, match.end(), match.end() + _LONGEST_HEAD)
        returns = head["returns"] if head else None
        words = words_of(returns) if returns else frozenset()
        block = _Block(indent, name, True, returns is not None, words)
        self._note_decorators()
        if returns and "Callable" in words:
            self.pairs.update(f"@{name} {word}" for word in words)
        owner = self._blocks[-1] if self._blocks else None
        self._blocks.append(block)
        self._decorate(name)
        if match["asynchronous"]:
            self.pairs.add(f"{name} {ANYTHING}")
        elif name != "__init__":
            self._add_edges(name, words)
        self.outward |= words
        if owner and not owner.is_function:
            self._member(owner.name, name, words)

    def _member(self, cls: str, name: str, words: frozenset[str]) -> None:
        if name == "__await__":
            self.pairs.add(f"{cls} {ANYTHING}")
        elif name in CALLED_FOR:
            self.pairs.add(f"{cls} {name}")
        elif name in ITERATED_FOR:
            self._add_edges(cls, words)

    def _class(self, name: str, bases: str, indent: int) -> None:
        self._decorators.clear()
        outer, _, inner = bases.partition("[")
        words = words_of(outer) | {word for word in words_of(inner) if len(word) > 2}
        self.pairs.add(f"@{name} {name}")
        self._add_edges(name, words)
        self.outward |= words
        self._blocks.append(_Block(indent, name, False))

    def _return(self, returned: str) -> None:
        block = next((each for each in reversed(self._blocks) if each.is_function), None)
        if block is None or block.is_annotated or block.name == "__init__":
            return
        if _PLAIN_RESULT.match(returned) or _is_prose(returned):
            return
        self.pairs.add(f"{block.name} {ANYTHING}")

    def _alias(self, name: str, value: str) -> None:
        if _TYPE_VARIABLE.match(value):
            self.pairs.add(f"{name} {ANYTHING}")
        elif "(" not in value:
            self._add_edges(name, words_of(value))

    def _add_edges(self, name: str, words: frozenset[str] | set[str]) -> None:
        chosen = sorted(word for word in words if word != name and word not in _KEYWORDS)
        self.pairs.update(f"{name} {word}" for word in chosen[:_MOST_WORDS])


def _is_prose(text: str) -> bool:
    """Whether what looks like an expression is part of a docstring: no expression has two words
    side by side."""
    words = _TWO_WORDS.findall(_QUOTED.sub("", text))
    if not words or not _KEYWORDS.isdisjoint(chain.from_iterable(words)):
        return False
    return '"' not in text and "'" not in text
