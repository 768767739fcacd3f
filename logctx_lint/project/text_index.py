"""A text index: which files of a folder may define or use a name, so that only those are read.

Text, not facts: whoever asks for subclasses, for decorated functions or for what the folder imports
needs all files of a package, and looking for names costs a tenth of parsing. An answer may name too
many files, and is checked against the facts of those. What a text mentions is kept in the cache.
"""

from __future__ import annotations

import json
import re
from bisect import bisect, insort
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Protocol

from logctx_lint.config.known_packages import HOMES_OF_LOG_CONTEXTS, KNOWN_LOOPS
from logctx_lint.incremental.dependencies import Part, Place, Trace
from logctx_lint.incremental.store import Entries
from logctx_lint.syntax.source import digest_of

FORMAT = 5
"""Goes up with every change of what is kept of a text."""
# Each begins with letters, which `re` finds many times faster than the beginning of a line.
_CLASS = re.compile(r"class \w+[^(:\n]*\(([^:]*)\)[ \t]*:")
_DECORATOR = re.compile(r"@([\w.]+)")
_DEF = re.compile(r"def (\w+)")
_ALIAS = re.compile(r" as (\w+)")
_NAME = re.compile(r"\w+")
_IMPORTS = {
    package: [re.compile(rf"{word}[ \t]+{package}\b") for word in ("import", "from")]
    for package in ("twisted", "asyncio", "trio", *HOMES_OF_LOG_CONTEXTS)
}
_ERROR_IMPORT = re.compile(
    r"^[ \t]*from[ \t]+(\w+)[\w.]*[ \t]+import[ \t]+(?:[^\n(]*|\([^)]*)\bCancelledError\b",
    re.MULTILINE,
)
OTHER_LOOP = "other-loop"
"""What stands among the imports of a text that takes its cancelled error from elsewhere."""
_ASYNC = re.compile(r"async def (\w+)")
_INLINE = re.compile(r"inlineCallbacks\s+def (\w+)")
_AWAITED = re.compile(r"await (\w+)\(\s*(\w+)\(")
_GATHERING = re.compile(r"\b(?:gatherResults|DeferredList)\b")
_YIELD = re.compile(r"\byield\b")
_ANY_DEF = re.compile(
    r"^(?P<inline>[ \t]*@[\w.]*inlineCallbacks[ \t]*\r?\n)?"
    r"(?P<indent>[ \t]*)(?P<async>async[ \t]+)?def[ \t]+(?P<name>\w+)",
    re.MULTILINE,
)
THREAD_LOCAL = ("PreserveLoggingContext", "make_deferred_yieldable")
Names = Sequence[str]


def _definitions(text: str) -> Names:
    return _DEF.findall(text)


def _bases(text: str) -> set[str]:
    names = {name for found in _CLASS.findall(text) for name in _NAME.findall(found)}
    return _with_aliases(names, text)


def _decorators(text: str) -> set[str]:
    names = {name.rpartition(".")[2] for name in _DECORATOR.findall(text)}
    return _with_aliases(names - {""}, text)


def _with_aliases(names: set[str], text: str) -> set[str]:
    """Names, and what they are aliases of."""
    for alias in _ALIAS.finditer(text):
        if alias[1] in names:
            names.update(_NAME.findall(text, alias.start() - 80, alias.start())[-1:])
    return names


def imported_frameworks(text: str) -> Iterator[str]:
    """The packages that decide how code runs, of those that a text imports."""
    for package, patterns in _IMPORTS.items():
        if package in text and any(
            not text[text.rfind("\n", 0, found.start()) + 1 : found.start()].strip(" \t")
            for pattern in patterns
            for found in pattern.finditer(text)
        ):
            yield package
    if "CancelledError" in text and any(
        found[1] not in KNOWN_LOOPS for found in _ERROR_IMPORT.finditer(text)
    ):
        yield OTHER_LOOP


def _thread_local(text: str) -> Iterator[str]:
    return (name for name in THREAD_LOCAL if name in text)


def _asynchronous(text: str) -> set[str]:
    return {*_ASYNC.findall(text), *_INLINE.findall(text)}


def _wrapping(text: str) -> set[str]:
    return {outer for outer, inner in _AWAITED.findall(text) if f"for {inner} in " in text}


def _gathering(text: str) -> Iterator[str]:
    """The plain functions that mention a gatherer."""
    # Most files mention none of these, which is quickly seen.
    if "gatherResults" in text or "DeferredList" in text:
        yield from _plain_functions(text, _GATHERING)


def _generating(text: str) -> set[str]:
    """The plain functions that mention `yield`."""
    return set(_plain_functions(text, _YIELD)) if "yield" in text else set()


def _plain_functions(text: str, mentioned: re.Pattern[str]) -> Iterator[str]:
    """The functions around all that is mentioned, found by indentation, but asynchronous ones."""
    for around in functions_around(text, (each.start() for each in mentioned.finditer(text))):
        if around and not is_asynchronous(around):
            yield around["name"]


def functions_around(text: str, places: Iterable[int]) -> Iterator[re.Match[str] | None]:
    """The head of the innermost function around each place, found by indentation."""
    defs = list(_ANY_DEF.finditer(text))
    starts = [each.start() for each in defs]
    for place in places:
        start = text.rfind("\n", 0, place) + 1
        line = text[start:place]
        indent = len(line) - len(line.lstrip())
        before = (defs[at] for at in range(bisect(starts, place) - 1, -1, -1))
        # Further in than the `def`, or on its very line.
        found = (e for e in before if len(e["indent"]) < indent or e.end() > start)
        yield next(found, None)


def is_asynchronous(head: re.Match[str]) -> bool:
    """Whether the head of a function says that it can await."""
    return bool(head["async"] or head["inline"])


_ROLES: Mapping[str, Callable[[str], Iterable[str]]] = {
    "functions": _definitions,
    "bases": _bases,
    "decorators": _decorators,
    "imports": imported_frameworks,
    "thread-local": _thread_local,
    "asynchronous": _asynchronous,
    "gathering": _gathering,
    "generating": _generating,
    "wrapping": _wrapping,
}
"""What is looked for.

- `functions`: names that are defined, once for each definition;
- `bases`: names in the parentheses of a `class` statement;
- `decorators`: what stands behind an `@`;
- `imports`: packages that decide how code runs;
- `thread-local`: helpers that only log contexts in thread-locals need;
- `asynchronous`: functions that give awaitables;
- `gathering`: plain functions that call a gatherer of Deferreds;
- `generating`: plain functions that yield;
- `wrapping`: functions around an awaited call of a loop's variable, `await protect(callback(...))`.
"""
_LISTED = ("functions", "bases", "decorators")
"""The roles of which it matters who plays them. Of the others only whether anybody does."""

Said = Mapping[str, Names]
"""What one text mentions, by role."""


class Text(Protocol):
    """A file, as far as this module reads it."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def digest(self) -> str: ...
    def read(self) -> tuple[str, str]:
        """The text, and the digest of this very text."""


class Asked(dict[str, tuple[Part, bool]]):
    """Whether a tree mentions names in one role, and the parts that say so, kept once asked for."""

    def __init__(self, tree: Tree, role: str) -> None:
        self._tree = tree
        self._role = role

    def __missing__(self, name: str) -> tuple[Part, bool]:
        found = self._tree.part(f"{self._role} {name}"), self._tree.has(self._role, name)
        self[name] = found
        return found


class Tree(Place):
    """The Python files in a folder; a part is a name in a role."""

    def __init__(self, name: str, texts: Iterable[Text], cache: Entries) -> None:
        super().__init__(name)
        self._texts = {text.path: text for text in texts}
        self._cache = cache
        self._answers: dict[str, str] = {}
        self._asked: dict[str, Asked] = {}

    @cached_property
    def digest(self) -> str:
        # By names, which are the same wherever the project lies.
        said = "\0".join(f"{text.name} {text.digest}" for text in self._texts.values())
        return digest_of(said.encode("utf-8", "surrogatepass"))

    def replace(self, text: Text) -> None:
        """Take this for the text of its file, which may be new."""
        known = self._texts.get(text.path)
        self._texts[text.path] = text
        if known and known.digest == text.digest:
            return
        self._texts = dict(sorted(self._texts.items()))
        self.forget()
        # What nobody has asked for is not looked at.
        if "_said" in self.__dict__:
            before = self._said.get(text.path, {})
            self._said[text.path] = now = said(text.read()[0])
            for role, table in self._tables.items():
                for name in before.get(role, ()):
                    table[name].remove(text.path)
                for name in now[role]:
                    insort(table[name], text.path)

    def says(self, part: str) -> str:
        # Most files ask for the same parts, and when a text changes all of them are compared.
        answer = self._answers.get(part)
        if answer is None:
            role, _, name = part.partition(" ")
            if role in _LISTED:
                answer = repr([self._texts[path].name for path in self.files(role, name)])
            else:
                answer = str(self.has(role, name))
            self._answers[part] = answer
        return answer

    def forget(self) -> None:
        super().forget()
        self._answers.clear()
        for each in self._asked.values():
            each.clear()

    def files(self, role: str, name: str) -> list[str]:
        """The paths of files that mention a name, or one that a glob stands for."""
        table = self._table(role)
        if not any(character in name for character in "*?["):
            return table.get(name, [])
        return sorted({path for each in table if fnmatchcase(each, name) for path in table[each]})

    def has(self, role: str, name: str) -> bool:
        """Whether any file mentions a name; of `a>b`, whether more files mention a than b."""
        table = self._table(role)
        more, is_compared, fewer = name.partition(">")
        if is_compared:
            return len(table.get(more, ())) > len(table.get(fewer, ()))
        return bool(table.get(name))

    def asked(self, role: str) -> Asked:
        """What `has` says of names, with the parts that say it."""
        return self._asked.setdefault(role, Asked(self, role))

    def named_in(self, path: str, role: str) -> Names:
        """What one file mentions in a role."""
        return self._said[path][role] if path in self._said else ()

    @cached_property
    def _said(self) -> dict[str, Said]:
        """By path."""
        kept = self._load()
        found: dict[str, Said] = {}
        used: dict[str, Said] = {}
        for path, text in self._texts.items():
            digest = text.digest
            roles = kept.get(digest)
            if roles is None:
                content, digest = text.read()
                roles = said(content)
            found[path] = used[digest] = roles
        if used.keys() != kept.keys():
            self._store(used)
        return found

    def _table(self, role: str) -> dict[str, list[str]]:
        table = self._tables.get(role)
        if table is None:
            table = self._tables[role] = defaultdict(list)
            for path, roles in self._said.items():
                for name in roles[role]:
                    table[name].append(path)
        return table

    @cached_property
    def _tables(self) -> dict[str, dict[str, list[str]]]:
        """The files by role and name, for the roles that were asked for."""
        return {}

    @property
    def _key(self) -> bytes:
        return f"{FORMAT} {self.name}".encode("utf-8", "surrogatepass")

    def _load(self) -> dict[str, Said]:
        """What the texts that were here last mentioned, by their digests."""
        try:
            rows = json.loads(self._cache.load(self._key) or "{}")
            return {
                digest: dict(zip(_ROLES, map(str.split, row), strict=True))
                for digest, row in rows.items()
            }
        except (ValueError, TypeError, AttributeError, RecursionError):
            return {}

    def _store(self, used: Mapping[str, Said]) -> None:
        rows = {
            digest: [" ".join(names) for names in roles.values()]
            for digest, roles in sorted(used.items())
        }
        self._cache.store(self._key, json.dumps(rows, separators=(",", ":")).encode())


def said(text: str) -> Said:
    """What a text mentions."""
    return {role: sorted(find(text)) for role, find in _ROLES.items()}


class Mentions:
    """What several folders mention; what is asked for is recorded (`incremental.dependencies`)."""

    def __init__(self, trees: Sequence[Tree], trace: Trace) -> None:
        self._trees = tuple(trees)
        self._trace = trace

    @property
    def key(self) -> Hashable:
        """The same as long as the folders have the same files with the same texts."""
        return tuple((tree.name, tree.digest) for tree in self._trees)

    def functions(self, name: str) -> list[Path]:
        """The files that define a function of a name, once for each definition."""
        return self._files("functions", name)

    def bases(self, name: str) -> list[Path]:
        """The files that have a class with a base of a name."""
        return self._files("bases", name)

    def decorators(self, name: str) -> list[Path]:
        """The files that have a decorator of a name, or of one that a glob stands for."""
        return self._files("decorators", name)

    def _files(self, role: str, name: str) -> list[Path]:
        self._trace.used += [tree.part(f"{role} {name}") for tree in self._trees]
        return [Path(path) for tree in self._trees for path in tree.files(role, name)]
