"""Maps files to module names, and module names to the files that may hold them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

Home = tuple[Path, list[str]]
"""The folder that imports start from, and the package below it."""


def module_name(path: Path) -> tuple[Path, str]:
    """The folder that imports start from, for the module at `path`, and its dotted name."""
    return name_in(home(path.parent), path.parent.name, path.name)


def home(folder: Path) -> Home:
    """The folder that imports start from, for the modules in a folder, and the package they are."""
    parts: list[str] = []
    while _in_package(folder):
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, parts


def name_in(home: Home, folder: str, file: str) -> tuple[Path, str]:
    """The same of a file in a folder whose home is known already."""
    root, package = home
    stem = file.rpartition(".")[0]
    parts = package if stem == "__init__" else [*package, stem]
    return root, ".".join(parts) or os.path.basename(folder)


def _in_package(folder: Path) -> bool:
    """Whether a folder is a package, or one without `__init__.py` inside a package."""
    if folder.parent == folder:
        return False
    return (folder / "__init__.py").is_file() or (folder.parent / "__init__.py").is_file()


class Start(NamedTuple):
    """A way to look for a module."""

    root: Path
    """The folder that imports start from."""
    folder: Path
    """Where `parts` are looked for: that or one below."""
    parts: list[str]
    suffixes: tuple[str, ...]
    """The ends of the names of files, the best first."""
    namespaces: str = "with files"
    """Which folders without `__init__.py` are packages, too: `all`, `none` or those with files."""
