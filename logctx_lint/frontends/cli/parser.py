"""The argument parser, which reports a mistake in one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from logctx_lint import __version__
from logctx_lint.config.value_kinds import did_you_mean


class Parser(argparse.ArgumentParser):
    """argparse, with one line for a mistake in place of a screen of usage."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments, allow_abbrev=False)

    def parse_known_args(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse, but each command finds its own unknown flags: it knows those it has."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            flag = unknown.split()[0].partition("=")[0]
            message = f'unknown argument "{flag}"{did_you_mean(flag, self._option_string_actions)}'
        print(f"{self.prog}: error: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(2)


def build() -> Parser:
    """The parser of the whole command line; each command sets `run` in its namespace."""
    from logctx_lint.frontends.cli import (
        audit,
        baseline,
        cache,
        check,
        explain,
        rules,
        runtime,
        server,
        vocabulary,
    )

    parser = Parser(
        prog="logctx-lint",
        description="Find forgotten awaits, lost log contexts and swallowed cancellations.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (
        check, audit, baseline, explain, rules, vocabulary, runtime, server, cache
    ):  # fmt: skip
        command.add(commands)
    return parser
