"""Output formats. A format is a function in a module of its own, listed here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TextIO

from logctx_lint.reporting.report import Report

Format = Callable[[Report, TextIO], None]


FORMATS = (
    "text", "concise", "json", "jsonl", "sarif", "github", "gitlab", "junit", "rdjson"
)  # fmt: skip
"""What `--output-format` takes."""
FOR_PEOPLE = ("text", "concise")
"""Those that show one finding after the other, and a summary."""


def writer(name: str) -> Format:
    """An output format. Only its own module is imported."""
    module = import_module(f"logctx_lint.reporting.formats.{'json' if name == 'jsonl' else name}")
    found: Format = module.write_lines if name == "jsonl" else module.write
    return found
