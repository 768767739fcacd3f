"""What a run found, for an output format, a baseline or a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from logctx_lint.config.settings import Settings
from logctx_lint.engine.runner import Outcome
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
    known: int = 0
    """How many findings a baseline knows, so that they are left out."""
    brief: bool = False
    """One line for each finding and nothing else, in the formats that know the difference."""
    colour: bool = False
    """May what people read be coloured?"""
    statistics: bool = False
    """Say how often each rule was broken, and no more, in the formats that people read."""
    root: Path = field(default_factory=Path.cwd)
    """The project's folder, which programs want names of files relative to."""

    def coloured(self, colour: bool) -> Report:
        """The same report for an output that takes colour, or does not."""
        return replace(self, colour=colour)


def report_of(outcomes: Sequence[Outcome], settings: Settings) -> Report:
    """What a run found."""
    return Report(
        [finding for each in outcomes for finding in each.findings],
        {each.path: each.source for each in outcomes if each.source and each.findings},
        files=len(outcomes),
        fixed=sum(each.fixed for each in outcomes),
        root=settings.root,
    )


def joined(reports: Sequence[Report], root: Path) -> Report:
    """One report of several, as of the parts of a repository that have settings of their own."""
    return Report(
        [finding for each in reports for finding in each.findings],
        {path: source for each in reports for path, source in each.sources.items()},
        files=sum(each.files for each in reports),
        fixed=sum(each.fixed for each in reports),
        known=sum(each.known for each in reports),
        root=root,
    )
