"""Which files a run looks at."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from flake8.utils import matches_filename, normalize_path

_LOG = logging.getLogger(__name__)
_JUNK = frozenset({"__pycache__", "__pypackages__", "node_modules", "site-packages"})
_BUILT = frozenset({"build", "dist"})


def python_files(
    paths: Sequence[Path], exclude: Sequence[str], root: Path, *, force_exclude: bool = False
) -> Iterator[Path]:
    """The files named by `paths`, and the `*.py` files in the folders among them, sorted.

    Hidden folders, virtual environments, build folders and what the globs `exclude` (relative to
    `root`) match are left out of folders; what is named outright is in, unless it is excluded and
    `force_exclude` is set. Every file comes once. Raises FileNotFoundError for a path that is not
    there.
    """
    patterns = [normalize_path(glob, str(root)) for glob in exclude]
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(path)
        for found in _walk(path, patterns) if path.is_dir() else [path]:
            if found not in seen and not (force_exclude and _is_below(found, patterns)):
                seen.add(found)
                yield found


def is_excluded(path: Path, exclude: Sequence[str], root: Path) -> bool:
    """Do the globs `exclude` (relative to `root`) match a file, or a folder that it lies in?"""
    return _is_below(path, [normalize_path(glob, str(root)) for glob in exclude])


def _walk(folder: Path, patterns: Sequence[str]) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        folders[:] = sorted(
            name
            for name in folders
            if not _is_junk(here / name) and not _excluded(here / name, patterns)
        )
        for name in sorted(files):
            path = here / name
            # A dangling link, a socket or the like is nobody's source.
            if name.endswith(".py") and path.is_file() and not _excluded(path, patterns):
                yield path


def _is_junk(folder: Path) -> bool:
    return (
        folder.name.startswith(".")
        or folder.name in _JUNK
        or (folder / "pyvenv.cfg").exists()
        # Packages have these names, too.
        or (folder.name in _BUILT and not (folder / "__init__.py").exists())
    )


def _is_below(path: Path, patterns: Sequence[str]) -> bool:
    """Is `path`, or a folder that it lies in, excluded?"""
    full = Path(os.path.abspath(path))
    return any(_excluded(each, patterns) for each in (full, *full.parents))


def _excluded(path: Path, patterns: Sequence[str]) -> bool:
    return matches_filename(str(path), patterns, '"%(path)s" is %(whether)sexcluded', _LOG)
