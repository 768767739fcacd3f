"""What an audit found, for the output formats of `logctx-lint audit`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from logctx_lint.callgraph.cancellation_safety import Audit, Repair
from logctx_lint.project.modules import Function
from logctx_lint.project.paths import relative


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found."""

    audits: Sequence[Audit]
    root: Path = field(default_factory=Path.cwd)
    """The project's folder, which files are named relative to."""
    colour: bool = False
    brief: bool = False
    """Leave out the trees, in the format for people."""
    patterns: tuple[str, ...] = ()
    """What names of roots were asked for, if not those that are marked."""

    def coloured(self, colour: bool) -> AuditReport:
        """The same report for an output that takes colour, or does not."""
        return replace(self, colour=colour)

    def file(self, function: Function) -> str:
        """The file of a function, as people and programs name it."""
        return relative(function.module.path, self.root)


def gain(repair: Repair) -> str:
    """What correcting a function does, in words."""
    above = f"cancelled with {repair.roots} unsafe root{'s' if repair.roots > 1 else ''}"
    cured = repair.made_safe + repair.made_unknown
    if not cured:
        return f"{above}, which other functions make unsafe, too"
    which = "which is" if repair.roots == 1 else f"{cured} of which {'are' if cured > 1 else 'is'}"
    then = "safe" if not repair.made_unknown else "no longer unsafe"
    return f"{above}, {which} {then} once it is corrected"
