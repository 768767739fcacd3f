"""The name graph (`awaitable_names`) of an installed package, read from the text of its files.

A project's own files are parsed for it, as they are for all else; of what is installed only the few
modules that are used ever are. So this reads regular expressions alone, and looks no further than
the heads of functions and classes, what functions return, and the aliases. As there, it may find
too many edges, never too few.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from keyword import kwlist
from typing import Protocol

from logctx_lint.incremental.dependencies import Place
from logctx_lint.project.awaitable_names import (
    ANYTHING,
    CALLED_FOR,
    INLINE_CALLBACKS,
    ITERATED_FOR,
    WORD,
    words_of,
)
from logctx_lint.project.symbol_index import NO_MENTIONS, Index, Mentions
from logctx_lint.syntax.source import Unreadable, read_bytes

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


class InstalledIndex:
    """What the files of an installed package say of names, each by itself."""

    def __init__(self, index: Index) -> None:
        self.index = index

    @cached_property
    def edges(self) -> dict[str, tuple[str, ...]]:
        """Edges between names, by file."""
        return self.index.by_file("edges")

    @cached_property
    def imported(self) -> dict[str, tuple[str, ...]]:
        """The modules that matter for a file, by file."""
        return self.index.by_file("imported")


def mentions_of_installed(package: str, name: str, paths: Sequence[str]) -> Iterator[Mentions]:
    """What files of a package mention: edges between names, and which other modules matter.

    `name` is the dotted name of the package.
    """
    is_folder = cache(os.path.isdir)
    for path in paths:
        below = path[len(package) + 1 :].split(os.sep)
        if not _TEST_FOLDERS.isdisjoint(below[:-1]):
            yield NO_MENTIONS
            continue
        try:
            data = read_bytes(path)
        except Unreadable:
            data = b""
        if len(data) > _LARGEST:
            data = b""
        # So that the first line begins behind a line break, too.
        text = "\n" + data.decode("utf-8", "replace")
        here = [name, *below[:-1]]
        pairs, outward = frozenset[str](), frozenset[str]()
        if _is_asynchronous(data):
            reader = _Reader(text, is_stub=path.endswith(".pyi"))
            pairs, outward = frozenset(reader.pairs), frozenset(reader.outward)
        else:
            outward = frozenset(WORD.findall(" ".join(_BASES.findall(text))))
        is_package = below[-1].startswith("__init__.")
        imports = _Imports(package, here, is_folder).found(text, outward, re_exports=is_package)
        yield NO_MENTIONS._replace(edges=tuple(sorted(pairs)), imported=tuple(sorted(imports)))


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

    def found(self, text: str, outward: frozenset[str], *, re_exports: bool) -> set[str]:
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
            if match["declared"] not in _KEYWORDS:
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
        if _PLAIN_RESULT.match(returned):
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
