"""Where a project's dependencies are installed; folders are looked at, nothing is run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

AUTO = "auto"
NONE = "none"

_IN_PROJECT = (".venv", "venv")
_VARIABLES = ("VIRTUAL_ENV", "CONDA_PREFIX")
_PREFIX = sys.prefix
_PYTHON = re.compile(r"python3(?:\.(\d+))?t?\Z")
_LONGEST_PATH_FILE = 64_000
_MOST_PATHS = 32
"""Lines of `.pth` files that are followed."""
_OF_TOOLS = re.compile(
    r"/py_env-[^/]*(?:/|\Z)"
    r"|/pre-commit/repo[^/]*/|/prek/hooks/"
    r"|/pipx/(?:venvs|shared|\.cache)/"
    r"|/uv/(?:tools|archive-v\d+|environments-v\d+|builds-v\d+)/"
)
"""The folders in which pre-commit, pipx and uv keep environments of a hook or a tool alone."""


class Environment(NamedTuple):
    """What was found, and why that was looked at."""

    path: str
    """Of the environment; `none` where there is none."""
    why: str

    @property
    def is_there(self) -> bool:
        """Whether there is one at all."""
        return self.path != NONE


def found_environment(
    said: str, root: Path, variables: Mapping[str, str] | None = None, prefix: str | None = None
) -> Environment:
    """The environment of a project in the folder `root`, by the setting and the surroundings.

    These are those of this process unless they are given: the variables, and the folder of the
    Python that runs.
    """
    if said == NONE:
        return Environment(NONE, "as set")
    if said != AUTO:
        return Environment(str(_normal(root / said)), "as set")
    variables = os.environ if variables is None else variables
    prefix = _PREFIX if prefix is None else prefix
    for name in _IN_PROJECT:
        if _site_packages(root / name):
            return Environment(str(root / name), f"{name} in the project's root")
    for name in _VARIABLES:
        path = variables.get(name, "")
        if path and not is_of_tool(path) and _site_packages(Path(path)):
            return Environment(str(_normal(Path(path))), f"${name}")
    if is_of_tool(prefix):
        return Environment(NONE, f"the linter runs in an environment of its own, {prefix}")
    if not _site_packages(Path(prefix)):
        return Environment(NONE, "nothing is installed beside the project or the linter")
    return Environment(str(_normal(Path(prefix))), "of the Python that runs the linter")


def is_of_tool(path: str) -> bool:
    """Whether an environment was made by pre-commit, pipx or uv for a hook or a tool alone."""
    return bool(_OF_TOOLS.search(f"{os.path.abspath(path).replace(os.sep, '/').lower()}/"))


def import_folders(environment: str, root: Path) -> tuple[Path, ...]:
    """The folders that imports of installed modules start from, for a resolved setting.

    Among them are those that `.pth` files name in plain lines, unless the project itself is there.
    """
    if environment in (AUTO, NONE):
        return ()
    installed = _site_packages(root / environment)
    own = _normal(root)
    named = [
        path
        for folder in installed
        for path in _in_path_files(folder)
        if not (own.is_relative_to(path) or path.is_relative_to(own))
    ]
    # Whoever has the code itself in such a folder is at work on it.
    found = [path for path in installed if not own.is_relative_to(path)]
    return tuple(dict.fromkeys([*found, *named[:_MOST_PATHS]]))


def distributions(folders: tuple[Path, ...]) -> int:
    """How many distributions are installed in some folders."""
    return sum(
        name.endswith((".dist-info", ".egg-info")) for folder in folders for name in _listed(folder)
    )


def state(folders: tuple[Path, ...]) -> list[list[str]]:
    """What changes whenever a distribution is installed, removed or replaced by another version."""
    return [[str(folder), *sorted(_listed(folder))] for folder in folders]


def _site_packages(path: Path) -> list[Path]:
    """The folders of an environment in which distributions are installed."""
    path = _normal(path)
    if path.name in ("site-packages", "dist-packages") and os.path.isdir(path):
        return [path]
    windows = path / "Lib" / "site-packages"
    found = [windows] if os.path.isdir(windows) else []
    for library in ("lib", "lib64"):
        for name in _preferred(_listed(path / library)):
            # Debian's own packages are in the one, what pip installs in the other.
            for folder in ("site-packages", "dist-packages"):
                packages = path / library / name / folder
                is_known = any(_is_same(packages, each) for each in found)
                if os.path.isdir(packages) and not is_known:
                    found.append(packages)
    return found


def _preferred(names: list[str]) -> list[str]:
    """Of folders called `python3.X` the one for the Python that runs, or the latest; `python3`."""
    versions = {match[0]: int(match[1] or -1) for name in names if (match := _PYTHON.match(name))}

    def rank(name: str) -> tuple[bool, int]:
        return versions[name] == sys.version_info[1], versions[name]

    best = max(versions, key=rank, default="")
    return [name for name in dict.fromkeys((best, "python3")) if name in versions]


def _in_path_files(folder: Path) -> Iterator[Path]:
    for name in sorted(_listed(folder)):
        if not name.endswith(".pth"):
            continue
        path = folder / name
        try:
            if not os.path.isfile(path) or path.stat().st_size > _LONGEST_PATH_FILE:
                continue
            lines = path.read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        for line in lines:
            text = line.strip()
            # What begins with `import` would be run by Python.
            if text and not text.startswith(("#", "import ", "import\t")) and "\0" not in text:
                named = _normal(folder / text)
                if os.path.isdir(named) and named.parent != named:
                    yield named


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (OSError, ValueError):
        return []


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _normal(path: Path) -> Path:
    return Path(os.path.abspath(path))
