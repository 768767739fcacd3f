"""Finding a project's own copies of the reference runtime, by the mark that each carries."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

MARK = "runtime_copy.json"
"""The file in a copy that says what it is a copy of."""

_DEEPEST = 5
"""Packages further down than that are not looked into: settings are read at every start."""


def find_copies(root: Path, source_roots: Sequence[str] = ()) -> tuple[str, ...]:
    """The qualified names of the packages below `root`, or below a source root, with the mark.

    Only packages are looked into: folders with an `__init__.py`.
    """
    starts = [root, root / "src", *(root / each for each in source_roots)]
    found = {name for start in starts for name in _below(str(start), "", _DEEPEST)}
    return tuple(sorted(found))


def _below(folder: str, package: str, depth: int) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            names = [each.name for each in entries if each.name.isidentifier() and each.is_dir()]
    except OSError:
        return
    for name in names:
        inner = os.path.join(folder, name)
        if not os.path.isfile(os.path.join(inner, "__init__.py")):
            continue
        qualified = f"{package}.{name}" if package else name
        if os.path.isfile(os.path.join(inner, MARK)):
            yield qualified
        elif depth > 1:
            yield from _below(inner, qualified, depth - 1)
