"""Output formats. A format is a function in a module of its own, listed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TextIO

from logctx_lint.findings import Finding
from logctx_lint.syntax.source import Source


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
    colour: bool = False
    """May what people read be coloured?"""
    statistics: bool = False
    """Say below how often each rule was broken, in the formats that people read."""
    root: Path = field(default_factory=Path.cwd)
    """The project's folder, which programs want names of files relative to."""

    def coloured(self, colour: bool) -> Report:
        """The same report for an output that takes colour, or does not."""
        return replace(self, colour=colour)


Format = Callable[[Report, TextIO], None]


FORMATS = (
    "text", "concise", "json", "jsonl", "sarif", "github", "gitlab", "junit", "rdjson"
)  # fmt: skip
"""What `--output-format` takes."""


def writer(name: str) -> Format:
    """An output format. Only its own module is imported."""
    module = import_module(f"logctx_lint.reporting.formats.{'json' if name == 'jsonl' else name}")
    found: Format = module.write_lines if name == "jsonl" else module.write
    return found
