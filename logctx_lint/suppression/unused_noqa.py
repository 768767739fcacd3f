"""LCX001: comments `# noqa: LCX...` that silence nothing any more."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from flake8.defaults import NOQA_INLINE_REGEXP
from flake8.processor import FileProcessor
from flake8.utils import parse_comma_separated_list

from logctx_lint.config.codes import CODES, UNUSED_NOQA
from logctx_lint.findings import Applicability, Edit, Finding, Fix, Span
from logctx_lint.syntax.source import Source

_OURS = "LCX"


@dataclass(frozen=True, slots=True)
class _Comment:
    """A comment that flake8 heeds."""

    line: int
    column: int
    text: str
    noqa: re.Match[str]

    @property
    def words(self) -> list[str]:
        """The codes, or beginnings of codes, that it names."""
        return parse_comma_separated_list(self.noqa["codes"] or "")


def unused_noqa(
    source: Source,
    processor: FileProcessor,
    suppressed: Collection[Finding],
    judged: Collection[str],
) -> list[Finding]:
    """A finding for each comment that names codes of this linter and silences none of them.

    `suppressed` is what comments did silence; `judged` are the codes that were looked for: of
    others nobody knows.
    """
    found = []
    for comment in _comments(processor):
        here = processor.noqa_line_for(comment.line)
        silenced = {
            each.code
            for each in suppressed
            # flake8 gives all lines of a statement in a string, or joined by \, the same text.
            if processor.noqa_line_for(each.span.line) is here
        }
        words = comment.words
        unused = [word for word in words if _is_unused(word, silenced, judged)]
        if unused and UNUSED_NOQA not in words:
            found.append(_finding(source, comment, unused))
    return found


def _comments(processor: FileProcessor) -> Iterator[_Comment]:
    try:
        tokens = processor.file_tokens
    except (tokenize.TokenError, SyntaxError):
        return
    for token in tokens:
        if token.type != tokenize.COMMENT:
            continue
        noqa = NOQA_INLINE_REGEXP.search(token.string)
        whole = NOQA_INLINE_REGEXP.search(processor.noqa_line_for(token.start[0]) or "")
        # flake8 heeds the first in a statement only.
        if noqa and whole and noqa[0].strip() == whole[0].strip():
            yield _Comment(*token.start, token.string, noqa)


def _is_unused(word: str, silenced: Collection[str], judged: Collection[str]) -> bool:
    if not word.upper().startswith(_OURS):
        return False
    named = [code for code in CODES if code.startswith(word)]
    return all(code in judged and code not in silenced for code in named)


def _finding(source: Source, comment: _Comment, unused: list[str]) -> Finding:
    start = comment.column + comment.noqa.start()
    end = comment.column + len(comment.noqa[0].rstrip(", \t")) + comment.noqa.start()
    span = Span(comment.line, start, comment.line, end)
    message = f"`# noqa` for {', '.join(unused)} silences nothing here: remove it"
    fix = Fix("remove what is unused", Applicability.SAFE, (_edit(source, comment, unused),))
    return Finding(UNUSED_NOQA, message, source.path, span, fixes=(fix,))


def _edit(source: Source, comment: _Comment, unused: list[str]) -> Edit:
    kept = [word for word in comment.words if word not in unused]
    first, last = comment.noqa.span("codes")
    if kept:
        last -= len(comment.noqa["codes"]) - len(comment.noqa["codes"].rstrip(", \t"))
        return _replacing(comment, first, last, ", ".join(kept))
    rest = comment.text[comment.noqa.end() :].strip()
    if rest:
        # What else the comment says stays a comment.
        text = rest if rest.startswith("#") else f"# {rest}"
        return _replacing(comment, comment.noqa.start(), len(comment.text), text)
    before = source.lines[comment.line - 1][: comment.column + comment.noqa.start()]
    if before.strip():
        span = Span(comment.line, len(before.rstrip()), comment.line, _end(comment))
        return Edit(span, "")
    return Edit(Span(comment.line, 0, comment.line + 1, 0), "")


def _replacing(comment: _Comment, first: int, last: int, text: str) -> Edit:
    line, column = comment.line, comment.column
    return Edit(Span(line, column + first, line, column + last), text)


def _end(comment: _Comment) -> int:
    return comment.column + len(comment.text)
