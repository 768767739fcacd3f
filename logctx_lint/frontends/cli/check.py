"""`logctx-lint check`: findings, and fixes for them."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from logctx_lint.config import loading
from logctx_lint.config.codes import OPT_IN
from logctx_lint.config.settings import Settings
from logctx_lint.engine import runner
from logctx_lint.engine.file_discovery import python_files
from logctx_lint.engine.runner import Mode, Outcome, Task
from logctx_lint.frontends.cli import terminal
from logctx_lint.frontends.cli.output import opened
from logctx_lint.frontends.cli.parser import Commands, UsageError
from logctx_lint.reporting import baseline
from logctx_lint.reporting.baseline import Entry
from logctx_lint.reporting.formats import FORMATS, Report, writer
from logctx_lint.syntax.source import Source, Unreadable

if TYPE_CHECKING:
    from logctx_lint.reporting.changed_lines import Changes

_STDIN = "-"
_FOR_PEOPLE = ("text", "concise")


def add(commands: Commands) -> None:
    """Register the command."""
    parser = commands.add_parser("check", help="lint files and folders", description=__doc__)
    parser.set_defaults(run=run)
    option = parser.add_argument
    option("paths", nargs="*", default=["."], metavar="PATH", help="file, folder or - for stdin")
    option("--fix", action="store_true", help="apply safe fixes")
    option("--unsafe-fixes", action="store_true", help="with --fix or --diff: unsafe fixes too")
    option("--diff", action="store_true", help="show what --fix would change, and write nothing")
    option("--force-exclude", action="store_true", help="exclude even what is named outright")
    option("--exit-zero", action="store_true", help="exit with 0 in spite of findings")
    option("--output-format", choices=FORMATS, default="text", help="default: text")
    option("--output-file", metavar="FILE", help="write the findings there, not to stdout")
    option("--statistics", action="store_true", help="count the findings of each rule, too")
    option("--changed-since", metavar="REV", help="report only what is on lines changed since")
    option("--jobs", type=jobs, default="auto", metavar="N", help="processes; default: auto")
    option("--no-cache", action="store_true", help="neither read nor write the cache")
    option("--stdin-filename", metavar="FILE", help="the name of the file that comes on stdin")
    option("-q", "--quiet", action="store_true", help="one line for each finding, no summary")
    option("-v", "--verbose", action="count", default=0, help="say more; twice: much more")
    loading.add_flags(parser.add_argument_group("settings").add_argument)


def run(args: argparse.Namespace) -> int:
    """Check what was named; 0 when nothing was found, else 1."""
    _log_to_stderr(args.verbose)
    _refuse_what_contradicts(args)
    settings = loading.load(Path.cwd(), args)
    task = Task(settings, _mode(args), args.unsafe_fixes, not args.no_cache)
    changes = _changes(args.changed_since) if args.changed_since else None
    if _STDIN in args.paths:
        outcomes = [_standard_input(args, task)]
    else:
        files = named_files(args.paths, settings, force_exclude=args.force_exclude)
        if changes:
            files = [path for path in files if changes.touch(path)]
        outcomes = list(_shown_outcomes(args, task, files))
    report = replace(
        runner.report_of(outcomes, settings), brief=args.quiet, statistics=args.statistics
    )
    stale: Sequence[Entry] = ()
    if settings.baseline:
        path = baseline.path_of(settings)
        judged = baseline.judged_by(settings, report, [each.path for each in outcomes])
        compared = baseline.compare(baseline.read(path), report, judged)
        report = replace(report, findings=compared.new)
        stale = compared.stale
        tell_stale(path, stale)
    if changes:
        report = replace(report, findings=[each for each in report.findings if changes.hold(each)])
    _tell_what_is_off(settings)
    if not args.diff:
        _write(args, report)
        _advise(args, report)
    return int(bool(report.findings or stale) and not args.exit_zero)


def _changes(revision: str) -> Changes:
    # Only for this flag, as git is.
    from logctx_lint.reporting import changed_lines

    return changed_lines.since(revision, Path.cwd())


def named_files(
    names: Sequence[str], settings: Settings, *, force_exclude: bool = False
) -> list[Path]:
    """The files that paths on the command line stand for; raises UsageError when there are none."""
    paths = [Path(name) for name in names]
    try:
        files = list(
            python_files(paths, settings.exclude, settings.root, force_exclude=force_exclude)
        )
    except FileNotFoundError as error:
        raise UsageError(f"{error}: no such file or folder") from error
    # Whoever hands over a list of files, as pre-commit does, may see all of them excluded.
    if not files and not force_exclude:
        raise UsageError(f"no Python files in {', '.join(names)}")
    return files


def tell_stale(path: Path, stale: Sequence[Entry]) -> None:
    """Say on standard error which entries of a baseline are to be removed, and how."""
    for entry in stale:
        print(f"logctx-lint: {shown(path)}: stale: {entry}", file=sys.stderr)
    if stale:
        print('logctx-lint: "logctx-lint baseline write" removes what is stale', file=sys.stderr)


def shown(path: Path) -> Path:
    """A path as a person in the working directory would write it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _refuse_what_contradicts(args: argparse.Namespace) -> None:
    if args.unsafe_fixes and not (args.fix or args.diff):
        raise UsageError("--unsafe-fixes needs --fix or --diff")
    if args.statistics and args.output_format not in _FOR_PEOPLE:
        raise UsageError(f"--statistics goes with the formats {' and '.join(_FOR_PEOPLE)}")
    if args.output_file and args.diff:
        raise UsageError("--diff shows no findings that --output-file could take")
    if args.changed_since and (args.fix or args.diff):
        raise UsageError("--changed-since chooses what is reported, not what is fixed")
    if _STDIN in args.paths and args.paths != [_STDIN]:
        raise UsageError("- stands for standard input and cannot be checked with other paths")


def _mode(args: argparse.Namespace) -> Mode:
    if args.diff:
        return Mode.DIFF
    return Mode.FIX if args.fix else Mode.CHECK


def _shown_outcomes(
    args: argparse.Namespace, task: Task, files: Sequence[Path]
) -> Iterator[Outcome]:
    """Run, and say at once what is not for the report."""
    watched = terminal.is_terminal(sys.stderr) and not (args.diff or args.quiet or args.verbose)
    outcomes = runner.run(task, files, args.jobs)
    for outcome in terminal.progress(outcomes, len(files), shown=watched):
        sys.stdout.write(outcome.patch)
        if outcome.left_alone:
            message = f"{outcome.path}: left alone: {outcome.left_alone}"
            print(f"logctx-lint: {message}", file=sys.stderr)
        yield outcome


def _standard_input(args: argparse.Namespace, task: Task) -> Outcome:
    path = Path(args.stdin_filename or "stdin")
    file_runner = runner.Runner(task)
    try:
        source = Source.decode(path, sys.stdin.buffer.read())
    except Unreadable as error:
        if task.mode is Mode.FIX:
            raise UsageError(f"standard input {error}") from error
        return file_runner.unreadable(path, error)
    outcome, after = file_runner.text(source)
    sys.stdout.write(outcome.patch)
    if task.mode is Mode.FIX:
        sys.stdout.flush()
        sys.stdout.buffer.write(after.encode(after.text))
    return outcome


def _write(args: argparse.Namespace, report: Report) -> None:
    # Text that was fixed on its way has standard output to itself.
    usual = sys.stderr if args.fix and _STDIN in args.paths else sys.stdout
    with opened(args.output_file, usual) as out:
        writer(args.output_format)(report.coloured(terminal.colourful(out)), out)


def _tell_what_is_off(settings: Settings) -> None:
    """Whoever selects an opt-in rule by its code should not take silence for a clean project."""
    for code in settings.select:
        if code in OPT_IN and not code.startswith(settings.enable):
            note = f"{code} is opt-in: --enable={code} switches it on"
            print(f"logctx-lint: note: {note}", file=sys.stderr)


def _advise(args: argparse.Namespace, report: Report) -> None:
    """Whoever reads findings may be about to write a `# noqa`."""
    if not report.findings or args.output_format != "text" or args.quiet:
        return
    from logctx_lint.suppression import ruff_settings

    if advice := ruff_settings.advice(report.root):
        print(f"logctx-lint: note: {advice}", file=sys.stderr)


def jobs(text: str) -> int:
    """How many processes a flag asks for."""
    if text == "auto":
        available = getattr(os, "sched_getaffinity", None)
        return len(available(0)) if available else os.cpu_count() or 1
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a number from 1 or "auto", not "{text}"')
    return int(text)


def _log_to_stderr(verbose: int) -> None:
    logging.basicConfig(format="%(name)s: %(message)s")
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.getLogger("logctx_lint").setLevel(level)
