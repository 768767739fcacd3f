"""For people: position, message, source line and fix."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import TextIO

from logctx_lint.config.codes import CODES, NOT_ANALYSED
from logctx_lint.findings import Applicability, Finding
from logctx_lint.reporting.report import Report
from logctx_lint.syntax.source import Source

_BOLD, _RED, _CYAN = "1", "1;31", "36"


def write(report: Report, out: TextIO) -> None:
    write_findings(report, out)
    write_end(report, out)


def write_findings(report: Report, out: TextIO) -> None:
    """All but what stands below the findings; nothing where only their number is asked for."""
    if report.statistics:
        return
    for finding in report.findings:
        out.write(f"{one_line(finding, colour=report.colour)}\n")
        if not report.brief:
            source = report.sources.get(finding.path)
            out.writelines(f"{line}\n" for line in _details(finding, source, report.colour))
            out.write("\n")


def write_end(report: Report, out: TextIO) -> None:
    """What stands below all findings of a run."""
    if report.statistics:
        out.writelines(f"{line}\n" for line in statistics(report))
    if not report.brief:
        out.write(f"{_summary(report)}\n")
        if not report.statistics and (code := _to_explain(report)):
            out.write(f"`logctx-lint explain {code}` says why, and shows how it is done right\n")


def one_line(finding: Finding, *, colour: bool) -> str:
    """Where, which rule, what."""
    place = f"{finding.path}:{finding.span.line}:{finding.span.column + 1}"
    where, code = _painted(place, _BOLD, colour), _painted(finding.code, _RED, colour)
    return f"{where}: {code} {finding.message}"


def statistics(report: Report) -> Iterator[str]:
    """How often each rule was broken, the worst first."""
    counts = Counter(finding.code for finding in report.findings)
    for code, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"{count:>5}  {code}  {CODES[code]}"


def _details(finding: Finding, source: Source | None, colour: bool) -> Iterator[str]:
    span = finding.span
    margin = " " * len(str(span.line))
    if source is not None and span.line <= len(source.lines):
        line = source.lines[span.line - 1].rstrip("\r\n")
        end = span.end_column if span.end_line == span.line else len(line)
        marked = line[span.column : end].rstrip()
        yield f"{margin} |"
        yield f"{span.line} | {_visible(line)}"
        carets = _painted("^" * max(1, _width(marked)), _RED, colour)
        yield f"{margin} | {_blank(line[: span.column])}{carets}"
    for fix in finding.fixes:
        flag = "--fix" if fix.applicability is Applicability.SAFE else "--fix --unsafe-fixes"
        how = f" ({flag})" if fix is finding.fixes[0] else ""
        yield f"{margin} = {_painted('fix', _CYAN, colour)}: {fix.title}{how}"


def _summary(report: Report) -> str:
    parts = [f"{_counted(report.files, 'file')} checked"]
    if report.fixed:
        parts.append(f"{_counted(report.fixed, 'fix', 'fixes')} applied")
    parts.append(_counted(len(report.findings), "finding"))
    if report.known:
        parts.append(f"{_counted(report.known, 'known finding')} hidden by the baseline")
    first = [each.fixes[0].applicability for each in report.findings if each.fixes]
    for flags, applicability in (
        ("--fix", Applicability.SAFE),
        ("--fix --unsafe-fixes", Applicability.UNSAFE),
    ):
        if count := first.count(applicability):
            parts.append(f"{count} fixable with {flags}")
    return ", ".join(parts)


def _to_explain(report: Report) -> str:
    """The rule of a finding that has no fix to show what is meant, if there is one."""
    found = [each for each in report.findings if each.code != NOT_ANALYSED]
    codes = [each.code for each in sorted(found, key=lambda each: bool(each.fixes))]
    return codes[0] if codes else ""


def _painted(text: str, style: str, colour: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if colour else text


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
