"""Output formats of `logctx-lint audit`. A format is a function in a module of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TextIO

from logctx_lint.reporting.audit_formats import html, json, text
from logctx_lint.reporting.audit_report import AuditReport

AuditFormat = Callable[[AuditReport, TextIO], None]


def formats() -> Mapping[str, AuditFormat]:
    """Every output format by the name that `--output-format` takes."""
    return {"text": text.write, "json": json.write, "html": html.write}
