"""`logctx-lint explain CODE`: a rule's page."""

from __future__ import annotations

import argparse

from logctx_lint.config.codes import CODES
from logctx_lint.config.value_kinds import meant_code
from logctx_lint.frontends.cli.command import Commands, UsageError


def add(commands: Commands) -> None:
    """Register the command."""
    parser = commands.add_parser("explain", help="show a rule's page", description=__doc__)
    parser.set_defaults(run=run)
    parser.add_argument("code", metavar="CODE", help="a code or a rule's name")


def run(args: argparse.Namespace) -> int:
    """Print the page."""
    code = _code(args.code)

    from logctx_lint.rules.docs import in_terminal, page

    print(in_terminal(page(code)), end="")
    return 0


def _code(word: str) -> str:
    """The code that `word` is, or is the name of, in any case."""
    for code, name in CODES.items():
        if word.lower() in (code.lower(), name):
            return code
    raise UsageError(f'no rule has the code or name "{word}"{meant_code(word)}')
