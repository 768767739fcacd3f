"""Where the packages that a project has installed lie, and why they are looked for there.

They are read like the project's own files, and never imported: who writes `environment = "auto"`
runs nothing of what is found.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NONE = "none"
AUTO = "auto"
_OWN_FOLDERS = (".venv", "venv")
_VARIABLES = ("VIRTUAL_ENV", "CONDA_PREFIX")
_OF_TOOLS = frozenset({"pipx", "pre-commit", "tools", "archive-v0", "environments-v2"})
"""Folders in which pipx, pre-commit and uv keep the environments of tools."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The folders of installed packages, and in words what was found where."""

    folders: tuple[Path, ...]
    reason: str


def find_environment(
    setting: str, root: Path, variables: Mapping[str, str], interpreter: str = sys.prefix
) -> Environment:
    """The environment that a setting means: `none`, `auto`, or the path of one.

    `interpreter` is the prefix of the one that runs this program.
    """
    if setting == NONE:
        return Environment((), "none is looked for")
    if setting != AUTO:
        given = root / setting
        folders = _packages_of(given)
        missing = "" if folders else ", in which no packages are"
        return Environment(folders, f"{given}, as the settings say{missing}")
    for name in _OWN_FOLDERS:
        folders = _packages_of(root / name)
        if folders:
            return Environment(folders, f"{root / name}, which lies in the project")
    for variable in _VARIABLES:
        value = variables.get(variable, "")
        folders = _packages_of(Path(value)) if value else ()
        if folders:
            return Environment(folders, f"{value}, which ${variable} names")
    if not _OF_TOOLS.isdisjoint(Path(interpreter).parts):
        return Environment((), "none: the interpreter that runs this is a tool's own")
    folders = _packages_of(Path(interpreter))
    if folders:
        return Environment(folders, f"{interpreter}, whose interpreter runs this")
    return Environment((), "none was found")


def _packages_of(prefix: Path) -> tuple[Path, ...]:
    """The folders of packages below the prefix of an environment."""
    try:
        found = [
            *sorted(prefix.glob("lib/python*/site-packages")),
            *sorted(prefix.glob("Lib/site-packages")),
        ]
    except OSError:
        return ()
    return tuple(dict.fromkeys(each.resolve() for each in found if each.is_dir()))
