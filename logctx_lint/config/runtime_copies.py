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
        if not os.path.isfile(os.path.join(inner, "__init__.py")):
            if depth == _DEEPEST and inner not in starts:
                # A namespace package, or a folder that modules are imported from.
                for copy in _below(inner, "", 1, starts):
                    yield from (f"{name}.{copy}", copy)
            continue
        qualified = f"{package}.{name}" if package else name
        if os.path.isfile(os.path.join(inner, MARK)):
            yield qualified
        elif depth > 1:
            yield from _below(inner, qualified, depth - 1, starts)
