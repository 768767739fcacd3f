"""`logctx-lint audit`: is it safe to cancel what is marked as cancellable?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from logctx_lint.config import loading
from logctx_lint.config.settings import Settings
from logctx_lint.config.value_kinds import did_you_mean
from logctx_lint.frontends.cli import terminal
from logctx_lint.frontends.cli.command import Commands, UsageError
from logctx_lint.frontends.cli.files import named_files
from logctx_lint.frontends.cli.output import opened, refuse_unwritable
from logctx_lint.syntax.source import Source, Unreadable

if TYPE_CHECKING:
    from logctx_lint.callgraph.cancellation_safety import Audit, Auditor
    from logctx_lint.engine.engine import Engine
    from logctx_lint.project.modules import Function

_FORMATS = ("text", "json", "html")


def add(commands: Commands) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "audit",
        help="say whether cancelling is safe",
        description="Judge every function that is cancelled with one marked as @cancellable, or "
        "with those that are named. Exits with 1 when one that is marked, or named by --root, is "
        "unsafe.",
    )
    parser.set_defaults(run=run)
    option = parser.add_argument
    option("roots", nargs="*", default=["."], metavar="PATH[::Class.method]",
           help="marked functions below a path, or any one function")  # fmt: skip
    option("--root", action="append", default=[], dest="patterns", metavar="NAME",
           help="judge the asynchronous functions below the paths whose qualified names are like"
           " this, as 'app.api.*', marked or not; may be repeated")  # fmt: skip
    option("--output-format", choices=_FORMATS, default="text", help="default: text")
    option("--output-file", metavar="FILE", help="write there, not to stdout")
    option("--no-cache", action="store_true", help="neither read nor write the cache")
    option("-q", "--quiet", action="store_true", help="no trees in the text format")
    loading.add_flags(parser.add_argument_group("settings").add_argument)


def run(args: argparse.Namespace) -> int:
    """Judge what was named; 1 when something marked, or named by `--root`, is unsafe, else 0."""
    settings = loading.load(Path.cwd(), args)
    refuse_unwritable(args.output_file)

    from logctx_lint.callgraph.cancellation_safety import Verdict
    from logctx_lint.reporting.audit_formats import formats
    from logctx_lint.reporting.audit_report import AuditReport

    audits = _audits(args.roots, args.patterns, settings, use_cache=not args.no_cache)
    patterns = tuple(args.patterns)
    report = AuditReport(audits, Path.cwd(), brief=args.quiet, patterns=patterns)
    with opened(args.output_file, sys.stdout) as out:
        colour = args.output_format == "text" and terminal.colourful(out)
        formats()[args.output_format](report.coloured(colour), out)
    asked = [each.root for each in audits if each.root.is_marked or patterns]
    return int(any(root.verdict is Verdict.UNSAFE for root in asked))


def _audits(
    names: Sequence[str], patterns: Sequence[str], settings: Settings, *, use_cache: bool
) -> list[Audit]:
    from logctx_lint.engine.engine import Engine
    from logctx_lint.engine.garbage import collection_off

    engine = Engine(settings, use_cache=use_cache)
    roots: dict[Auditor, dict[Function, None]] = {}
    searched: list[Path] = []
    with collection_off():
        for name in names:
            path, separator, function = name.partition("::")
            if separator:
                found = _named(engine, Path(path), function)
                roots.setdefault(engine.auditor(Path(path)), {})[found] = None
            else:
                files = named_files([path], settings)
                files = list(_readable(files))
                searched += files
                like = _like(engine, files, patterns) if patterns else _marked(engine, files)
                for auditor, root in like:
                    roots.setdefault(auditor, {})[root] = None
        if patterns and not roots:
            known = [function.qualified_name for _, function in _like(engine, searched, ["*"])]
            hint = did_you_mean(patterns[0], known)
            raise UsageError(f"no asynchronous function is called {' or '.join(patterns)}{hint}")
        return [audit for auditor, found in roots.items() for audit in auditor.audits(found)]


def _marked(engine: Engine, files: Sequence[Path]) -> Iterator[tuple[Auditor, Function]]:
    """The marked functions in some files, each with who judges it."""
    wanted = {path.absolute() for path in files}
    for auditor in dict.fromkeys(map(engine.auditor, files)):
        for root in auditor.graph.roots():
            if root.module.path in wanted:
                yield auditor, root


def _like(
    engine: Engine, files: Sequence[Path], patterns: Sequence[str]
) -> Iterator[tuple[Auditor, Function]]:
    """The functions in some files that are waited for and whose names are like a pattern."""
    for path in files:
        auditor = engine.auditor(path)
        for function in engine.functions(Source.read(path)).values():
            name = function.qualified_name
            is_named = any(fnmatchcase(name, each) for each in patterns)
            if is_named and auditor.graph.nodes.waits(function):
                yield auditor, function


def _readable(files: Sequence[Path]) -> Iterator[Path]:
    """The files that can be judged; says which cannot."""
    for path in files:
        try:
            Source.read(path).parse()
        except Unreadable as error:
            print(f"logctx-lint: {path}: left out: {error}", file=sys.stderr)
        else:
            yield path


def _named(engine: Engine, path: Path, name: str) -> Function:
    try:
        functions = engine.functions(Source.read(path))
    except Unreadable as error:
        raise UsageError(f"{path}: {error}") from error
    if name not in functions:
        raise UsageError(f'{path}: no function is called "{name}"{did_you_mean(name, functions)}')
    return functions[name]
