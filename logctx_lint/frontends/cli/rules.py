"""`logctx-lint rules`: the table of rules."""

from __future__ import annotations

import argparse
import json
import sys

from logctx_lint.frontends.cli.command import Commands


def add(commands: Commands) -> None:
    """Register the command."""
    parser = commands.add_parser("rules", help="list the rules", description=__doc__)
    parser.set_defaults(run=run)
    parser.add_argument(
        "--output-format", choices=["text", "json"], default="text", help="default: text"
    )


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    from logctx_lint.rules.docs import table

    rows = table()
    if args.output_format == "json":
        json.dump(rows, sys.stdout, indent=2)
        print()
        return 0
    columns = ("code", "name", "on", "fixes")
    widths = {column: max(len(row[column]) for row in rows) for column in columns}
    for row in rows:
        print("  ".join(row[column].ljust(widths[column]) for column in columns).rstrip())
    return 0
