"""`logctx-lint vocabulary suggest`: which of the project's functions seem to play a role."""

from __future__ import annotations

import argparse
import sys
from itertools import groupby
from pathlib import Path

from logctx_lint.config import loading
from logctx_lint.frontends.cli.command import Commands
from logctx_lint.frontends.cli.files import named_files
from logctx_lint.syntax.source import Source, Unreadable


def add(commands: Commands) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "vocabulary", help="find the project's own starters, wrappers and shields"
    )
    actions: Commands = parser.add_subparsers(metavar="ACTION", required=True)
    suggest = actions.add_parser(
        "suggest",
        help="propose entries for the settings, with the reason for each",
        description="Propose entries for the vocabulary, with the reason for each. Read them: only"
        " a person knows what a function is for.",
    )
    suggest.set_defaults(run=run)
    suggest.add_argument("paths", nargs="*", default=["."], metavar="PATH")
    loading.add_flags(suggest.add_argument_group("settings").add_argument)


def run(args: argparse.Namespace) -> int:
    """Print a table for pyproject.toml."""
    from logctx_lint.engine.engine import Engine

    settings = loading.load(Path.cwd(), args)
    engine = Engine(settings)
    found = set()
    for path in named_files(args.paths, settings):
        try:
            found.update(engine.role_suggestions(Source.read(path)))
        except Unreadable as error:
            print(f"logctx-lint: {path}: left out: {error}", file=sys.stderr)
    if not found:
        print(
            "nothing to suggest: no function was seen to start, wrap or shield an awaitable that it"
            " is given, beside those that are known",
            file=sys.stderr,
        )
        return 0
    print("[tool.logctx-lint.vocabulary]")
    for role, entries in groupby(sorted(found), key=lambda each: each.role):
        print(f"{role.value} = [")
        for each in entries:
            print(f'    "{each.name}",  # {each.why}')
        print("]")
    return 0
