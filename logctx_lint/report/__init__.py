"""Output formats. A format is a function in a module of its own, listed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from logctx_lint.findings import Finding
from logctx_lint.source import Source


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found."""

    findings: Sequence[Finding]
    """Sorted by file as they were named, then by position."""
    sources: Mapping[Path, Source] = field(default_factory=dict)
    """The text of each file with a finding, as far as it could be read."""
    files: int = 0
    """How many files were checked."""
    fixed: int = 0
    """How many fixes were applied."""
    brief: bool = False
    """One line for each finding and nothing else, in the formats that know the difference."""


Format = Callable[[Report, TextIO], None]


def formats() -> Mapping[str, Format]:
    """Every output format by the name that `--output-format` takes."""
    from logctx_lint.report import json, text

    return {"text": text.write, "json": json.write}
