"""Facts about one name of an installed module, from only the statements that mention it.

Of a large module often one class is used. To parse all of it takes longer than anything else that
is done with it, so its text is cut where the outermost statements begin, and only those are parsed
that may bind a name that somebody asks for.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from functools import cached_property

from logctx_lint.project.facts import ModuleFacts, extract
from logctx_lint.syntax.source import Source, Unreadable

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
_SMALL = 4_000
"""Characters of a text that is parsed as a whole as quickly."""
_NOTHING = ModuleFacts({}, (), {}, {}, {})


class Outline:
    """The outermost statements of a text."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._facts: dict[str, ModuleFacts | None] = {}

    @property
    def is_worth_it(self) -> bool:
        """Whether it is quicker to read the text in parts."""
        return len(self._source.text) > _SMALL and "\r" not in self._source.text

    def about(self, name: str) -> ModuleFacts | None:
        """Facts of which only what stands under `name` may be used; None if it cannot be told."""
        if name not in self._facts:
            self._facts[name] = self._read(_occurrences(self._source.text, name), name)
        return self._facts[name]

    @cached_property
    def stars(self) -> tuple[str, ...] | None:
        """What the module imports everything from; None if it cannot be told."""
        found = _STAR.finditer(self._source.text)
        facts = self._read([match.start() for match in found], "")
        return facts and facts.stars

    def _read(self, places: list[int], name: str) -> ModuleFacts | None:
        chosen = {bisect_right(self._starts, place) - 1 for place in places}
        # What a function or class is called is all that it binds.
        wanted = sorted(each for each in chosen if self._names[each] in ("", name))
        if not wanted:
            return _NOTHING
        text = self._only(wanted)
        try:
            return extract(Source(self._source.path, text), ast.parse(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError, Unreadable):
            return None

    def _only(self, wanted: list[int]) -> str:
        """The text of some statements, on the lines where they are."""
        text, ends = self._source.text, [*self._starts[1:], len(self._source.text)]
        parts = []
        done = 0
        for each in wanted:
            start, end = self._starts[each], ends[each]
            parts += ["\n" * text.count("\n", done, start), text[start:end]]
            done = end
        return "".join(parts)

    @property
    def _starts(self) -> list[int]:
        return self._statements[0]

    @property
    def _names(self) -> list[str]:
        """Those of functions and classes; empty for other statements."""
        return self._statements[1]

    @cached_property
    def _statements(self) -> tuple[list[int], list[str]]:
        """Where each begins, and what it is called."""
        text = self._source.text
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
            if decorated:
                names[-1] = match[1] or ""
            elif at:
                starts.append(at)
                names.append(match[1] or "")
            else:
                names[-1] = match[1] or ""
            decorated = text[at] == "@"
        return starts, names


def _occurrences(text: str, name: str) -> list[int]:
    """Where a name stands in a text, and not inside a longer one."""
    found = []
    at = text.find(name)
    while at >= 0:
        end = at + len(name)
        before, after = text[at - 1 : at] if at else "", text[end : end + 1]
        if not (before.isalnum() or before == "_" or after.isalnum() or after == "_"):
            found.append(at)
        at = text.find(name, end)
    return found
