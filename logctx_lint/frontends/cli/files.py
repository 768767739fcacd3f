"""Which files a command is about, and which settings hold for each of them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from logctx_lint.config import loading
from logctx_lint.config.loading import Loaded
from logctx_lint.config.settings import Settings
from logctx_lint.engine.file_discovery import python_files
from logctx_lint.frontends.cli.command import UsageError


@dataclass(frozen=True, slots=True)
class Group:
    """Files under the same settings."""

    loaded: Loaded
    files: Sequence[Path]

    @property
    def settings(self) -> Settings:
        return self.loaded.settings


def named_files(
    names: Sequence[str], settings: Settings, *, force_exclude: bool = False
) -> list[Path]:
    """The files that paths on the command line stand for; raises UsageError when there are none."""
    paths = [Path(name) for name in names]
    try:
        files = list(
            python_files(paths, settings.exclude, settings.root, force_exclude=force_exclude)
        )
    except FileNotFoundError as error:
        raise UsageError(f"{error}: no such file or folder") from error
    # Whoever hands over a list of files, as pre-commit does, may see all of them excluded.
    if not files and not force_exclude:
        left_out = next(python_files(paths, (), settings.root), None)
        but = " but what is excluded (-v says what)" if left_out else ""
        raise UsageError(f"no Python files in {', '.join(names)}{but}")
    return files


def grouped(
    args: argparse.Namespace, loaded: Loaded, *, force_exclude: bool = False
) -> list[Group]:
    """The named files by their settings: of the nearest pyproject.toml with a table of ours.

    `loaded` are those of the working directory, which hold where there is no nearer file, and
    everywhere if `--config` was given.
    """
    files = named_files(args.paths, loaded.settings, force_exclude=force_exclude)
    if args.config:
        return [Group(loaded, files)]
    by_folder: dict[str, Loaded] = {}
    groups: dict[Path, tuple[Loaded, list[Path]]] = {}
    for path in files:
        folder = os.path.dirname(os.path.abspath(path))
        if folder not in by_folder:
            by_folder[folder] = _of_folder(Path(folder), args, loaded)
        found = by_folder[folder]
        groups.setdefault(found.settings.root, (found, []))[1].append(path)
    return [Group(found, named) for found, named in groups.values()]


def _of_folder(folder: Path, args: argparse.Namespace, loaded: Loaded) -> Loaded:
    """The settings of a file in `folder`."""
    here = Path.cwd().resolve()
    # Without a file of settings the root is the folder itself, which is no project.
    nearest = loading.root_of(folder)
    if nearest is None or nearest in (loaded.settings.root, *here.parents):
        return loaded
    return loading.load_with_origins(nearest, args)


def shown(path: Path) -> Path:
    """A path as a person in the working directory would write it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
