"""Relative paths, with absolute ones between the drives of Windows."""

from __future__ import annotations

import os
from collections.abc import Iterable


def relative(path: str | os.PathLike[str], start: str | os.PathLike[str]) -> str:
    """`path` as seen from `start`, with slashes; absolute if the two lie on different drives.

    Joined to `start`, it gives the path again. An interpreter and its packages often lie on another
    drive than the project: on the runners of GitHub, for one.
    """
    try:
        found = os.path.relpath(path, start)
    except ValueError:
        found = os.path.abspath(path)
    return found.replace(os.sep, "/")


def common_folder(paths: Iterable[str | os.PathLike[str]]) -> str:
    """The innermost folder that all the paths lie in, or empty: no drive has all of them."""
    try:
        return os.path.commonpath([os.path.abspath(path) for path in paths])
    except ValueError:
        return ""
