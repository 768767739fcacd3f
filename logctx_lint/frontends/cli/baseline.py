"""`logctx-lint baseline write|check`: known findings, which `check` does not report again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from logctx_lint.config import loading
from logctx_lint.config.settings import Settings
from logctx_lint.engine import runner
from logctx_lint.engine.runner import Task
from logctx_lint.frontends.cli import check, terminal
from logctx_lint.frontends.cli.parser import Commands
from logctx_lint.reporting import baseline
from logctx_lint.reporting.baseline import Comparison
from logctx_lint.reporting.formats import Report


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
        loading.add_flags(action.add_argument_group("settings").add_argument)


def write(args: argparse.Namespace) -> int:
    """Write the list; 1 when there are findings that are not in it and stay out."""
    settings = loading.load(Path.cwd(), args)
    path = baseline.path_of(settings)
    if not path.exists():
        report, _ = _checked(args, settings)
        baseline.write(path, baseline.entries_of(report), settings.root)
        print(f"{check.shown(path)}: written, known findings: {len(report.findings)}")
        if settings.baseline is None:
            print(f'to use it, say baseline = "{path.name}" below [tool.logctx-lint]')
        return 0
    compared = _compared(args, settings, path)
    if compared.stale:
        baseline.write(path, compared.known, settings.root)
    print(f"{check.shown(path)}: removed {len(compared.stale)}, left {len(compared.known)}")
    if compared.new:
        print(
            f"logctx-lint: {len(compared.new)} new and left out, because a baseline can only"
            ' shrink: see "logctx-lint check"',
            file=sys.stderr,
        )
    return int(bool(compared.new))


def verify(args: argparse.Namespace) -> int:
    """Say which entries are no longer found; 1 when there are any."""
    settings = loading.load(Path.cwd(), args)
    path = baseline.path_of(settings)
    compared = _compared(args, settings, path)
    check.tell_stale(path, compared.stale)
    print(f"{check.shown(path)}: stale {len(compared.stale)}, left {len(compared.known)}")
    return int(bool(compared.stale))


def _compared(args: argparse.Namespace, settings: Settings, path: Path) -> Comparison:
    entries = baseline.read(path)
    report, files = _checked(args, settings)
    return baseline.compare(entries, report, baseline.judged_by(settings, report, files))


def _checked(args: argparse.Namespace, settings: Settings) -> tuple[Report, list[Path]]:
    files = check.named_files(args.paths, settings)
    outcomes = runner.run(Task(settings), files, args.jobs)
    watched = terminal.is_terminal(sys.stderr)
    report = runner.report_of(
        list(terminal.progress(outcomes, len(files), shown=watched)), settings
    )
    return report, files
