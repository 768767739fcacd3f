"""Reading settings: flags beat the ini file, and that beats pyproject.toml."""

from __future__ import annotations

import argparse
import configparser
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flake8.exceptions import ExecutionError
from flake8.options import config as flake8_config

from logctx_lint.setting_kinds import did_you_mean
from logctx_lint.settings import Settings, SettingsError, described

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_INI_PREFIX = "lcx-"


def add_flags(add_option: Callable[..., object], prefix: str = "", *, flake8: bool = False) -> None:
    """Register one flag for each setting, in flake8's option manager or with argparse."""
    for name, description in described().items():
        if description.in_flake8 or not flake8:
            add_option(
                f"--{prefix}{_key(name)}",
                dest=_destination(name),
                action="append",
                metavar=description.kind.metavar,
                help=description.text,
            )


def load(
    folder: Path,
    flags: argparse.Namespace | None = None,
    *,
    prefix: str = "",
    ini_file: str | None = None,
    more_ini_files: Sequence[str] = (),
    isolated: bool = False,
) -> Settings:
    """The settings for a run in `folder`; raises SettingsError.

    pyproject.toml is the nearest one, upwards, that has a `[tool.logctx-lint]` table. The ini
    file is found as flake8 finds its own, from the working directory.
    """
    pyproject = None if isolated else _nearest_pyproject(folder)
    values: dict[str, object] = {}
    if pyproject is not None:
        values |= _from_toml(*pyproject)
    values |= _from_ini(ini_file, more_ini_files, isolated=isolated)
    values |= _from_flags(flags, prefix)
    root = folder if pyproject is None else pyproject[0].parent
    return Settings(root=root.resolve(), **values)  # type: ignore[arg-type]


def from_text(values: Mapping[str, str], root: Path) -> Settings:
    """Settings written as `key = text`, the way an ini file or a flag would have them."""
    merged = dict(_converted(values, lambda key: key))
    return Settings(root=root, **merged)  # type: ignore[arg-type]


def _key(name: str) -> str:
    return name.replace("_", "-")


def _destination(name: str) -> str:
    return f"lcx_{name}"


def _nearest_pyproject(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    for parent in (folder.resolve(), *folder.resolve().parents):
        path = parent / "pyproject.toml"
        if not path.is_file():
            continue
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeError) as error:
            raise SettingsError(f"{_shown(path)}: cannot be read: {error}") from error
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{_shown(path)}: not valid TOML: {error}") from error
        table = document.get("tool", {}).get("logctx-lint")
        if table is not None:
            return path, table
    return None


def _from_toml(path: Path, table: dict[str, Any]) -> dict[str, object]:
    place = f"{_shown(path)}: [tool.logctx-lint]"
    if not isinstance(table, dict):
        raise SettingsError(f"{place}: expected a table")
    known = {_key(name): (name, each) for name, each in described().items()}
    values = {}
    for key, value in table.items():
        if key not in known:
            raise SettingsError(f"{place} {key}: unknown setting{did_you_mean(key, known)}")
        name, description = known[key]
        try:
            values[name] = description.kind.convert(value)
        except ValueError as error:
            raise SettingsError(f"{place} {key}: {error}") from error
    return values


def _from_ini(
    ini_file: str | None, more_files: Sequence[str], *, isolated: bool
) -> dict[str, object]:
    try:
        if ini_file is None and not isolated:
            # Not public, but load_config() does not say which file it found.
            ini_file = flake8_config._find_config_file(str(Path.cwd()))  # type: ignore[attr-defined]
        ini, _ = flake8_config.load_config(ini_file, list(more_files), isolated=isolated)
    except (ExecutionError, configparser.Error) as error:
        raise SettingsError(" ".join(str(error).split())) from error
    if not ini.has_section("flake8"):
        return {}
    # flake8 takes both `lcx-framework` and `lcx_framework`, so we do.
    texts = {
        key.replace("_", "-").removeprefix(_INI_PREFIX): text
        for key, text in ini.items("flake8")
        if key.replace("_", "-").startswith(_INI_PREFIX)
    }
    files = [_shown(Path(name)) for name in (ini_file, *more_files) if name]
    place = f"{', '.join(files)}: [flake8] {_INI_PREFIX}"
    return dict(_converted(texts, lambda key: f"{place}{key}"))


def _from_flags(flags: argparse.Namespace | None, prefix: str) -> dict[str, object]:
    texts = {}
    for name in described():
        given: Sequence[str] | None = getattr(flags, _destination(name), None)
        if given is not None:
            texts[_key(name)] = "\n".join(given)
    return dict(_converted(texts, lambda key: f"--{prefix}{key}"))


def _converted(
    texts: Mapping[str, str], place: Callable[[str], str]
) -> Iterator[tuple[str, object]]:
    known = {_key(name): (name, each) for name, each in described().items()}
    for key, text in texts.items():
        if key not in known:
            raise SettingsError(f"{place(key)}: unknown setting{did_you_mean(key, known)}")
        name, description = known[key]
        try:
            yield name, description.kind.convert(description.kind.read(text))
        except ValueError as error:
            raise SettingsError(f"{place(key)}: {error}") from error


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
