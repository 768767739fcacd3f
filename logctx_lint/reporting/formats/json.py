"""For programs: objects in a list or one on each line; lines and columns (characters) from 1."""

from __future__ import annotations

import json
from typing import Any, TextIO

from logctx_lint.config.codes import CODES, url
from logctx_lint.findings import Finding, Fix, Span
from logctx_lint.reporting.report import Report


def write(report: Report, out: TextIO) -> None:
    json.dump([as_object(each) for each in report.findings], out, indent=2)
    out.write("\n")


def write_lines(report: Report, out: TextIO) -> None:
    out.writelines(f"{json.dumps(as_object(each))}\n" for each in report.findings)


def as_object(finding: Finding) -> dict[str, Any]:
    """A finding in the shape that docs and consumers rely on."""
    return {
        "code": finding.code,
        "name": CODES[finding.code],
        "message": finding.message,
        "filename": str(finding.path),
        **_place(finding.span),
        "function": finding.function,
        "profile": finding.profile.value,
        "url": url(finding.code),
        "fixes": [_fix(each) for each in finding.fixes],
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "title": fix.title,
        "applicability": fix.applicability.value,
        "edits": [{**_place(edit.span), "text": edit.text} for edit in fix.edits],
    }


def _place(span: Span) -> dict[str, int]:
    return {
        "line": span.line,
        "column": span.column + 1,
        "end_line": span.end_line,
        "end_column": span.end_column + 1,
    }
