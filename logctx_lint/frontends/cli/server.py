"""`logctx-lint server`: a language server, which an editor starts and talks to."""

from __future__ import annotations

import argparse

from logctx_lint.frontends.cli.command import Commands, UsageError


def add(commands: Commands) -> None:
    """Register the command."""
    parser = commands.add_parser("server", help="run a language server", description=__doc__)
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Serve on standard input and output until the editor says goodbye."""
    try:
        from logctx_lint.frontends.lsp.server import Server
    except ModuleNotFoundError as error:
        hint = 'pip install "logctx-lint[lsp]"'
        raise UsageError(f"the server needs {error.name}: {hint}") from error
    Server().start_io()
    return 0
