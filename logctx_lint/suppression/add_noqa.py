"""Comments `# noqa: LCX...` for findings that are accepted where they stand."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from flake8.defaults import NOQA_INLINE_REGEXP

from logctx_lint.config.codes import NOT_ANALYSED, UNUSED_NOQA
from logctx_lint.findings import Finding
from logctx_lint.suppression.noqa import with_noqa
from logctx_lint.syntax.source import Source, parses

_LINE_END = re.compile(r"[ \t\f]*(\r\n|\r|\n)?$")


@dataclass(frozen=True, slots=True)
class Silenced:
    """A text with comments, and the findings that no comment could be found a place for."""

    source: Source
    added: int
    left: Sequence[Finding]


def add_noqa(source: Source, findings: Collection[Finding]) -> Silenced:
    """Put a comment at the end of the line of each finding; lines keep their numbers.

    Inside a string of several lines, or before a backslash, a comment would change the program:
    such a finding is left.
    """
    wanted: dict[int, set[str]] = defaultdict(set)
    for each in findings:
        if each.code not in (NOT_ANALYSED, UNUSED_NOQA):
            wanted[each.span.line].add(each.code)
    lines = list(source.lines)
    for number, codes in wanted.items():
        before = lines[number - 1]
        lines[number - 1] = _commented(before, sorted(codes))
        if not _same_program(source, lines):
            lines[number - 1] = before
    after = replace(source, text="".join(lines))
    left = with_noqa(after, findings, {each.code for each in findings})
    return Silenced(after, len(findings) - len(left), left)


def _commented(line: str, codes: Sequence[str]) -> str:
    end = _LINE_END.search(line)
    assert end is not None  # it matches the empty end of any text
    text, newline = line[: end.start()], end[1] or ""
    noqa = NOQA_INLINE_REGEXP.search(text)
    if noqa and noqa["codes"]:
        place = noqa.end("codes")
        named = text[:place].rstrip(", \t")
        return f"{named}, {', '.join(codes)}{text[place:]}{newline}"
    return f"{text}  # noqa: {', '.join(codes)}{newline}"


def _same_program(source: Source, lines: Sequence[str]) -> bool:
    import ast

    text = "".join(lines)
    return parses(text) and ast.dump(ast.parse(text)) == ast.dump(source.parse())
