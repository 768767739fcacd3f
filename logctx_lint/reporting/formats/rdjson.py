"""For reviewdog: diagnostics with the fixes as suggestions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TextIO

from logctx_lint.config.codes import url
from logctx_lint.findings import Applicability, Finding, Fix, Profile, Span
from logctx_lint.fixes import apply
from logctx_lint.reporting.fingerprints import relative
from logctx_lint.reporting.report import Report
from logctx_lint.syntax.source import Source

# Lines. What a reviewer should accept with one click must fit below one comment: a fix that also
# adds an import at the top of a long file does not.
_LONGEST_SUGGESTION = 20


def write(report: Report, out: TextIO) -> None:
    result = {
        "source": {"name": "logctx-lint"},
        "severity": "ERROR",
        "diagnostics": [
            _diagnostic(each, report.sources.get(each.path), report) for each in report.findings
        ],
    }
    json.dump(result, out, indent=2)
    out.write("\n")


def _diagnostic(finding: Finding, source: Source | None, report: Report) -> dict[str, Any]:
    diagnostic: dict[str, Any] = {
        "message": finding.message + (_warned(finding.fixes) if source else ""),
        "location": {
            "path": relative(finding.path, report.root),
            "range": _range(finding.span, source),
        },
        "severity": "ERROR" if finding.profile is Profile.RECOMMENDED else "WARNING",
        "code": {"value": finding.code, "url": url(finding.code)},
    }
    if source:
        offered = [_suggestion(fix, source) for fix in finding.fixes]
        diagnostic["suggestions"] = [each for each in offered if each]
    return diagnostic


def _suggestion(fix: Fix, source: Source) -> dict[str, Any] | None:
    """All edits of a fix as one: each suggestion is an alternative to the others."""
    whole = apply.as_one_edit(source, fix)
    if whole is None or whole.span.end_line - whole.span.line >= _LONGEST_SUGGESTION:
        return None
    return {"range": _range(whole.span, source), "text": whole.text}


def _warned(fixes: Iterable[Fix]) -> str:
    """What a reviewer should know before one of the suggestions is accepted."""
    unsafe = [fix.title for fix in fixes if fix.applicability is Applicability.UNSAFE]
    return f" (unsafe, read before accepting: {'; '.join(unsafe)})" if unsafe else ""


def _range(span: Span, source: Source | None) -> dict[str, dict[str, int]]:
    def position(line: int, column: int) -> dict[str, int]:
        """reviewdog counts columns in bytes of UTF-8."""
        text = source.lines[line - 1] if source and line <= len(source.lines) else ""
        before = text[:column].encode("utf-8", "surrogatepass")
        return {"line": line, "column": len(before) + 1 if text else column + 1}

    return {
        "start": position(span.line, span.column),
        "end": position(span.end_line, span.end_column),
    }
