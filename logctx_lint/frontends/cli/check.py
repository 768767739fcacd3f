"""`logctx-lint check`: findings, and fixes for them."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from logctx_lint.config import loading
from logctx_lint.config.codes import OPT_IN
from logctx_lint.config.settings import Settings
from logctx_lint.engine import runner
from logctx_lint.engine.runner import Mode, Outcome, Task
from logctx_lint.fixes import apply
from logctx_lint.frontends.cli import show_settings, streaming, terminal
from logctx_lint.frontends.cli.command import Commands, UsageError
from logctx_lint.frontends.cli.files import Group, grouped, shown
from logctx_lint.frontends.cli.output import opened, refuse_unwritable
from logctx_lint.frontends.cli.streaming import Stream
from logctx_lint.incremental.store import CACHE_FOLDER
from logctx_lint.reporting import baseline
from logctx_lint.reporting.baseline import Entry
from logctx_lint.reporting.formats import FOR_PEOPLE, FORMATS, writer
from logctx_lint.reporting.formats.text import write_end
from logctx_lint.reporting.report import Report, joined, report_of
from logctx_lint.syntax.source import Source, Unreadable

if TYPE_CHECKING:
    from logctx_lint.reporting.revisions import Base

_STDIN = "-"


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
    option("--statistics", action="store_true", help="only count the findings of each rule")
    option("--changed-since", metavar="REV", help="report what is new since REV, in"
           " whichever file: a function made async breaks its untouched callers")  # fmt: skip
    option("--show-settings", action="store_true", help="say what holds, and why; check nothing")
    option("--add-noqa", action="store_true", help="silence each finding by a comment")
    option("--color", choices=terminal.COLOUR, default="auto", help="default: auto")
    option("--jobs", type=jobs, default="auto", metavar="N", help="processes; default: auto")
    option("--no-cache", action="store_true", help="neither read nor write the cache")
    option("--stdin-filename", metavar="FILE", help="the name of the file that comes on stdin")
    option("-q", "--quiet", action="store_true", help="one line for each finding, no summary")
    option("-v", "--verbose", action="count", default=0, help="say what was decided, and what was"
           " left out; twice: much more")  # fmt: skip
    loading.add_flags(parser.add_argument_group("settings").add_argument)


def run(args: argparse.Namespace) -> int:
    """Check what was named; 0 when nothing was found, else 1."""
    _log_to_stderr(args.verbose)
    _refuse_what_contradicts(args)
    loaded = loading.load_with_origins(Path.cwd(), args)
    settings = loaded.settings
    if _STDIN in args.paths:
        groups = [Group(loaded, [])]
    else:
        groups = grouped(args, loaded, force_exclude=args.force_exclude)
    if args.show_settings:
        show_settings.write(loaded, groups, sys.stdout)
        return 0
    # All that can be refused is refused before any file is changed.
    known = [_known(group.settings) for group in groups]
    base = _base(args.changed_since) if args.changed_since else None
    refuse_unwritable(args.output_file)
    for line in show_settings.decisions(loaded, groups) if args.verbose else ():
        print(f"logctx-lint: {line}", file=sys.stderr)
    for note in show_settings.notes(loaded, groups):
        _note(note)
    stream = None
    if streaming.is_possible(args, groups, _STDIN):
        stream = Stream(args, over_bar=_is_watched(args))
    checked = [
        _group(args, group, entries, base, stream)
        for group, entries in zip(groups, known, strict=True)
    ]
    report = replace(
        joined([each.report for each in checked], settings.root),
        brief=args.quiet,
        statistics=args.statistics,
    )
    _tell_what_is_off(settings)
    if args.add_noqa:
        report = _silenced(report)
    _tell(args, report, stream)
    stale = any(each.stale for each in checked)
    return int((bool(report.findings) or stale) and not args.exit_zero)


def _tell(args: argparse.Namespace, report: Report, stream: Stream | None) -> None:
    """Write what has not been written as it was found, and what to do next."""
    if stream:
        brief = report.brief or args.output_format == "concise"
        write_end(replace(report, brief=brief), sys.stdout)
    elif not args.diff:
        _write(args, report)
    if not args.diff:
        _advise(args, report)


def _known(settings: Settings) -> list[Entry]:
    """The entries of the baseline that the settings name."""
    return baseline.read(baseline.path_of(settings)) if settings.baseline else []


@dataclass(frozen=True, slots=True)
class _Checked:
    report: Report
    stale: Sequence[Entry] = ()


def _group(
    args: argparse.Namespace,
    group: Group,
    entries: Sequence[Entry],
    base: Base | None,
    stream: Stream | None,
) -> _Checked:
    """Check the files that share some settings."""
    settings = group.settings
    task = Task(settings, _mode(args), args.unsafe_fixes, not args.no_cache)
    if _STDIN in args.paths:
        outcomes = [_standard_input(args, task)]
    else:
        outcomes = list(_shown_outcomes(args, task, group, stream))
    report = report_of(outcomes, settings)
    stale: Sequence[Entry] = ()
    if settings.baseline:
        judged = baseline.judged_by(settings, report, [each.path for each in outcomes])
        compared = baseline.compare(entries, report, judged)
        hidden = len(report.findings) - len(compared.new)
        report = replace(report, findings=compared.new, known=hidden)
        stale = compared.stale
        tell_stale(baseline.path_of(settings), stale)
    if base:
        cache = None if args.no_cache else settings.root / CACHE_FOLDER
        names = [str(path) for path in group.files]
        report = base.new(report, settings, names, _checker(args), cache=cache)
    return _Checked(report, stale)


def _silenced(report: Report) -> Report:
    """Put a `# noqa` comment at each finding; gives the report of what could not be silenced."""
    from logctx_lint.suppression.add_noqa import add_noqa

    left = [each for each in report.findings if each.path not in report.sources]
    added = 0
    for path, source in report.sources.items():
        here = [each for each in report.findings if each.path == path]
        silenced = add_noqa(source, here)
        try:
            if silenced.added:
                apply.write(source, silenced.source, report.root)
        except apply.NotWritten as error:
            print(f"logctx-lint: {path}: left alone: {error}", file=sys.stderr)
            left += here
            continue
        added += silenced.added
        left += silenced.left
    print(f"logctx-lint: {added} silenced by comments, {len(left)} left", file=sys.stderr)
    return replace(report, findings=left)


def _checker(args: argparse.Namespace) -> Callable[[Settings, Collection[str]], Report]:
    """Checks other files as the run does, but shows and writes nothing."""

    def check(settings: Settings, names: Collection[str]) -> Report:
        task = Task(settings, use_cache=False)
        return report_of(list(runner.run(task, list(map(Path, names)), args.jobs)), settings)

    return check


def _base(revision: str) -> Base:
    # Only for this flag, as git is.
    from logctx_lint.reporting.revisions import Base

    return Base(revision, Path.cwd())


def _note(text: str) -> None:
    print(f"logctx-lint: note: {text}", file=sys.stderr)


def tell_stale(path: Path, stale: Sequence[Entry]) -> None:
    """Say on standard error which entries of a baseline are to be removed, and how."""
    for entry in stale:
        print(f"logctx-lint: {shown(path)}: stale: {entry}", file=sys.stderr)
    if stale:
        print('logctx-lint: "logctx-lint baseline write" removes what is stale', file=sys.stderr)


def _refuse_what_contradicts(args: argparse.Namespace) -> None:
    fixes, reads_input = args.fix or args.diff, _STDIN in args.paths
    contradictions = {
        "--unsafe-fixes needs --fix or --diff": args.unsafe_fixes and not fixes,
        f"--statistics goes with the formats {' and '.join(FOR_PEOPLE)}": (
            args.statistics and args.output_format not in FOR_PEOPLE
        ),
        "--diff shows no findings that --output-file could take": args.output_file and args.diff,
        "--changed-since chooses what is reported, not what is fixed": args.changed_since and fixes,
        "- stands for standard input and cannot be checked with other paths": (
            reads_input and args.paths != [_STDIN]
        ),
        "--add-noqa goes with files, and without --fix or --diff": (
            args.add_noqa and (fixes or reads_input)
        ),
        "--changed-since compares files, not standard input": reads_input and args.changed_since,
        "--stdin-filename needs the path -, which stands for standard input": (
            args.stdin_filename and not reads_input
        ),
    }
    for message, is_so in contradictions.items():
        if is_so:
            raise UsageError(message)


def _mode(args: argparse.Namespace) -> Mode:
    if args.diff:
        return Mode.DIFF
    return Mode.FIX if args.fix else Mode.CHECK


def _shown_outcomes(
    args: argparse.Namespace, task: Task, group: Group, stream: Stream | None
) -> Iterator[Outcome]:
    """Run, and say at once what is not for the report, or what can be shown of it."""
    outcomes = runner.run(task, group.files, args.jobs)
    for outcome in terminal.progress(outcomes, len(group.files), shown=_is_watched(args)):
        sys.stdout.write(outcome.patch)
        if outcome.left_alone:
            message = f"{outcome.path}: left alone: {outcome.left_alone}"
            print(f"logctx-lint: {message}", file=sys.stderr)
        if stream:
            stream.show(outcome, group)
        yield outcome


def _is_watched(args: argparse.Namespace) -> bool:
    """Whether somebody sees how far the run is."""
    return terminal.is_terminal(sys.stderr) and not (args.diff or args.quiet or args.verbose)


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
        writer(args.output_format)(report.coloured(terminal.colourful(out, args.color)), out)


def _tell_what_is_off(settings: Settings) -> None:
    """Whoever names an opt-in rule should not take silence for a clean project; nor the reverse."""
    for code in settings.select:
        if code in OPT_IN and not code.startswith(settings.enable):
            _note(f"{code} is opt-in: --enable={code} switches it on")
    for code in settings.enable:
        if not any(each.startswith(code) for each in OPT_IN):
            _note(f"enable: {code} is on anyway; opt-in are {', '.join(sorted(OPT_IN))}")


def _advise(args: argparse.Namespace, report: Report) -> None:
    """Whoever reads findings may be about to write a `# noqa`."""
    if not report.findings or args.output_format != "text" or args.quiet:
        return
    from logctx_lint.suppression import ruff_settings

    if advice := ruff_settings.advice(report.root):
        _note(advice)


def jobs(text: str) -> int:
    """How many processes a flag asks for."""
    if text == "auto":
        available = getattr(os, "sched_getaffinity", None)
        return len(available(0)) if available else os.cpu_count() or 1
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a number from 1 or "auto", not "{text}"')
    return int(text)


def _log_to_stderr(verbose: int) -> None:
    logging.basicConfig(format="logctx-lint: %(message)s")
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.getLogger("logctx_lint").setLevel(level)
