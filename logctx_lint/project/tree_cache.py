"""Keeps the syntax trees of files that will be checked later in the same run.

The index of a package is made from the facts of all its files before the first of them is checked.
What is kept until then need not be parsed again.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

_MOST_CHARACTERS = 6_000_000
"""Of all texts whose trees are kept; these take about twenty times the memory."""


class TreeCache:
    """By the paths of their files; the one made last, and those that somebody waits for."""

    def __init__(self) -> None:
        self._awaited: set[str] = set()
        self._kept: dict[str, tuple[ast.Module, int]] = {}
        self._latest: ast.Module | None = None
        self._room = _MOST_CHARACTERS

    def wait_for(self, paths: Iterable[str]) -> None:
        """Say which files are to be checked."""
        self._awaited.update(paths)

    def offer(self, path: str, tree: ast.Module, size: int) -> None:
        """Keep a new tree of a text of this size, if there is room for it."""
        self._latest = tree
        if path in self._awaited and size <= self._room:
            self._kept[path] = tree, size
            self._room -= size

    def release(self, path: str) -> None:
        """The file has been checked."""
        self._awaited.discard(path)
        _, size = self._kept.pop(path, (None, 0))
        self._room += size

    def forget_latest(self) -> None:
        """Nobody needs the one that was made last."""
        self._latest = None
