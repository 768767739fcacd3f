"""`logctx-lint check`: findings, and fixes for them."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from logctx_lint import configuration, fixes
from logctx_lint.cli.parser import Commands, UsageError
from logctx_lint.discovery import python_files
from logctx_lint.findings import Finding
from logctx_lint.fixes import Fixed
from logctx_lint.linting import Linter
from logctx_lint.report import Report, formats
from logctx_lint.settings import Settings
from logctx_lint.source import Source, Unreadable

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
    option("--exit-zero", action="store_true", help="exit with 0 in spite of findings")
    option("--output-format", choices=list(formats()), default="text", help="default: text")
    option("--no-cache", action="store_true", help="neither read nor write the cache")
    option("--stdin-filename", metavar="FILE", help="the name of the file that comes on stdin")
    option("-q", "--quiet", action="store_true", help="one line for each finding, no summary")
    option("-v", "--verbose", action="count", default=0, help="say more; twice: much more")
    configuration.add_flags(parser.add_argument_group("settings").add_argument)


def run(args: argparse.Namespace) -> int:
    """Check what was named; 0 when nothing was found, else 1."""
    _log_to_stderr(args.verbose)
    if args.unsafe_fixes and not (args.fix or args.diff):
        raise UsageError("--unsafe-fixes needs --fix or --diff")
    settings = configuration.load(Path.cwd(), args)
    from_stdin = _STDIN in args.paths
    files = [_stdin_name(args)] if from_stdin else _files(args.paths, settings)
    linter = _linter(settings, use_cache=not args.no_cache)
    process = _process(args, linter, settings)

    findings: list[Finding] = []
    sources: dict[Path, Source] = {}
    fixed = 0
    for path in files:
        try:
            source = _read_stdin(path) if from_stdin else Source.read(path)
        except Unreadable as error:
            if from_stdin and args.fix:
                raise UsageError(f"standard input {error}") from error
            findings += linter.unreadable(path, str(error), error.line)
            continue
        outcome = process(source)
        findings += outcome.findings
        fixed += len(outcome.applied)
        if outcome.findings:
            sources[path] = outcome.source
    if not args.diff:
        report = Report(findings, sources, len(files), fixed, args.quiet)
        # Text that was fixed on its way has standard output to itself.
        out = sys.stderr if from_stdin and args.fix else sys.stdout
        formats()[args.output_format](report, out)
    return int(bool(findings) and not args.exit_zero)


def _process(
    args: argparse.Namespace, linter: Linter, settings: Settings
) -> Callable[[Source], Fixed]:
    """What the flags ask to be done with each file."""

    def check(source: Source) -> Fixed:
        return Fixed(source, linter.check(source), ())

    def fix(source: Source) -> Fixed:
        return fixes.fix(source, linter.check, unsafe=args.unsafe_fixes)

    def show(source: Source) -> Fixed:
        fixed = fix(source)
        before = check(source)
        sys.stdout.write(fixes.diff(source, fixed.source))
        sys.stdout.writelines(_alternatives(before, unsafe=args.unsafe_fixes))
        return before

    def rewrite(source: Source) -> Fixed:
        fixed = fix(source)
        if not fixed.applied:
            return fixed
        try:
            fixes.write(source, fixed.source, settings.root)
        except fixes.NotWritten as error:
            print(f"logctx-lint: {source.path}: left alone: {error}", file=sys.stderr)
            return check(source)
        return fixed

    def pipe(source: Source) -> Fixed:
        fixed = fix(source)
        sys.stdout.flush()
        sys.stdout.buffer.write(fixed.source.encode(fixed.source.text))
        return fixed

    if args.diff:
        return show
    if args.fix:
        return pipe if _STDIN in args.paths else rewrite
    return check


def _alternatives(before: Fixed, *, unsafe: bool) -> Iterator[str]:
    """The fixes that are not applied, as comments: `patch` must not take them."""
    for finding in before.findings:
        chosen = fixes.applicable(finding, unsafe=unsafe)
        for fix in finding.fixes:
            text, _ = fixes.apply(before.source.text, [fix])
            changed = fixes.diff(before.source, replace(before.source, text=text))
            if fix is not chosen and changed:
                place = f"{finding.path}:{finding.span.line}:{finding.span.column + 1}"
                title = f"{fix.title} ({fix.applicability.value})"
                yield f"# {place}: {finding.code}: not applied: {title}\n"
                yield from (f"# {line}\n" for line in changed.splitlines())


def _linter(settings: Settings, *, use_cache: bool) -> Linter:
    # libcst, which the engine imports, takes longer than every usage error there is.
    from logctx_lint.engine import Engine
    from logctx_lint.rules import active_codes

    engine = Engine(settings, use_cache=use_cache)
    return Linter(engine, settings, active_codes(settings))


def _files(names: Sequence[str], settings: Settings) -> list[Path]:
    try:
        files = list(python_files([Path(name) for name in names], settings.exclude, settings.root))
    except FileNotFoundError as error:
        raise UsageError(f"{error}: no such file or folder") from error
    if not files:
        raise UsageError(f"no Python files in {', '.join(names)}")
    return files


def _stdin_name(args: argparse.Namespace) -> Path:
    if args.paths != [_STDIN]:
        raise UsageError("- stands for standard input and cannot be checked with other paths")
    return Path(args.stdin_filename or "stdin")


def _read_stdin(path: Path) -> Source:
    return Source.decode(path, sys.stdin.buffer.read())


def _log_to_stderr(verbose: int) -> None:
    logging.basicConfig(format="%(name)s: %(message)s")
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.getLogger("logctx_lint").setLevel(level)
