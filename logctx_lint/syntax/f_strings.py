"""Where the expressions in an f-string stand: before Python 3.12, `ast` does not know.

f"{user.name!r:>{width}}": `user.name`, and inside of its format `width`.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

from logctx_lint.findings import Span
from logctx_lint.syntax.source import Source

_Place = tuple[ast.expr, int]
"""An expression as it was parsed alone, in parentheses, and where in the text it begins."""


def formatted_expressions(source: Source, string: ast.JoinedStr) -> dict[ast.expr, Span]:
    """The expressions that an f-string formats; nothing if it cannot be read."""
    start, end = source.offsets(string)
    values = list(_values(string))
    try:
        places = [(parsed, start + at) for parsed, at in _in_literals(source.text[start:end])]
    except (tokenize.TokenError, SyntaxError, ValueError, IndexError):
        return {}
    if [ast.unparse(each) for each in values] != [ast.unparse(each) for each, _ in places]:
        return {}
    found = zip(values, places, strict=True)
    return {value: _span(source, parsed, at, end) for value, (parsed, at) in found}


def _span(source: Source, parsed: ast.expr, at: int, end: int) -> Span:
    # It stood in parentheses when it was parsed.
    text = Source(Path(), f"({source.text[at:end]}")
    first, last = text.offsets(parsed)
    return source.span_at(at + first - 1, at + last - 1)


def _values(string: ast.JoinedStr) -> Iterator[ast.expr]:
    for each in string.values:
        if isinstance(each, ast.FormattedValue):
            yield each.value
            if isinstance(each.format_spec, ast.JoinedStr):
                yield from _values(each.format_spec)


def _in_literals(text: str) -> Iterator[_Place]:
    """The expressions in literals that follow each other."""
    lines = Source(Path(), f"({text})")
    for token in tokenize.generate_tokens(io.StringIO(lines.text).readline):
        if token.type == tokenize.STRING:
            prefix = token.string[: min(token.string.find(quote) % 99 for quote in "'\"")].lower()
            if "f" in prefix:
                quotes = 3 if token.string[len(prefix) :][:3] in ('"""', "'''") else 1
                begin = lines.offset(*token.start) - 1
                first, last = len(prefix) + quotes, len(token.string) - quotes
                body = _Body(text, begin + last, is_raw="r" in prefix)
                yield from body.read(begin + first)


class _Body:
    """What stands between the quotes of an f-string."""

    def __init__(self, text: str, end: int, *, is_raw: bool) -> None:
        self._text = text
        self._end = end
        self._is_raw = is_raw
        self._at = 0

    def read(self, at: int, *, in_format: bool = False) -> Iterator[_Place]:
        """The expressions behind a place; those of a format end at its `}`."""
        self._at = at
        while self._at < self._end:
            two = self._text[self._at : self._at + 2]
            if in_format and two[0] == "}":
                return
            if two in ("{{", "}}") and not in_format:
                self._at += 2
            elif two == "\\N" and not self._is_raw:
                self._at = self._text.index("}", self._at) + 1
            elif two[0] == "\\" and two[1:] not in ("{", "}"):
                self._at += 2
            elif two[0] == "{":
                yield from self._field()
            else:
                self._at += 1

    def _field(self) -> Iterator[_Place]:
        begin = self._at + 1
        parsed, self._at = self._expression(begin)
        yield parsed, begin
        while self._text[self._at] not in ":}":
            self._at += 1  # `=`, which shows the expression, and `!r`.
        if self._text[self._at] == ":":
            yield from self.read(self._at + 1, in_format=True)
        self._at += 1

    def _expression(self, begin: int) -> tuple[ast.expr, int]:
        """The shortest text that is an expression, and where it ends."""
        for at in range(begin, self._end):
            here, behind = self._text[at], self._text[at + 1 : at + 2]
            if here in "}:" or (here == "!" and behind != "=") or self._shows_itself(at):
                try:
                    return ast.parse(f"({self._text[begin:at]})", mode="eval").body, at
                except SyntaxError:
                    continue
        raise SyntaxError

    def _shows_itself(self, at: int) -> bool:
        """`{x = }`"""
        rest = self._text[at + 1 : self._end].lstrip()
        return self._text[at] == "=" and rest[:1] in ("}", "!", ":")
