"""Output formats. A format is a function in a module of its own, listed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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


def formats() -> Mapping[str, Format]:
    """Every output format by the name that `--output-format` takes."""
    from logctx_lint.report import concise, github, gitlab, json, junit, rdjson, sarif, text

    return {
        "text": text.write,
        "concise": concise.write,
        "json": json.write,
        "jsonl": json.write_lines,
        "sarif": sarif.write,
        "github": github.write,
        "gitlab": gitlab.write,
        "junit": junit.write,
        "rdjson": rdjson.write,
    }
