"""SARIF 2.1.0, for GitHub code scanning, Azure DevOps and editors."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from logctx_lint import __version__
from logctx_lint.config.codes import CODES, HOME, url
from logctx_lint.findings import Finding, Fix, Profile, Span
from logctx_lint.reporting.fingerprints import fingerprints
from logctx_lint.reporting.formats import Report
from logctx_lint.syntax.source import Source

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "%SRCROOT%"


def write(report: Report, out: TextIO) -> None:
    root = Path(os.path.abspath(report.root))
    codes = sorted({finding.code for finding in report.findings})
    named = fingerprints(report.findings, report.sources, root)
    run = {
        "tool": {
            "driver": {
                "name": "logctx-lint",
                "version": __version__,
                "informationUri": HOME,
                "rules": [_rule(code) for code in codes],
            }
        },
        "originalUriBaseIds": {_ROOT: {"uri": root.as_uri().rstrip("/") + "/"}},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(finding, codes, root, report.sources.get(finding.path))
            # Without the text GitHub has the better fingerprint, and adds it itself.
            | (_fingerprint(fingerprint) if finding.path in report.sources else {})
            for finding, fingerprint in zip(report.findings, named, strict=True)
        ],
    }
    json.dump({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, out, indent=2)
    out.write("\n")


def _rule(code: str) -> dict[str, Any]:
    """A rule's name and place; flake8 reports codes of other plugins, too."""
    if code not in CODES:
        return {"id": code}
    from logctx_lint.rules.docs import page

    summary = " ".join(page(code).summary.split())
    return {
        "id": code,
        "name": CODES[code],
        "shortDescription": {"text": summary},
        "helpUri": url(code),
        "help": {"text": page(code).sections["Why"]},
        "defaultConfiguration": {"level": "error"},
    }


def _result(
    finding: Finding, codes: list[str], root: Path, source: Source | None
) -> dict[str, Any]:
    artifact = _artifact(finding.path, root)
    region: dict[str, Any] = {**_region(finding.span)}
    if source:
        region["snippet"] = {"text": source.at(finding.span)}
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": artifact, "region": region}
    }
    if finding.function:
        location["logicalLocations"] = [
            {"fullyQualifiedName": finding.function, "kind": "function"}
        ]
    return {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": "error" if finding.profile is Profile.RECOMMENDED else "warning",
        "message": {"text": finding.message},
        "locations": [location],
        **_fixes(finding.fixes, artifact),
    }


def _fingerprint(fingerprint: str) -> dict[str, Any]:
    return {"partialFingerprints": {"logctxLint/v1": fingerprint}}


def _fixes(fixes: Iterable[Fix], artifact: dict[str, str]) -> dict[str, Any]:
    listed = [
        {
            "description": {"text": f"{fix.title} ({fix.applicability.value})"},
            "artifactChanges": [
                {
                    "artifactLocation": artifact,
                    "replacements": [
                        {
                            "deletedRegion": _region(edit.span),
                            "insertedContent": {"text": edit.text},
                        }
                        for edit in fix.edits
                    ],
                }
            ],
        }
        for fix in fixes
    ]
    return {"fixes": listed} if listed else {}


def _artifact(path: Path, root: Path) -> dict[str, str]:
    full = Path(os.path.abspath(path))
    if full.is_relative_to(root):
        return {"uri": quote(full.relative_to(root).as_posix()), "uriBaseId": _ROOT}
    return {"uri": full.as_uri()}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column + 1,
        "endLine": span.end_line,
        "endColumn": span.end_column + 1,
    }
