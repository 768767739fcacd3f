"""Finding a project's own copies of the reference runtime, by the mark that each carries."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

MARK = "runtime_copy.json"
"""The file in a copy that says what it is a copy of."""

_DEEPEST = 5
"""Packages further down than that are not looked into: settings are read at every start."""


def find_copies(root: Path, source_roots: Sequence[str] = ()) -> tuple[str, ...]:
    """The qualified names of the packages below `root`, or below a source root, with the mark.

    Only packages are looked into: folders with an `__init__.py`, and at the top others, too.
    """
    starts = [root, root / "src", *(root / each for each in source_roots)]
    texts = {str(start) for start in starts}
    found = {name for start in texts for name in _below(start, "", _DEEPEST, texts)}
    return tuple(sorted(found))


def _below(folder: str, package: str, depth: int, starts: Set[str]) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            names = [each.name for each in entries if each.name.isidentifier() and each.is_dir()]
    except OSError:
        return
    for name in names:
        inner = os.path.join(folder, name)
        is_package = os.path.isfile(os.path.join(inner, "__init__.py"))
        if not is_package and (depth < _DEEPEST or inner in starts):
            continue
        qualified = f"{package}.{name}" if package else name
        if is_package and os.path.isfile(os.path.join(inner, MARK)):
            yield qualified
        elif depth > 1:
            # Of a folder that is none, such as a namespace package, only what stands right in it.
            yield from _below(inner, qualified, depth - 1 if is_package else 1, starts)
