"""Reading settings: flags beat the ini file, and that beats pyproject.toml."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from logctx_lint.config.settings import Description, Settings, SettingsError, described
from logctx_lint.config.value_kinds import did_you_mean
from logctx_lint.syntax.source import Unreadable, read_bytes

_INI_PREFIX = "lcx-"
_INI_FILES = ("setup.cfg", "tox.ini", ".flake8")


def add_flags(add_option: Callable[..., object]) -> None:
    """Register one flag for each setting with argparse."""
    for name, description in described().items():
        _add(add_option, f"--{_key(name)}", name, description)


def add_flake8_options(add_option: Callable[..., object]) -> None:
    """Register the settings with flake8, which then reads them from its ini file, too."""
    for name, description in described().items():
        if description.in_flake8:
            flag = f"--{_INI_PREFIX}{_key(name)}"
            _add(add_option, flag, name, description, parse_from_config=True)


def load(folder: Path, flags: argparse.Namespace | None = None) -> Settings:
    """The settings of a command that is run in `folder`; raises SettingsError.

    pyproject.toml is the nearest one, upwards, that has a `[tool.logctx-lint]` table. The ini
    file is the one that flake8 would read in the working directory.
    """
    return _merged(folder, _from_ini(), _from_options(flags, "--"))


def load_in_flake8(folder: Path, options: argparse.Namespace) -> Settings:
    """The settings of a flake8 run, which has read its ini file itself; raises SettingsError."""
    # flake8 keeps these flags to itself, and would rather be silent about a misspelt setting.
    flags = {argument.partition("=")[0] for argument in sys.argv}
    if not flags & {"--isolated", "--config", "--append-config"}:
        _from_ini()
    isolated = "--isolated" in flags
    return _merged(folder, _from_options(options, _INI_PREFIX), with_pyproject=not isolated)


def from_text(values: Mapping[str, str], root: Path) -> Settings:
    """Settings written as `key = text`, the way an ini file or a flag would have them."""
    merged = dict(_converted(values, lambda key: key))
    return Settings(root=root, **merged)  # type: ignore[arg-type]


def _key(name: str) -> str:
    return name.replace("_", "-")


def _destination(name: str) -> str:
    return f"lcx_{name}"


def _add(
    add_option: Callable[..., object],
    flag: str,
    name: str,
    description: Description,
    **more: object,
) -> None:
    add_option(
        flag,
        dest=_destination(name),
        metavar=description.kind.metavar,
        help=description.text,
        **more,
    )


def _merged(folder: Path, *layers: Mapping[str, object], with_pyproject: bool = True) -> Settings:
    """Settings of pyproject.toml and, over it, of each layer."""
    pyproject = _nearest_pyproject(folder) if with_pyproject else None
    values = {} if pyproject is None else _from_toml(*pyproject)
    for layer in layers:
        values |= layer
    root = folder if pyproject is None else pyproject[0].parent
    return Settings(root=root.resolve(), **values)  # type: ignore[arg-type]


def _nearest_pyproject(folder: Path) -> tuple[Path, object] | None:
    for parent in (folder.resolve(), *folder.resolve().parents):
        path = parent / "pyproject.toml"
        if not path.is_file():
            continue
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
        try:
            document = tomllib.loads(read_bytes(path).decode())
        except (Unreadable, UnicodeError) as error:
            raise SettingsError(f"{_shown(path)}: cannot be read: {error}") from error
        # Not every ValueError of a huge number is a TOMLDecodeError.
        except (ValueError, RecursionError) as error:
            raise SettingsError(f"{_shown(path)}: not valid TOML: {error}") from error
        tools = document.get("tool")
        if isinstance(tools, dict) and "logctx-lint" in tools:
            return path, tools["logctx-lint"]
    return None


def _from_toml(path: Path, table: object) -> dict[str, object]:
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


def _from_ini() -> dict[str, object]:
    here = Path.cwd()
    folders = (here, *here.parents)
    if not any(os.path.exists(folder / name) for folder in folders for name in _INI_FILES):
        return {}
    # What flake8 reads and how, flake8 knows best, but it takes long to import.
    import configparser

    from flake8.exceptions import ExecutionError
    from flake8.options import config as flake8_config

    try:
        # Not public, but load_config() does not say which file it found.
        file = flake8_config._find_config_file(str(here))  # type: ignore[attr-defined]
        ini, _ = flake8_config.load_config(file, [])
    except (ExecutionError, configparser.Error) as error:
        raise SettingsError(" ".join(str(error).split())) from error
    if not file or not ini.has_section("flake8"):
        return {}
    # flake8 takes both `lcx-framework` and `lcx_framework`, so we do.
    texts = {
        key.replace("_", "-").removeprefix(_INI_PREFIX): text
        for key, text in ini.items("flake8")
        if key.replace("_", "-").startswith(_INI_PREFIX)
    }
    place = f"{_shown(Path(file))}: [flake8] {_INI_PREFIX}"
    return dict(_converted(texts, lambda key: f"{place}{key}"))


def _from_options(options: argparse.Namespace | None, prefix: str) -> dict[str, object]:
    given = {_key(name): getattr(options, _destination(name), None) for name in described()}
    texts = {key: text for key, text in given.items() if text is not None}
    return dict(_converted(texts, lambda key: f"{prefix}{key}"))


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
