"""`logctx-lint runtime copy`: the reference runtime as a package of the project's own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from logctx_lint.frontends.cli.command import Commands


def add(commands: Commands) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "runtime", help="copy the reference runtime into a project", description=__doc__
    )
    actions: Commands = parser.add_subparsers(metavar="ACTION", required=True)
    copy = actions.add_parser(
        "copy",
        help="write it, or write it anew",
        description="Write the reference runtime as a package of the project's own, which needs"
        " neither this linter nor what it depends on. The linter knows the copy as its own.",
    )
    copy.set_defaults(run=run)
    copy.add_argument("folder", metavar="DIR", type=Path, help="the package: src/app/logctx")
    copy.add_argument(
        "--only", choices=("asyncio", "twisted"), help="leave out what the other one needs"
    )
    copy.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit with 1 where the copy is behind or was changed",
    )


def run(args: argparse.Namespace) -> int:
    """Write the copy, or compare it."""
    from logctx_lint.frontends import runtime_copy

    if not args.check:
        files = runtime_copy.write(args.folder, args.only or runtime_copy.half_of(args.folder))
        print(f"wrote {len(files)} files to {args.folder}")
        return 0
    found = runtime_copy.compare(args.folder)
    if found.behind:
        print(f"{args.folder}: behind, written by version {found.behind}", file=sys.stderr)
    for names, what in ((found.changed, "changed"), (found.missing, "missing")):
        for name in names:
            print(f"{args.folder / name}: {what}", file=sys.stderr)
    if found.is_same:
        print(f"{args.folder}: up to date")
    return 0 if found.is_same else 1
