"""Formatters for flake8: `flake8 --format=lcx-sarif` and `--format=lcx-github`.

They show what every plugin found. flake8 hands on no more than the place, code and message.
"""

from __future__ import annotations

import io
from pathlib import Path

from flake8.formatting.base import BaseFormatter
from flake8.violation import Violation

from logctx_lint.findings import Finding, Span
from logctx_lint.reporting.report import Report


class Github(BaseFormatter):
    """Annotations of GitHub Actions, written as they come."""

    def handle(self, error: Violation) -> None:
        from logctx_lint.reporting.formats.github import command

        self._write(command(_finding(error)))


class Sarif(BaseFormatter):
    """One SARIF document, written at the end."""

    def after_init(self) -> None:
        self._findings: list[Finding] = []

    def handle(self, error: Violation) -> None:
        self._findings.append(_finding(error))

    def stop(self) -> None:
        from logctx_lint.reporting.formats import sarif

        document = io.StringIO()
        sarif.write(Report(self._findings), document)
        self._write(document.getvalue().rstrip())
        super().stop()


def _finding(error: Violation) -> Finding:
    column = max(error.column_number, 1) - 1
    line = max(error.line_number, 1)
    span = Span(line, column, line, column)
    return Finding(error.code, error.text, Path(error.filename), span)
