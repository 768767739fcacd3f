"""For people in a hurry, and for editors: one line for each finding."""

from __future__ import annotations

from dataclasses import replace
from typing import TextIO

from logctx_lint.reporting.formats import text
from logctx_lint.reporting.report import Report


def write(report: Report, out: TextIO) -> None:
    text.write(replace(report, brief=True), out)
