"""The ini file that flake8 would read in the working directory, and our settings in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from logctx_lint.config.codes import CODES, is_prefix
from logctx_lint.config.settings import SettingsError

_NAMES = ("setup.cfg", "tox.ini", ".flake8")
_SECTION = "flake8"


@dataclass(frozen=True, slots=True)
class Ini:
    """What an ini file says; nothing where there is none."""

    path: Path | None = None
    prefix: str = ""
    ours: Mapping[str, str] = field(default_factory=dict)
    """The texts of settings with our prefix, by name without it."""
    of_flake8: Mapping[str, object] = field(default_factory=dict)
    """What flake8's own settings say that `logctx-lint check` heeds, too, by field of Settings."""

    @property
    def shown(self) -> str:
        """The file, as a person in the working directory would name it."""
        here = Path.cwd()
        if self.path is None:
            return ""
        return str(self.path.relative_to(here) if self.path.is_relative_to(here) else self.path)

    def place_of(self, key: str) -> str:
        """Where one of our settings stands, for a message."""
        return f"{self.shown}: [{_SECTION}] {self.prefix}{key}"


def find_ini(prefix: str) -> Ini:
    """The ini file of the working directory; `prefix` marks our settings in it."""
    here = Path.cwd()
    folders = (here, *here.parents)
    if not any(os.path.exists(folder / name) for folder in folders for name in _NAMES):
        return Ini()
    # What flake8 reads and how, flake8 knows best, but it takes long to import.
    import configparser

    from flake8.exceptions import ExecutionError
    from flake8.options import config as flake8_config

    try:
        # Not public, but load_config() does not say which file it found.
        file = flake8_config._find_config_file(str(here))  # type: ignore[attr-defined]
        parser, _ = flake8_config.load_config(file, [])
    except (ExecutionError, configparser.Error) as error:
        raise SettingsError(" ".join(str(error).split())) from error
    if not file or not parser.has_section(_SECTION):
        return Ini()
    # flake8 takes both `lcx-framework` and `lcx_framework`, so we do.
    texts = {key.replace("_", "-"): text for key, text in parser.items(_SECTION)}
    ours = {key.removeprefix(prefix): text for key, text in texts.items() if key.startswith(prefix)}
    path = Path(file)
    return Ini(path, prefix, ours, _of_flake8(texts, path))


def _of_flake8(texts: Mapping[str, str], path: Path) -> dict[str, object]:
    """`ignore`, `per-file-ignores` and `exclude`, as far as they are about our codes.

    Not `select`: who runs `logctx-lint` by its name wants its codes, whatever flake8 selects.
    """
    from flake8.exceptions import ExecutionError
    from flake8.utils import parse_comma_separated_list, parse_files_to_codes_mapping

    def listed(*keys: str) -> list[str]:
        return [
            item for key in keys for item in parse_comma_separated_list(texts.get(key, "")) if item
        ]

    def anchored(glob: str) -> str:
        """A glob with a slash is relative to the ini file, and not to the root of the project."""
        return os.path.join(path.parent, glob) if "/" in glob else glob

    try:
        mapping = parse_files_to_codes_mapping(texts.get("per-file-ignores", ""))
    except ExecutionError as error:
        raise SettingsError(f"{path}: {' '.join(str(error).split())}") from error
    per_file: dict[str, tuple[str, ...]] = {}
    for glob, codes in mapping:
        if about_us := tuple(filter(_is_about_us, codes)):
            per_file[anchored(glob)] = (*per_file.get(anchored(glob), ()), *about_us)
    found: dict[str, object] = {
        "ignore": tuple(filter(_is_about_us, listed("ignore", "extend-ignore"))),
        "per_file_ignores": per_file,
        "exclude": tuple(map(anchored, listed("exclude", "extend-exclude"))),
    }
    return {name: value for name, value in found.items() if value}


def _is_about_us(prefix: str) -> bool:
    """Whether a code, or the beginning of one, chooses some of ours: `LCX3`, not `L` or `E5`."""
    return is_prefix(prefix) and any(code[:3] == prefix[:3] for code in CODES)
