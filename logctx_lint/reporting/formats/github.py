"""For GitHub Actions: workflow commands, which become annotations in the pull request."""

from __future__ import annotations

from typing import TextIO

from logctx_lint.findings import Finding
from logctx_lint.reporting.report import Report

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _DATA | str.maketrans({":": "%3A", ",": "%2C"})


def write(report: Report, out: TextIO) -> None:
    out.writelines(f"{command(each)}\n" for each in report.findings)


def command(finding: Finding) -> str:
    """The workflow command that annotates one finding."""
    span = finding.span
    properties = {
        "title": finding.code,
        "file": finding.path.as_posix(),
        "line": span.line,
        "endLine": span.end_line,
        "col": span.column + 1,
    }
    # GitHub takes a column to end at on the same line only.
    if span.line == span.end_line and span.column < span.end_column:
        properties["endColumn"] = span.end_column + 1
    listed = ",".join(
        f"{key}={str(value).translate(_PROPERTY)}" for key, value in properties.items()
    )
    place = f"{finding.path}:{span.line}:{span.column + 1}"
    return f"::error {listed}::{f'{place}: {finding.code} {finding.message}'.translate(_DATA)}"
