"""SARIF 2.1.0, for GitHub code scanning, Azure DevOps and editors."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from logctx_lint import __version__
from logctx_lint.config.codes import CODES, HOME, url
from logctx_lint.findings import Finding, Fix, Profile, Related, Span
from logctx_lint.reporting.fingerprints import fingerprints
from logctx_lint.reporting.report import Report
from logctx_lint.syntax.source import Source

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "%SRCROOT%"


def write(report: Report, out: TextIO) -> None:
    """One run for each tool: flake8 hands over what its other plugins found, too."""
    ours = [each for each in report.findings if each.code in CODES]
    others = [each for each in report.findings if each.code not in CODES]
    runs = [_run(_driver(ours), ours, report)]
    if others:
        runs.append(_run(_flake8(others), others, report))
    json.dump({"$schema": _SCHEMA, "version": "2.1.0", "runs": runs}, out, indent=2)
    out.write("\n")


def _driver(findings: Iterable[Finding]) -> dict[str, Any]:
    return {
        "name": "logctx-lint",
        "version": __version__,
        "informationUri": HOME,
        "rules": [_rule(code) for code in sorted({each.code for each in findings})],
    }


def _flake8(findings: Iterable[Finding]) -> dict[str, Any]:
    return {
        "name": "flake8",
        "version": metadata.version("flake8"),
        "informationUri": "https://flake8.pycqa.org/",
        "rules": [{"id": code} for code in sorted({each.code for each in findings})],
    }


def _run(driver: dict[str, Any], findings: Sequence[Finding], report: Report) -> dict[str, Any]:
    root = Path(os.path.abspath(report.root))
    codes = [rule["id"] for rule in driver["rules"]]
    named = fingerprints(findings, report.sources, root)
    return {
        "tool": {"driver": driver},
        "originalUriBaseIds": {_ROOT: {"uri": root.as_uri().rstrip("/") + "/"}},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(finding, codes, root, report.sources.get(finding.path))
            # Without the text GitHub has the better fingerprint, and adds it itself.
            | (_fingerprint(fingerprint) if finding.path in report.sources else {})
            for finding, fingerprint in zip(findings, named, strict=True)
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    """A rule's name, place and documentation."""
    from logctx_lint.rules.docs import in_terminal, page

    shown = page(code)
    summary = " ".join(shown.summary.split())
    return {
        "id": code,
        "name": CODES[code],
        "shortDescription": {"text": summary},
        "helpUri": url(code),
        "fullDescription": {"text": shown.sections["Why"]},
        "help": {"text": in_terminal(shown)},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["reliability", "concurrency"], "precision": "high"},
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
        **_related(finding.related, root),
        **_fixes(finding.fixes, artifact),
    }


def _related(related: Iterable[Related], root: Path) -> dict[str, Any]:
    listed = [
        {
            "id": number,
            "message": {"text": each.message},
            "physicalLocation": {
                "artifactLocation": _artifact(each.path, root),
                "region": {"startLine": each.line},
            },
        }
        for number, each in enumerate(related)
    ]
    return {"relatedLocations": listed} if listed else {}


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
