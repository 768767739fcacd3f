"""Findings for people, shown file by file while others are still being checked.

They are the same, and in the same order, as when all are written in the end.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from logctx_lint.engine.runner import Outcome
from logctx_lint.frontends.cli import terminal
from logctx_lint.frontends.cli.files import Group
from logctx_lint.reporting.formats import FOR_PEOPLE
from logctx_lint.reporting.formats.text import write_findings
from logctx_lint.reporting.report import report_of


class Stream:
    """Shows what is found in each file when its turn has come."""

    def __init__(self, args: argparse.Namespace, *, over_bar: bool) -> None:
        """`over_bar`: the terminal shows a progress bar, which has to make room."""
        self._brief = args.quiet or args.output_format == "concise"
        self._colour = terminal.colourful(sys.stdout, args.color)
        self._over_bar = over_bar and terminal.is_terminal(sys.stdout)

    def show(self, outcome: Outcome, group: Group) -> None:
        if not outcome.findings:
            return
        if self._over_bar:
            terminal.clear(sys.stderr)
        report = report_of([outcome], group.settings)
        report = replace(report, brief=self._brief, colour=self._colour)
        write_findings(report, sys.stdout)
        sys.stdout.flush()


def is_possible(args: argparse.Namespace, groups: Sequence[Group], stdin: str) -> bool:
    """Whether what is found in one file can be shown before the others are known."""
    needs_all = (
        args.changed_since or args.add_noqa or args.diff or args.output_file or args.statistics
    )
    if needs_all or args.output_format not in FOR_PEOPLE or stdin in args.paths:
        return False
    return not any(group.settings.baseline for group in groups)
