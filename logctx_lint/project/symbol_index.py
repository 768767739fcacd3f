"""The symbol index: which files of a package call, set, inherit or declare a name.

Imports lead from a file to what it uses. Who uses *it* only the whole package can tell, and what is
not imported by the file that is linted must count as well: findings may not depend on how many
files are linted together. So all files of the outermost package are looked through, once; the
outcome is kept in the cache, and a file is read again only when it has changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from bisect import bisect, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from string import digits
from typing import NamedTuple

from logctx_lint.incremental.dependencies import Place
from logctx_lint.incremental.store import Entries
from logctx_lint.project.awaitable_names import ANYTHING, imported, name_edges
from logctx_lint.project.facts import ClassFacts, FunctionFacts, ModuleFacts
from logctx_lint.syntax.source import Source, digest_of

FORMAT = 4
"""Goes up with every change of what an index holds."""
_WORD = re.compile(r"\w*")
_LONGEST_NAME = 60
_SET = re.compile(r"\.(?<!\bself\.)(\w+) *= *(?!=)")
_RECENT = 2 * 10**9
"""Nanoseconds."""
_TEST_FOLDERS = frozenset({"test", "tests", "testing"})


Table = defaultdict[str, list[str]]
"""The files that mention a name, in order."""
Row = tuple[str, int, int]
"""A file's path, when it was changed and how long it is."""


class Mentions(NamedTuple):
    """What one file says. Each is a list of last names."""

    called: tuple[str, ...]
    """What is called with arguments."""
    set: tuple[str, ...]
    """Attributes that are set on something else than `self`."""
    inherited: tuple[str, ...]
    """Base classes."""
    asynchronous: tuple[str, ...]
    """Methods declared as `async def` or under `@inlineCallbacks`."""
    members: tuple[str, ...]
    """All other members of classes."""
    edges: tuple[str, ...]
    """See `awaitable_names`."""
    imported: tuple[str, ...]
    """Absolute names of modules."""


NO_MENTIONS = Mentions(*((),) * 7)
Reader = Callable[[list[str]], Iterable[Mentions]]
"""Says what the files at some paths mention, one after the other."""


def mentions(source: Source, facts: ModuleFacts) -> Mentions:
    """What a file of this text and these facts mentions."""
    text = source.text
    called = set(_called(text))
    classes = [cls for _, cls in _classes(facts)]
    asynchronous: set[str] = set()
    members: set[str] = set()
    for cls in classes:
        for name, functions in cls.functions.items():
            for function in functions:
                (asynchronous if is_asynchronous(function) else members).add(name)
        members.update(cls.variables)
    inherited = {_last_name(base) for cls in classes for base in cls.bases}
    changed = set(_SET.findall(text))
    edges = name_edges(source, facts) | {f"{name} {ANYTHING}" for name in changed}
    imports = imported(text, facts)
    tables = (called, changed, inherited, asynchronous, members, edges, imports)
    return Mentions(*(tuple(sorted(table)) for table in tables))


def _called(text: str) -> Iterator[str]:
    """What stands before a parenthesis that is not closed at once."""
    before, *pieces = text.split("(")
    for piece in pieces:
        if not piece.startswith(")"):
            # Read backwards, which is many times faster than to look for words.
            backwards = _WORD.match(before[: -_LONGEST_NAME - 1 : -1])
            if backwards and (word := backwards[0][::-1].lstrip(digits)):
                yield word
        before = piece


def is_asynchronous(function: FunctionFacts) -> bool:
    """Whether a look at its head alone says that calling a function gives an awaitable."""
    if any("inlineCallbacks" in decorator for decorator in function.decorators):
        return True
    return function.is_async and not function.is_generator


class FunctionLines:
    """The outermost functions of a file, by the lines that they stand on."""

    def __init__(self, facts: ModuleFacts) -> None:
        found = [
            (function.line, function.end_line, number, name)
            for number, (name, function) in enumerate(_functions(facts))
        ]
        self._functions = sorted(found)
        self._starts = [each[0] for each in self._functions]

    def names(self, lines: list[int]) -> list[str]:
        """The names of those that some lines stand in, once for each line, as facts have them."""
        found: list[tuple[int, int, str]] = []
        for line in lines:
            # Of a name that is defined twice in branches, functions do not overlap either.
            for at in range(bisect(self._starts, line) - 1, -1, -1):
                _, end, number, name = self._functions[at]
                if line > end:
                    break
                found.append((number, line, name))
        return [name for _, _, name in sorted(found)]


def classes_with(facts: ModuleFacts, table: str, name: str) -> list[str]:
    """The names of the classes that have, or inherit from something called, `name`."""
    if table == "inherited":
        return [cls for cls, each in _classes(facts) if name in map(_last_name, each.bases)]
    return [
        cls for cls, each in _classes(facts) if name in each.functions or name in each.variables
    ]


def _functions(facts: ModuleFacts) -> Iterator[tuple[str, FunctionFacts]]:
    places: list[tuple[str, ModuleFacts | ClassFacts]] = [("", facts)]
    places += [(f"{name}.", cls) for name, cls in _classes(facts)]
    for outer, place in places:
        for name, functions in place.functions.items():
            for function in functions:
                yield outer + name, function


def _classes(facts: ModuleFacts | ClassFacts, outer: str = "") -> Iterator[tuple[str, ClassFacts]]:
    for name, cls in facts.classes.items():
        yield outer + name, cls
        yield from _classes(cls, f"{outer}{name}.")


def _last_name(base: str) -> str:
    return base.partition("[")[0].rpartition(".")[2]


def is_test(path: Path) -> bool:
    """Whether a file of a package is a test, or one of the doubles that tests are played with."""
    *folders, name = path.parts or ("",)
    return not _TEST_FOLDERS.isdisjoint(folders) or name.startswith(("test_", "conftest."))


class _Row:
    """What one file mentions: written down, or taken apart, only when somebody needs that."""

    def __init__(self, found: Mentions | bytes, read: Callable[[], Mentions] | None = None) -> None:
        """`read` is for what was written by nobody knows whom."""
        self._read = read
        if isinstance(found, bytes):
            self.written = found
        else:
            # Other files have the same words.
            self.mentions = Mentions(*(tuple(map(sys.intern, words)) for words in found))

    @cached_property
    def mentions(self) -> Mentions:
        try:
            return _mentions_of(json.loads(self.written))
        except (ValueError, TypeError, RecursionError):
            return self._read() if self._read else NO_MENTIONS

    @cached_property
    def written(self) -> bytes:
        return json.dumps(self.mentions, separators=(",", ":")).encode()


def _mentions_of(data: list[list[str]]) -> Mentions:
    return Mentions(*(tuple(sys.intern(word) for word in words) for words in data))


class Index(Place):
    """The files of one package, by the names that they mention; a part is one name in one way."""

    def __init__(self, name: str, rows: Mapping[str, _Row]) -> None:
        """Paths are relative to the folder of the package."""
        super().__init__(name)
        self._rows = dict(sorted(rows.items()))
        self._tables: dict[str, Table] = {}
        """Those that somebody has asked for."""
        self._replaced: set[str] = set()
        self.changes = 0
        """How often a text was replaced."""

    @cached_property
    def digest(self) -> str:
        lines = (f"{path}\t".encode("utf-8", "surrogatepass") for path in self._rows)
        rows = (row.written for row in self._rows.values())
        return digest_of(b"\n".join(chain.from_iterable(zip(lines, rows, strict=True))))

    def says(self, part: str) -> str:
        table, _, name = part.partition(" ")
        return repr(self.files_with(table, name))

    def files_with(self, table: str, name: str) -> list[str]:
        """The files in which `name` is, say, `called` (a field of Mentions), in a fixed order."""
        found = self._tables.get(table)
        if found is None:
            found = defaultdict(list)
            for path, row in self._rows.items():
                for word in getattr(row.mentions, table):
                    found[word].append(path)
            self._tables[table] = found
        return list(found.get(name, ()))

    def replace(self, path: str, said: Mentions) -> None:
        """Say that the text of a file is another than on disk."""
        self.forget()
        before = self._rows.get(path)
        self._rows[path] = _Row(said)
        if before is None:
            self._rows = dict(sorted(self._rows.items()))
        for name, table in self._tables.items():
            for word in getattr(before.mentions, name) if before else ():
                table[word].remove(path)
            for word in getattr(said, name):
                insort(table[word], path)
        self._replaced.add(path)
        self.changes += 1

    def is_replaced(self, path: str) -> bool:
        """Whether the text of a file was said to be another than on disk."""
        return path in self._replaced

    def words(self, table: str) -> Iterable[str]:
        """All that is, say, `called` in any of the files."""
        words = (getattr(row.mentions, table) for row in self._rows.values())
        return dict.fromkeys(chain.from_iterable(words))


def build(name: str, place: Path, cache: Entries, read: Reader) -> Index:
    """The index of a package's folder, or of one file; what has changed since is read by `read`.

    The cache keeps what each file mentions, by its time of change and its length.
    """
    if not place.is_dir():
        index = Index(name, {})
        index.replace("", *read([str(place)]))
        return index
    key = f"{FORMAT} {name}".encode("utf-8", "surrogatepass")
    present = {path: (at, size) for path, at, size in _python_files(str(place), "")}
    files, written = _kept(cache.load(key) or b"")

    def read_anew(path: str) -> Mentions:
        (said,) = read([str(place / path)])
        return said

    rows = {
        path: _Row(written[path], partial(read_anew, path))
        for path, about in present.items()
        if files.get(path) == about
    }
    missing = sorted(present.keys() - rows.keys())
    if os.getpid() % 2:
        # Two processes of flake8 begin at the same time: each finds half of the facts, and then
        # those that the other has kept.
        missing.reverse()
    rows.update(zip(missing, map(_Row, read([str(place / path) for path in missing])), strict=True))
    if missing or files.keys() != present.keys():
        now = time.time_ns()
        # What has changed just now may change again within one tick of the clock.
        files = {
            path: (at if now - at > _RECENT else 0, size) for path, (at, size) in present.items()
        }
        if cache.remembers:
            cache.store(key, _written(files, rows))
    return Index(name, rows)


_Files = dict[str, tuple[int, int]]
"""When each file was changed, and how long it is."""


def _written(files: _Files, rows: Mapping[str, _Row]) -> bytes:
    """An entry of the cache: the files in order, and what each of them mentions on its line."""
    first = json.dumps(dict(sorted(files.items())), separators=(",", ":")).encode()
    return b"\n".join([first, *(rows[path].written for path in sorted(files))])


def _kept(data: bytes) -> tuple[_Files, dict[str, bytes]]:
    """What an entry says, which may be anything; nothing if it cannot be used."""
    first, *lines = data.split(b"\n")
    try:
        files = {
            str(path): (int(str(at)), int(str(size)))
            for path, (at, size) in json.loads(first).items()
        }
        return files, dict(zip(files, lines, strict=True))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}, {}


def _python_files(folder: str, outer: str) -> Iterator[Row]:
    """Python files, and when they were changed and how long they are."""
    with contextlib.suppress(OSError), os.scandir(folder) as opened:
        entries = list(opened)
        names = {entry.name for entry in entries}
        for entry in entries:
            path = f"{outer}{entry.name}"
            # A stub beside the code itself is not looked at.
            if entry.name.endswith(".py") or (
                entry.name.endswith(".pyi") and entry.name[:-1] not in names
            ):
                # A link may lead nowhere.
                if entry.is_file():
                    about = entry.stat()
                    yield path, about.st_mtime_ns, about.st_size
            # Links to folders may go in a circle.
            elif "." not in entry.name and entry.is_dir(follow_symlinks=False):
                yield from _python_files(entry.path, f"{path}/")
