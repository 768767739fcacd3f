"""Which files of a package mention a name: where it is called, set, inherited or declared.

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
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from logctx_lint.incremental.dependencies import Place
from logctx_lint.incremental.store import Entries
from logctx_lint.project.awaitable_names import ANYTHING, imported, leads
from logctx_lint.project.facts import ClassFacts, FunctionFacts, ModuleFacts
from logctx_lint.syntax.source import Source, digest_of

FORMAT = 2
"""Goes up with every change of what an index holds."""
_CALL = re.compile(r"\((?<=\w\()(?!\))")
_LAST_WORD = re.compile(r"[^\W\d]\w*\Z")
_LONGEST_NAME = 60
_SET = re.compile(r"\.(?<!\bself\.)(\w+) *= *(?!=)")
_RECENT = 2 * 10**9
"""Nanoseconds."""
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
    leads: tuple[str, ...]
    """See `awaitable_names`."""
    imported: tuple[str, ...]
    """Absolute names of modules."""


NO_MENTIONS = Mentions(*((),) * 7)
Reader = Callable[[list[str]], Iterable[Mentions]]
"""Says what the files at some paths mention, one after the other."""


def mentions(source: Source, facts: ModuleFacts) -> Mentions:
    """What a file of this text and these facts mentions."""
    text = source.text
    called = set()
    for match in _CALL.finditer(text):
        end = match.start()
        word = _LAST_WORD.search(text[max(0, end - _LONGEST_NAME) : end])
        if word:
            called.add(word.group())
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
    leading = leads(source, facts) | {f"{name} {ANYTHING}" for name in changed}
    imports = imported(text, facts)
    tables = (called, changed, inherited, asynchronous, members, leading, imports)
    return Mentions(*(tuple(sorted(table)) for table in tables))


def is_asynchronous(function: FunctionFacts) -> bool:
    """Whether a look at its head alone says that calling a function gives an awaitable."""
    if any("inlineCallbacks" in decorator for decorator in function.decorators):
        return True
    return function.is_async and not function.is_generator


def functions_with(facts: ModuleFacts, lines: list[int]) -> list[str]:
    """The names of the outermost functions that some lines stand in, once for each line."""
    return [
        name
        for name, function in (_functions(facts) if lines else ())
        for line in lines
        if function.line <= line <= function.end_line
    ]


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
        return [self._files[place] for place in sorted(found)]

    def replace(self, path: str, said: Mentions) -> None:
        """Say that the text of a file is another than on disk."""
        self.forget()
        if path not in self._files:
            self._files.append(path)
        self._replaced[self._files.index(path)] = said
        self.changes += 1

    def words(self, table: str) -> Iterator[str]:
        """All that is, say, `called` in any of the files."""
        number = Mentions._fields.index(table)
        for word, places in self._tables[number].items():
            if not self._replaced or not self._replaced.keys() >= set(places):
                yield word
        for said in self._replaced.values():
            yield from said[number]


def build(name: str, place: Path, cache: Entries, read: Reader) -> Index:
    """The index of a package's folder, or of one file; what has changed since is read by `read`."""
    if not place.is_dir():
        index = Index(name, [], _written(_no_tables()), _no_tables)
        index.replace("", *read([str(place)]))
        return index
    key = f"{FORMAT} {name}".encode("utf-8", "surrogatepass")
    known, _, written = (cache.load(key) or b"[]\n").partition(b"\n")
    rows = sorted(_python_files(str(place), ""))
    files = [path for path, _, _ in rows]

    def made(kept: dict[int, int], tables: list[Table]) -> list[Table]:
        """The tables of old with the files that have kept their place there; others are read."""
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
        return new

    old_rows = _rows(known)
    if old_rows == rows:
        return Index(name, files, written, lambda: made({}, _no_tables()))
    numbers = {row: number for number, row in enumerate(rows)}
    kept = {old: numbers[row] for old, row in enumerate(old_rows) if row in numbers}
    tables = _tables(written, len(old_rows))
    written = _written(made(kept, tables) if tables else made({}, _no_tables()))
    now = time.time_ns()
    # What has changed just now may change again within one tick of the clock.
    rows = [(path, at if now - at > _RECENT else 0, size) for path, at, size in rows]
    cache.store(key, json.dumps(rows, separators=(",", ":")).encode() + b"\n" + written)
    return Index(name, files, written, lambda: made({}, _no_tables()))


def _no_tables() -> list[Table]:
    return [{} for _ in Mentions._fields]


def _rows(data: bytes) -> list[Row]:
    """The files that an entry of the cache was made from; none if it says something else."""
    try:
        return [(str(path), int(str(at)), int(str(size))) for path, at, size in json.loads(data)]
    except (ValueError, TypeError, RecursionError):
        return []


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
