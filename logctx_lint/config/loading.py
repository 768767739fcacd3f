"""Reading settings: flags beat the ini file, and that beats pyproject.toml."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from logctx_lint.config.environment import AUTO, Environment, found_environment
from logctx_lint.config.flake8_files import Ini, find_ini
from logctx_lint.config.requirements import unlike_their_stubs
from logctx_lint.config.runtime_copies import find_copies
from logctx_lint.config.settings import Description, Settings, SettingsError, described
from logctx_lint.config.value_kinds import did_you_mean
from logctx_lint.syntax.source import Unreadable, read_bytes

_TABLE = "logctx-lint"
_MISSPELT = ("logctx_lint", "logctxlint", "logctx", "lcx")
"""Tables that somebody may have meant for ours."""
_FLAKE8_PREFIX = "lcx-"


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings from one place."""

    origin: str
    """The place, as a person would name it."""
    values: Mapping[str, object] = field(default_factory=dict)
    extends: bool = False
    """Whether lists and tables are added to those of earlier layers, and do not replace them."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each of them was said."""

    settings: Settings
    origins: Mapping[str, str]
    """Field to place; a field at its default is not among them."""
    environment: Environment
    """The one that stands in the settings, and why it was taken."""
    notes: tuple[str, ...] = ()
    """What was said in these files and is of no effect, and why."""


def add_flags(add_option: Callable[..., object]) -> None:
    """Register one flag for each setting with argparse."""
    add_option("--config", metavar="FILE", help="the TOML file to read settings from, and no other")
    for name, description in described().items():
        _add(add_option, f"--{_key(name)}", name, description)


def add_flake8_options(add_option: Callable[..., object]) -> None:
    """Register the settings with flake8, which then reads them from its ini file, too."""
    for name, description in described().items():
        if description.in_flake8:
            flag = f"--{_FLAKE8_PREFIX}{_key(name)}"
            _add(add_option, flag, name, description, parse_from_config=True)


def load(folder: Path, flags: argparse.Namespace | None = None) -> Settings:
    """The settings of a command that is run in `folder`; raises SettingsError.

    pyproject.toml is the nearest one, upwards, that has a `[tool.logctx-lint]` table. The ini
    file is the one that flake8 would read in the working directory.
    """
    return load_with_origins(folder, flags).settings


def load_with_origins(folder: Path, flags: argparse.Namespace | None = None) -> Loaded:
    """As `load`, with the place of each setting."""
    given = getattr(flags, "config", None)
    file = _read_toml(Path(given), required=True) if given else _nearest_pyproject(folder)
    ini = Ini() if given else find_ini(_FLAKE8_PREFIX)
    layers = [
        Layer(f"flake8's own settings in {ini.shown}", ini.of_flake8, extends=True),
        Layer(ini.shown, dict(_converted(ini.ours, ini.place_of, _FLAKE8_PREFIX))),
        Layer("command line", _from_options(flags, "--")),
    ]
    return _merged(folder, file, layers)


def root_of(folder: Path) -> Path | None:
    """The folder of the nearest file of settings, upwards; None where there is none."""
    file = _nearest_pyproject(folder)
    return file.path.parent if file else None


def load_in_flake8(folder: Path, options: argparse.Namespace) -> Loaded:
    """The settings of a flake8 run, which has read its ini file itself; raises SettingsError."""
    # flake8 keeps these flags to itself, and would rather be silent about a misspelt setting.
    flags = {argument.partition("=")[0] for argument in sys.argv}
    if not flags & {"--isolated", "--config", "--append-config"}:
        ini = find_ini(_FLAKE8_PREFIX)
        dict(_converted(ini.ours, ini.place_of, _FLAKE8_PREFIX))
    file = None if "--isolated" in flags else _nearest_pyproject(folder)
    layer = Layer("flake8", _from_options(options, _FLAKE8_PREFIX))
    return _merged(folder, file, [layer])


def from_text(values: Mapping[str, str], root: Path) -> Settings:
    """Settings written as `key = text`, the way an ini file or a flag would have them."""
    merged: dict[str, Any] = dict(_converted(values, lambda key: key))
    return Settings(root=root, **merged)


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


@dataclass(frozen=True, slots=True)
class _TomlFile:
    path: Path
    layer: Layer
    notes: tuple[str, ...] = ()


def _merged(folder: Path, file: _TomlFile | None, layers: list[Layer]) -> Loaded:
    """Settings of a TOML file and, over it, of each layer."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for layer in [file.layer, *layers] if file else layers:
        for name, value in layer.values.items():
            origins[name] = layer.origin
            if layer.extends and name in values:
                before = values[name]
                value = before | value if isinstance(value, dict) else (*before, *value)  # type: ignore[misc]
            values[name] = value
    root = file.path.parent if file else folder
    root = root.resolve()
    if "runtime" not in values:
        values["runtime"] = find_copies(root, values.get("source_roots", ()))
    if "no_stubs_of" not in values:
        values["no_stubs_of"] = unlike_their_stubs(root)
    environment = found_environment(values.get("environment", AUTO), root)
    values["environment"] = environment.path
    settings = Settings(root=root, **values)
    return Loaded(settings, origins, environment, file.notes if file else ())


def _nearest_pyproject(folder: Path) -> _TomlFile | None:
    for parent in (folder.resolve(), *folder.resolve().parents):
        path = parent / "pyproject.toml"
        if path.is_file() and (file := _read_toml(path)):
            return file
    return None


def _read_toml(path: Path, *, required: bool = False) -> _TomlFile | None:
    """Our table in a TOML file; without one None, or if it is required an error."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        document = tomllib.loads(read_bytes(path).decode())
    except Unreadable as error:
        raise SettingsError(f"{_shown(path)}: {error}") from error
    except UnicodeError as error:
        raise SettingsError(f"{_shown(path)}: cannot be read: {error}") from error
    # Not every ValueError of a huge number is a TOMLDecodeError.
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{_shown(path)}: not valid TOML: {error}") from error
    tools = document.get("tool")
    tools = tools if isinstance(tools, dict) else {}
    wrong = [name for name in _MISSPELT if name in tools]
    notes = tuple(
        f"{_shown(path)}: [tool.{name}] is not read: the table is [tool.{_TABLE}]" for name in wrong
    )
    if _TABLE in tools:
        values = _from_toml(path, tools[_TABLE])
    elif required and not wrong:
        raise SettingsError(f"{_shown(path)}: there is no table [tool.{_TABLE}]")
    elif not wrong:
        return None
    else:
        values = {}
    return _TomlFile(path.resolve(), Layer(_shown(path), values), notes)


def _from_toml(path: Path, table: object) -> dict[str, object]:
    place = f"{_shown(path)}: [tool.{_TABLE}]"
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


def _from_options(options: argparse.Namespace | None, prefix: str) -> dict[str, object]:
    given = {_key(name): getattr(options, _destination(name), None) for name in described()}
    texts = {key: text for key, text in given.items() if text is not None}
    return dict(_converted(texts, lambda key: f"{prefix}{key}"))


def _converted(
    texts: Mapping[str, str], place: Callable[[str], str], prefix: str = ""
) -> Iterator[tuple[str, object]]:
    """Fields with their values; `prefix` is how the names of settings begin in that place."""
    known = {_key(name): (name, each) for name, each in described().items()}
    for key, text in texts.items():
        if key not in known:
            near = did_you_mean(f"{prefix}{key}", [f"{prefix}{each}" for each in known])
            raise SettingsError(f"{place(key)}: unknown setting{near}")
        name, description = known[key]
        try:
            yield name, description.kind.convert(description.kind.read(text))
        except ValueError as error:
            raise SettingsError(f"{place(key)}: {error}") from error


def _shown(path: Path) -> str:
    here = Path.cwd()
    full = Path(os.path.abspath(path))
    return str(full.relative_to(here) if full.is_relative_to(here) else full)
