"""Which findings are reported: selection, per-file-ignores and `# noqa`, all as flake8 has them.

flake8's own classes decide, so that a comment or a prefix means the same in every front end.
In a flake8 run flake8 does this itself.
"""

from __future__ import annotations

import argparse
import io
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from flake8.formatting.default import Nothing
from flake8.processor import FileProcessor
from flake8.style_guide import Decision, DecisionEngine, StyleGuideManager
from flake8.utils import normalize_path
from flake8.violation import Violation

from logctx_lint.config.codes import CODES, NOT_ANALYSED, UNUSED_NOQA
from logctx_lint.config.settings import Settings
from logctx_lint.findings import Finding
from logctx_lint.suppression.unused_noqa import unused_noqa
from logctx_lint.syntax.source import Source

# What flake8's classes want to find in the options of a run.
_OPTIONS = {
    "select": None,
    "ignore": None,
    "extend_select": None,
    "extend_ignore": None,
    "extended_default_select": ["LCX"],
    "extended_default_ignore": [],
    "per_file_ignores": [],
    "disable_noqa": False,
    "hang_closing": False,
    "indent_size": 4,
    "max_line_length": 79,
    "max_doc_length": None,
    "verbose": 0,
    "output_file": None,
    "color": "never",
    "tee": False,
}


_OURS = re.compile(r"noqa.*lcx")
"""Some comment may name codes of this linter; of a text in lower case."""
_JOINED_TEXT = re.compile(r"""f[rR]?(?:\"{3}|'{3})|[rR]f(?:\"{3}|'{3})""", re.IGNORECASE)
"""A finding may be inside a string of several lines."""


def selected(options: argparse.Namespace) -> frozenset[str]:
    """The codes that a flake8 run with these options may report somewhere."""
    decide = DecisionEngine(options).decision_for
    return frozenset(code for code in CODES if decide(code) is Decision.Selected)


class Selection:
    """Settings' `select`, `ignore` and `per-file-ignores`."""

    def __init__(self, settings: Settings) -> None:
        # A file that cannot be read is news even to a run that selects one rule.
        select = [*settings.select, NOT_ANALYSED] if settings.select else None
        options = argparse.Namespace(
            **_OPTIONS | {"select": select, "ignore": list(settings.ignore)}
        )
        self._guides = StyleGuideManager(options, Nothing(options))
        # Not by way of flake8's option, whose text form cannot hold every path, and which takes
        # globs relative to the working directory.
        self._guides.style_guides += [
            self._guides.default_style_guide.copy(
                filename=normalize_path(glob, str(settings.root)),
                extend_ignore_with=list(codes),
            )
            for glob, codes in settings.per_file_ignores.items()
        ]

    def codes(self, path: Path, among: Iterable[str]) -> frozenset[str]:
        """Those codes of `among` that are reported in a file."""
        report = self._guides.style_guide_for(str(path)).should_report_error
        return frozenset(code for code in among if report(code) is Decision.Selected)


def with_noqa(
    source: Source, findings: Collection[Finding], codes: Collection[str]
) -> list[Finding]:
    """The findings that no comment in their file suppresses, and comments that suppress nothing.

    `codes` are those that were looked for. LCX001 is reported when it is among them.
    """
    # A pattern that knows no case takes many times as long to look through all of a text.
    lowered = source.text.lower()
    if "noqa" not in lowered or not (findings or _OURS.search(lowered)):
        return list(findings)
    lines = list(io.StringIO(source.text, newline=None))
    processor = FileProcessor(str(source.path), argparse.Namespace(**_OPTIONS), lines)
    if "flake8" in lowered and processor.should_ignore_file():
        return []
    joined = _JOINED_TEXT.search(source.text) is not None
    kept = [each for each in findings if not _is_ignored(each, processor, joined=joined)]
    not_analysed = any(each.code == NOT_ANALYSED for each in findings)
    if UNUSED_NOQA in codes and not not_analysed and _OURS.search(lowered):
        suppressed = [each for each in findings if each not in kept]
        kept += unused_noqa(source, processor, suppressed, codes)
        kept.sort(key=lambda found: (found.span, found.code))
    return kept


def _is_ignored(finding: Finding, processor: FileProcessor, *, joined: bool) -> bool:
    line = finding.span.line
    commented = None
    if joined or finding.code == NOT_ANALYSED or _may_be_joined(processor.lines, line):
        # Makes flake8 tokenize the file, which takes longer than all the rest.
        commented = processor.noqa_line_for(line)
    if commented is None and line <= len(processor.lines):
        # A file that cannot be tokenized: flake8 looks at the line itself.
        commented = processor.lines[line - 1]
    violation = Violation(
        finding.code,
        str(finding.path),
        line,
        finding.span.column + 1,
        finding.message,
        commented or "",
    )
    return violation.is_inline_ignored(disable_noqa=False)


def _may_be_joined(lines: list[str], line: int) -> bool:
    """Whether flake8 may take a line of code together with one beside it."""
    around = lines[max(line - 2, 0) : line]
    return any(each.rstrip("\r\n").endswith("\\") for each in around) or any(
        quotes in each for quotes in ('"""', "'''") for each in around[-1:]
    )
