"""`logctx-lint cache clear`: remove what is cached about files."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from logctx_lint.config import loading
from logctx_lint.frontends.cli.command import Commands


def add(commands: Commands) -> None:
    """Register the command."""
    parser = commands.add_parser("cache", help="look after the cache", description=__doc__)
    actions: Commands = parser.add_subparsers(metavar="ACTION", required=True)
    clear = actions.add_parser("clear", help="remove it", description=__doc__)
    clear.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Remove the cache of the project in the working directory, if there is one."""
    from logctx_lint.incremental.store import CACHE_FOLDER

    folder = loading.load(Path.cwd()).root / CACHE_FOLDER
    if folder.is_dir():
        shutil.rmtree(folder)
        print(f"removed {folder}")
    else:
        print(f"nothing to remove in {folder.parent}")
    return 0
