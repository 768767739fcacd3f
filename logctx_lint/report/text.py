"""For people: where, what, the line itself and how to cure it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import TextIO

from logctx_lint.findings import Applicability, Finding
from logctx_lint.report import Report
from logctx_lint.source import Source


def write(report: Report, out: TextIO) -> None:
    for finding in report.findings:
        span = finding.span
        place = f"{finding.path}:{span.line}:{span.column + 1}"
        out.write(f"{place}: {finding.code} {finding.message}\n")
        if not report.brief:
            source = report.sources.get(finding.path)
            out.writelines(f"{line}\n" for line in _details(finding, source))
            out.write("\n")
    if not report.brief:
        out.write(f"{_summary(report)}\n")


def _details(finding: Finding, source: Source | None) -> Iterator[str]:
    span = finding.span
    margin = " " * len(str(span.line))
    if source is not None and span.line <= len(source.lines):
        line = source.lines[span.line - 1].rstrip("\r\n")
        end = span.end_column if span.end_line == span.line else len(line)
        marked = line[span.column : end].rstrip()
        yield f"{margin} |"
        yield f"{span.line} | {_visible(line)}"
        yield f"{margin} | {_blank(line[: span.column])}{'^' * max(1, _width(marked))}"
    for fix in finding.fixes:
        flag = "--fix" if fix.applicability is Applicability.SAFE else "--fix --unsafe-fixes"
        how = f" ({flag})" if fix is finding.fixes[0] else ""
        yield f"{margin} = fix: {fix.title}{how}"


def _summary(report: Report) -> str:
    parts = [f"{_counted(report.files, 'file')} checked"]
    if report.fixed:
        parts.append(f"{_counted(report.fixed, 'fix', 'fixes')} applied")
    parts.append(_counted(len(report.findings), "finding"))
    first = [each.fixes[0].applicability for each in report.findings if each.fixes]
    for flags, applicability in (
        ("--fix", Applicability.SAFE),
        ("--fix --unsafe-fixes", Applicability.UNSAFE),
    ):
        if count := first.count(applicability):
            parts.append(f"{count} fixable with {flags}")
    return ", ".join(parts)


def _counted(number: int, what: str, plural: str = "") -> str:
    return f"{number} {what if number == 1 else plural or what + 's'}"


def _visible(text: str) -> str:
    """`text` without the control characters that would move the cursor."""
    return "".join(each if each.isprintable() or each == "\t" else " " for each in text)


def _blank(text: str) -> str:
    """What takes as much room as `text` and shows nothing."""
    return "".join("\t" if each == "\t" else " " * _width(each) for each in text)


def _width(text: str) -> int:
    """Columns of a terminal that `text` takes."""
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )
