"""`logctx-lint baseline write|check`: known findings, which `check` does not report again."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from logctx_lint.config import loading
from logctx_lint.config.settings import Settings
from logctx_lint.engine import runner
from logctx_lint.engine.runner import Task
from logctx_lint.findings import Finding
from logctx_lint.frontends.cli import check, terminal
from logctx_lint.frontends.cli.command import Commands
from logctx_lint.frontends.cli.files import named_files, shown
from logctx_lint.reporting import baseline
from logctx_lint.reporting.baseline import Comparison
from logctx_lint.reporting.report import Report, report_of


def add(commands: Commands) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "baseline", help="keep a list of known findings, which can only shrink", description=__doc__
    )
    actions: Commands = parser.add_subparsers(metavar="ACTION", required=True)
    for name, run, text in (
        ("write", write, "make the list, or remove from it what is no longer found"),
        ("check", verify, "fail when the list has entries that are no longer found"),
    ):
        action = actions.add_parser(name, help=text, description=text)
        action.set_defaults(run=run)
        action.add_argument("paths", nargs="*", default=["."], metavar="PATH")
        action.add_argument("--jobs", type=check.jobs, default="auto", metavar="N")
        if run is write:
            action.add_argument(
                "--accept-new-rules",
                action="store_true",
                help="take in what rules and versions find that are newer than the list",
            )
        loading.add_flags(action.add_argument_group("settings").add_argument)


def write(args: argparse.Namespace) -> int:
    """Write the list; 1 when there are findings that are not in it and stay out."""
    settings = loading.load(Path.cwd(), args)
    path = baseline.path_of(settings)
    if not os.path.exists(path):
        report, _ = _checked(args, settings)
        baseline.write(path, baseline.entries_of(report), settings.root)
        print(f"{shown(path)}: written, known findings: {len(report.findings)}")
        if settings.baseline is None:
            print(f'to use it, say baseline = "{path.name}" below [tool.logctx-lint]')
        return 0
    report, compared = _compared(args, settings, path)
    accepted, refused = _divided(args, path, compared.new)
    if compared.stale or args.accept_new_rules:
        entries = baseline.entries_of(replace(report, findings=accepted))
        baseline.write(path, [*compared.known, *entries], settings.root)
    removed, left = len(compared.stale), len(compared.known)
    took = f", took in {len(accepted)}" if args.accept_new_rules else ""
    print(f"{shown(path)}: removed {removed}, left {left}{took}")
    if refused:
        print(
            f"logctx-lint: {len(refused)} new and left out, because a baseline can only"
            ' shrink: see "logctx-lint check"',
            file=sys.stderr,
        )
    return int(bool(refused))


def _divided(
    args: argparse.Namespace, path: Path, new: Sequence[Finding]
) -> tuple[list[Finding], list[Finding]]:
    """The new findings that the list takes in, and the others."""
    if not args.accept_new_rules:
        return [], list(new)
    known = baseline.load(path)
    accepted = [each for each in new if known.could_not_know(each)]
    return accepted, [each for each in new if not known.could_not_know(each)]


def verify(args: argparse.Namespace) -> int:
    """Say which entries are no longer found; 1 when there are any."""
    settings = loading.load(Path.cwd(), args)
    path = baseline.path_of(settings)
    _, compared = _compared(args, settings, path)
    check.tell_stale(path, compared.stale)
    print(f"{shown(path)}: stale {len(compared.stale)}, left {len(compared.known)}")
    return int(bool(compared.stale))


def _compared(
    args: argparse.Namespace, settings: Settings, path: Path
) -> tuple[Report, Comparison]:
    entries = baseline.read(path)
    report, files = _checked(args, settings)
    judged = baseline.judged_by(settings, report, files)
    return report, baseline.compare(entries, report, judged)


def _checked(args: argparse.Namespace, settings: Settings) -> tuple[Report, list[Path]]:
    files = named_files(args.paths, settings)
    outcomes = runner.run(Task(settings), files, args.jobs)
    watched = terminal.is_terminal(sys.stderr)
    report = report_of(list(terminal.progress(outcomes, len(files), shown=watched)), settings)
    return report, files
