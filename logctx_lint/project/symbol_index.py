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
import time
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from string import digits
from typing import NamedTuple

from logctx_lint.incremental.dependencies import Place
from logctx_lint.incremental.store import Entries
from logctx_lint.project.awaitable_names import ANYTHING, imported, name_edges
from logctx_lint.project.facts import ClassFacts, FunctionFacts, ModuleFacts
from logctx_lint.syntax.source import Source, digest_of

FORMAT = 3
"""Goes up with every change of what an index holds."""
_WORD = re.compile(r"\w*")
_LONGEST_NAME = 60
_SET = re.compile(r"\.(?<!\bself\.)(\w+) *= *(?!=)")
_RECENT = 2 * 10**9
"""Nanoseconds."""
_MOST_REPLACED = 32
"""Files of which an index is told anew; for more, its tables are."""
_NOT_THERE = (-1, -1)
_TEST_FOLDERS = frozenset({"test", "tests", "testing"})


Table = dict[str, list[int]]
"""The numbers of the files that mention a name."""
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


class Index(Place):
    """The files of one package, by the names that they mention; a part is one name in one way."""

    def __init__(
        self, name: str, files: list[str], tables: bytes, made_anew: Callable[[], list[Table]]
    ) -> None:
        """Paths are relative to the folder of the package; `made_anew` is for unusable tables."""
        super().__init__(name)
        self._files = files
        self._written = tables
        self._made_anew = made_anew
        self._replaced: dict[int, Mentions] = {}
        self.changes = 0
        """How often a text was replaced."""

    @cached_property
    def digest(self) -> str:
        said = json.dumps([self._files, sorted(self._replaced.items())])
        return digest_of(said.encode("utf-8", "surrogatepass") + self._written)

    @cached_property
    def _tables(self) -> list[Table]:
        return _tables(self._written, len(self._files)) or self._made_anew()

    def says(self, part: str) -> str:
        table, _, name = part.partition(" ")
        return repr(self.files_with(table, name))

    def files_with(self, table: str, name: str) -> list[str]:
        """The files in which `name` is, say, `called` (a field of Mentions), in a fixed order."""
        number = Mentions._fields.index(table)
        found = set(self._tables[number].get(name, ()))
        for place, said in self._replaced.items():
            (found.add if name in said[number] else found.discard)(place)
        return sorted(self._files[place] for place in found)

    def replace(self, path: str, said: Mentions) -> None:
        """Say that the text of a file is another than on disk."""
        self.forget()
        if path not in self._files:
            self._files.append(path)
        self._replaced[self._files.index(path)] = said
        self.changes += 1

    def is_replaced(self, path: str) -> bool:
        """Whether the text of a file was said to be another than on disk."""
        return path in self._files and self._files.index(path) in self._replaced

    def words(self, table: str) -> Iterator[str]:
        """All that is, say, `called` in any of the files."""
        number = Mentions._fields.index(table)
        replaced = self._replaced
        for word, places in self._tables[number].items():
            if not replaced or not all(place in replaced for place in places):
                yield word
        for said in self._replaced.values():
            yield from said[number]


def build(name: str, place: Path, cache: Entries, read: Reader) -> Index:
    """The index of a package's folder, or of one file; what has changed since is read by `read`.

    The cache keeps the tables of all files, and beside them what was read later of a few.
    """
    if not place.is_dir():
        index = Index(name, [], _written(_no_tables()), _no_tables)
        index.replace("", *read([str(place)]))
        return index
    key = f"{FORMAT} {name}".encode("utf-8", "surrogatepass")
    present = {path: (at, size) for path, at, size in _python_files(str(place), "")}
    known = _Kept.read(cache.load(key) or b"")
    changed = known.changed(present)
    if len(changed | known.replaced.keys()) > _MOST_REPLACED or not known.files:
        known = _made_anew(known, present, changed, place, read)
    elif changed:
        there = sorted(path for path in changed if path in present)
        known.replaced.update(dict.fromkeys(changed, NO_MENTIONS))
        known.replaced.update(zip(there, read([str(place / path) for path in there]), strict=True))
    if changed:
        now = time.time_ns()
        # What has changed just now may change again within one tick of the clock.
        known.files = {
            path: (at if now - at > _RECENT else 0, size) for path, (at, size) in present.items()
        }
        cache.store(key, known.written())

    def made_anew() -> list[Table]:
        everything = _made_anew(_Kept({}, [], {}, b""), present, set(present), place, read)
        numbers = {path: number for number, path in enumerate(known.order)}
        # In the order that the unusable tables had.
        return [
            {
                word: [numbers[everything.order[at]] for at in places
                       if everything.order[at] in numbers]
                for word, places in table.items()
            }
            for table in _tables(everything.tables, len(everything.order)) or _no_tables()
        ]  # fmt: skip

    index = Index(name, list(known.order), known.tables, made_anew)
    for path, said in sorted(known.replaced.items()):
        index.replace(path, said)
    index.changes = 0
    return index


def _made_anew(
    known: _Kept,
    present: Mapping[str, tuple[int, int]],
    changed: set[str],
    place: Path,
    read: Reader,
) -> _Kept:
    """Tables of all files that are there: those of old as far as they hold, others are read."""
    files = sorted(present)
    numbers = {path: number for number, path in enumerate(files)}
    stale = changed | known.replaced.keys()
    kept = {
        old: numbers[path]
        for old, path in enumerate(known.order)
        if path in numbers and path not in stale
    }
    tables = _tables(known.tables, len(known.order))
    if tables is None:
        tables, kept = _no_tables(), {}
    new = [
        {word: [kept[old] for old in places if old in kept] for word, places in table.items()}
        for table in tables
    ]
    missing = sorted(set(range(len(files))).difference(kept.values()))
    if os.getpid() % 2:
        # Two processes of flake8 begin at the same time: each finds half of the facts, and then
        # those that the other has kept.
        missing.reverse()
    paths = [str(place / files[number]) for number in missing]
    for number, said in zip(missing, read(paths), strict=True):
        for table, words in zip(new, said, strict=True):
            for word in words:
                table.setdefault(word, []).append(number)
    return _Kept(dict(present), files, {}, _written(new))


@dataclass
class _Kept:
    """An entry of the cache."""

    files: dict[str, tuple[int, int]]
    """The files that are there: when each was changed, and how long it is."""
    order: list[str]
    """Those that the tables number."""
    replaced: dict[str, Mentions]
    """What was read later of some files."""
    tables: bytes

    @classmethod
    def read(cls, data: bytes) -> _Kept:
        """An entry, which may say anything; an empty one if it cannot be used."""
        first, _, tables = data.partition(b"\n")
        try:
            files, order, replaced = json.loads(first)
            return cls(
                {str(path): (int(str(at)), int(str(size))) for path, (at, size) in files.items()},
                [str(path) for path in order],
                {str(path): _mentions_of(said) for path, said in replaced.items()},
                tables,
            )
        except (ValueError, TypeError, AttributeError, RecursionError):
            return cls({}, [], {}, b"")

    def written(self) -> bytes:
        first = [dict(sorted(self.files.items())), self.order, dict(sorted(self.replaced.items()))]
        return json.dumps(first, separators=(",", ":")).encode() + b"\n" + self.tables

    def changed(self, present: Mapping[str, tuple[int, int]]) -> set[str]:
        """The files that are others than they were, new or gone."""
        both = present.keys() | self.files.keys()
        return {
            path for path in both
            if present.get(path, _NOT_THERE) != self.files.get(path, _NOT_THERE)
        }  # fmt: skip


def _mentions_of(data: list[list[str]]) -> Mentions:
    said = Mentions(*(tuple(str(word) for word in words) for words in data))
    if len(data) != len(Mentions._fields):
        raise ValueError(data)
    return said


def _no_tables() -> list[Table]:
    return [{} for _ in Mentions._fields]


def _tables(data: bytes, files: int) -> list[Table] | None:
    """The tables of an entry of the cache; None if it says something else."""

    def refuse(text: str) -> object:
        raise ValueError(text)

    try:
        tables: list[Table] = json.loads(data, parse_float=refuse, parse_constant=refuse)
        for table in tables:
            numbers = set(chain.from_iterable(table.values()))
            if not all(isinstance(number, int) and 0 <= number < files for number in numbers):
                return None
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return tables if len(tables) == len(Mentions._fields) else None


def _written(tables: list[Table]) -> bytes:
    ordered = [
        {word: sorted(table[word]) for word in sorted(table) if table[word]} for table in tables
    ]
    return json.dumps(ordered, separators=(",", ":")).encode()


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
