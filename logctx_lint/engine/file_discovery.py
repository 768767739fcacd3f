"""Which files a run checks."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

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
    patterns = _patterns(exclude, root)
    seen: set[Path] = set()
    for path in paths:
        if not os.path.exists(path):
            raise FileNotFoundError(path)
        for found in _walk(path, patterns) if os.path.isdir(path) else [path]:
            if found not in seen and not (force_exclude and _is_below(found, patterns)):
                seen.add(found)
                yield found


def is_excluded(path: Path, exclude: Sequence[str], root: Path) -> bool:
    """Do the globs `exclude` (relative to `root`) match a file, or a folder that it lies in?"""
    return _is_below(path, _patterns(exclude, root))


def _walk(folder: Path, patterns: Sequence[str]) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, onerror=_tell_unreadable):
        folders[:] = sorted(
            name for name in folders if _is_entered(os.path.join(parent, name), name, patterns)
        )
        for name in sorted(files):
            path = os.path.join(parent, name)
            # A dangling link, a socket or the like is nobody's source.
            if not name.endswith(".py") or not os.path.isfile(path):
                continue
            if _excluded(path, patterns):
                _LOG.info("%s: left out: it is excluded", path)
            else:
                yield Path(path)


def _tell_unreadable(error: OSError) -> None:
    _LOG.warning("%s: left out: cannot be read: %s", error.filename, error.strerror)


def _is_entered(folder: str, name: str, patterns: Sequence[str]) -> bool:
    if _is_junk(folder, name):
        if not name.startswith(".") and name != "__pycache__":
            _LOG.info("%s: left out: an environment, or what is built or installed", folder)
        return False
    if _excluded(folder, patterns):
        _LOG.info("%s: left out: it is excluded", folder)
        return False
    return True


def _is_junk(folder: str, name: str) -> bool:
    return (
        name.startswith(".")
        or name in _JUNK
        or os.path.exists(os.path.join(folder, "pyvenv.cfg"))
        # Packages have these names, too.
        or (name in _BUILT and not os.path.exists(os.path.join(folder, "__init__.py")))
    )


def _is_below(path: Path, patterns: Sequence[str]) -> bool:
    """Is `path`, or a folder that it lies in, excluded?"""
    full = Path(os.path.abspath(path))
    return any(_excluded(str(each), patterns) for each in (full, *full.parents))


def _patterns(exclude: Sequence[str], root: Path) -> list[str]:
    if not exclude:
        return []
    from flake8.utils import normalize_path

    return [normalize_path(glob, str(root)) for glob in exclude]


def _excluded(path: str, patterns: Sequence[str]) -> bool:
    if not patterns:
        return False
    from flake8.utils import matches_filename

    return matches_filename(path, patterns, '"%(path)s" is %(whether)sexcluded', _LOG)
