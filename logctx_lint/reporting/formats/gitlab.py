"""For GitLab: a Code Quality report, which is shown in the merge request."""

from __future__ import annotations

import json
from typing import TextIO

from logctx_lint.reporting.fingerprints import fingerprints, relative
from logctx_lint.reporting.report import Report


def write(report: Report, out: TextIO) -> None:
    named = fingerprints(report.findings, report.sources, report.root)
    issues = [
        {
            "description": f"{finding.code} {finding.message}",
            "check_name": finding.code,
            "fingerprint": fingerprint,
            "severity": "major",
            "location": {
                "path": relative(finding.path, report.root),
                "lines": {"begin": finding.span.line, "end": finding.span.end_line},
            },
        }
        for finding, fingerprint in zip(report.findings, named, strict=True)
    ]
    json.dump(issues, out, indent=2)
    out.write("\n")
