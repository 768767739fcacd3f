"""Facts about one name of an installed module, from only the statements that mention it.

Of a large module often one class is used. To parse all of it takes longer than anything else that
is done with it, so its text is cut where the outermost statements begin, and only those are parsed
that may bind a name that somebody asks for.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, TypeVar

from logctx_lint.project.facts import ModuleFacts, extract
from logctx_lint.syntax.source import Source, Unreadable

T = TypeVar("T")

# A line break that is written out is found several times as fast as `^`.
_BEGINNING = re.compile(
    r"\n(?=[^\W\d]|@|\"|')(?!(?:else|elif|except|finally)\b)"
    r"(?:(?:async[ \t]+)?(?:def|class)[ \t]+(\w+))?",
    re.MULTILINE,
)
_STRING = re.compile(
    r"\"\"\"[^\"\\]*(?:(?:\\.|\"(?!\"\"))[^\"\\]*)*\"\"\""
    r"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"
    r"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|#[^\n]*",
    re.DOTALL,
)
"""A string or a comment, in which there may be quotes, too."""
_STAR = re.compile(r"import[ \t]*(?:\\\n)?[ \t]*\*")


class _Statement(NamedTuple):
    start: int
    end: int
    before: int
    """The lines of the text before it."""


class Outline:
    """The outermost statements of a text, each of which is parsed when it is needed."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._statements: list[_Statement] = []
        self._definitions: defaultdict[str, list[int]] = defaultdict(list)
        """The numbers of functions and classes, by what they are called: that is all they bind."""
        self._others: list[tuple[int, str]] = []
        """All other statements: their numbers and texts."""
        self._facts: dict[int, ModuleFacts | None] = {}

    def about(self, name: str) -> ModuleFacts | None:
        """Facts of which only what stands under `name` may be used; None if it cannot be told."""
        self._cut()
        found = ModuleFacts({}, (), {}, {}, {})
        mentioning = [number for number, text in self._others if name in text]
        for number in sorted((*self._definitions.get(name, ()), *mentioning)):
            facts = self._facts_of(number)
            if facts is None:
                return None
            _add(found.imports, facts.imports, name)
            _add(found.functions, facts.functions, name)
            _add(found.variables, facts.variables, name)
            if name in facts.classes:
                found.classes[name] = facts.classes[name]
        return found

    @cached_property
    def stars(self) -> tuple[str, ...] | None:
        """What the module imports everything from; None if it cannot be told."""
        self._cut()
        found: list[str] = []
        for number, text in self._others:
            if _STAR.search(text):
                facts = self._facts_of(number)
                if facts is None:
                    return None
                found += facts.stars
        return tuple(found)

    def _facts_of(self, number: int) -> ModuleFacts | None:
        """The facts of one statement; None if it cannot be parsed."""
        if number not in self._facts:
            start, end, before = self._statements[number]
            part = Source(self._source.path, self._source.text[start:end])
            try:
                self._facts[number] = extract(part, ast.parse(part.text), before)
            except (SyntaxError, ValueError, RecursionError, MemoryError, Unreadable):
                self._facts[number] = None
        return self._facts[number]

    def _cut(self) -> None:
        """Find the statements, if that has not been done."""
        if self._statements:
            return
        text = self._source.text
        starts, names = _beginnings(text)
        before = 0
        for number, (start, end) in enumerate(pairwise([*starts, len(text)])):
            self._statements.append(_Statement(start, end, before))
            before += text.count("\n", start, end)
            if names[number]:
                self._definitions[names[number]].append(number)
            else:
                self._others.append((number, text[start:end]))


def _add(table: dict[str, list[T]], more: Mapping[str, list[T]], name: str) -> None:
    if name in more:
        table.setdefault(name, []).extend(more[name])


def _beginnings(text: str) -> tuple[list[int], list[str]]:
    """Where each outermost statement begins, and the name of a function or class."""
    starts, names = [0], [""]
    decorated = False
    strings = (match.span() for match in _STRING.finditer(text) if "\n" in match[0])
    string = next(strings, (len(text), 0))
    for match in _BEGINNING.finditer("\n" + text):
        # Where the line break is in there, the line begins in the text.
        at = match.start()
        while string[1] and string[1] <= at:
            string = next(strings, (len(text), 0))
        if string[0] < at:
            continue
        if decorated or not at:
            names[-1] = match[1] or ""
        else:
            starts.append(at)
            names.append(match[1] or "")
        decorated = text[at] == "@"
    return starts, names
