"""Fingerprints of findings, which stay the same while the code around them moves."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from logctx_lint.findings import Finding
from logctx_lint.syntax.source import Source


def fingerprints(
    findings: Iterable[Finding], sources: Mapping[Path, Source], root: Path
) -> list[str]:
    """One for each finding, all different: of the rule, file, function and code, not of the line.

    Findings that are alike in all of these are told apart by their order.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    named = []
    for finding in findings:
        key = (
            finding.code,
            relative(finding.path, root),
            finding.function,
            _code(finding, sources.get(finding.path)),
        )
        seen[key] += 1
        text = "\0".join([*key, str(seen[key])])
        named.append(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32])
    return named


def relative(path: Path, root: Path) -> str:
    """`path` as seen from `root`, with slashes; in full when it lies elsewhere."""
    # Not resolve(): a symbolic link is a file of its own here.
    full = Path(os.path.abspath(path))
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else full.as_posix()


def _code(finding: Finding, source: Source | None) -> str:
    """What was found, whatever its line breaks and spaces."""
    return "".join(source.at(finding.span).split()) if source else ""
