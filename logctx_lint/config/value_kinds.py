"""How a setting's value is written, in TOML and as the text of a flag or an ini file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from logctx_lint.config import codes


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to write a value. Both functions raise ValueError with the reason."""

    metavar: str
    """Stands for the value in --help."""
    convert: Callable[[object], object]
    """From what TOML gives to what Settings holds."""
    read: Callable[[str], object]
    """From text to what TOML would give."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean "..."?` for the nearest of `known`; empty when none is near."""
    near = _nearest(word, known)
    return f'; did you mean "{near}"?' if near else ""


def _nearest(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # Only for mistakes.

    spelling = {name.lower(): name for name in known}
    typed = word.lower().replace("_", "-")
    # The letter that looks like a digit.
    if (digits := re.sub(r"(?<=\d)o|o(?=\d)", "0", typed)) in spelling:
        typed = digits
    near = get_close_matches(typed, spelling, n=1)
    return spelling[near[0]] if near else ""


def meant_code(word: str) -> str:
    """What may be meant by a word that is no code, or else where the codes are listed."""
    by_name = {name: code for code, name in codes.CODES.items()}
    if near := _nearest(word, by_name):
        return f'; did you mean "{by_name[near]}", {near}?'
    letters = re.match(r"([a-z]+)\d", word.lower())
    if letters and not _nearest(letters[1], ["lcx"]):
        # By its number it is like one of ours, which nobody means.
        return "; the codes of this linter begin with LCX"
    near = did_you_mean(word, codes.CODES) if letters and len(word) > len("LCX1") else ""
    return near or '; "logctx-lint rules" lists them'


def split(text: str) -> list[str]:
    """The items of a list separated by commas or white space."""
    return text.replace(",", " ").split()


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"expected a list of strings, not {value!r}")
    for item in value:
        _refuse_nul(item)
    return tuple(value)


def _code_prefixes(value: object) -> tuple[str, ...]:
    prefixes = _strings(value)
    for prefix in prefixes:
        if not codes.is_prefix(prefix):
            raise ValueError(f'no code begins with "{prefix}"{meant_code(prefix)}')
    return prefixes


def _string(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected a string, not {value!r}")
    _refuse_nul(value)
    return value


def _refuse_nul(value: str) -> None:
    if "\0" in value:
        raise ValueError(f"a NUL character is part of no name: {value!r}")


_MOST = 1_000_000


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
        raise ValueError(f"expected a whole number from 0 to {_MOST}, not {value!r}")
    return value


def _read_number(text: str) -> object:
    text = text.strip()
    return int(text) if text.isdecimal() else text


COUNT = Kind("N", _count, _read_number)


def _classes(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"expected a table of class names, not {value!r}")
    for name, cls in value.items():
        if not name.isidentifier():
            raise ValueError(f'"{name}" cannot be the name of an object')
        parts = cls.split(".") if isinstance(cls, str) else []
        if len(parts) < 2 or not all(part.isidentifier() for part in parts):
            raise ValueError(f'{name}: expected a class as "module.Class", not {cls!r}')
    return value


def _read_classes(text: str) -> dict[str, str]:
    """One `NAME: CLASS` on each line, or between commas or semicolons."""
    table = {}
    for item in filter(None, map(str.strip, re.split("[,;\n]", text))):
        name, colon, cls = item.partition(":")
        if not colon:
            raise ValueError(f'expected "NAME: CLASS", not "{item}"')
        table[name.strip()] = cls.strip()
    return table


CLASSES = Kind("NAME:CLASS", _classes, _read_classes)
"""Names of objects, each with the class that such objects are of."""
FILE = Kind("FILE", _string, str.strip)
FOLDER = Kind("auto|none|FOLDER", _string, str.strip)
STRINGS = Kind("A,B", _strings, split)
CODES = Kind("CODES", _code_prefixes, split)

_E = TypeVar("_E", bound=Enum)


def _member(options: type[_E], value: object) -> _E:
    names = [str(option.value) for option in options]
    if value not in names:
        expected = ", ".join(f'"{name}"' for name in names[:-1]) + f' or "{names[-1]}"'
        hint = did_you_mean(value, names) if isinstance(value, str) else ""
        shown = f'"{value}"' if isinstance(value, str) else repr(value)
        raise ValueError(f"expected {expected}, not {shown}{hint}")
    return options(value)


def choice(options: type[Enum]) -> Kind:
    """One of the values of an enumeration."""
    metavar = "{" + ",".join(str(option.value) for option in options) + "}"
    return Kind(metavar, lambda value: _member(options, value), str.strip)


def _read_table(text: str) -> dict[str, list[str]]:
    """One `KEY: A, B` on each line, or between semicolons."""
    table: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, text.replace(";", "\n").splitlines())):
        # The last colon, because a path on Windows may begin with `C:`.
        key, colon, items = line.rpartition(":")
        if not colon:
            raise ValueError(f'expected "KEY: A, B", not "{line}"')
        table.setdefault(key.strip(), []).extend(split(items))
    return table


def _meant_key(word: str, known: Sequence[str]) -> str:
    """Which of the known names may be meant; all of them where none is near."""
    containing = [name for name in known if word.lower() in name.split("-")]
    if len(containing) > 1:
        return f"; did you mean one of {', '.join(containing)}?"
    return did_you_mean(word, known) or f"; known are {', '.join(known)}"


def table(metavar: str, items: Kind, keys: type[Enum] | None = None) -> Kind:
    """Named lists; the names are free or the values of an enumeration."""

    def name(key: str) -> object:
        if keys is None:
            return key
        known = [str(option.value) for option in keys]
        if key not in known:
            raise ValueError(f'"{key}" is not known{_meant_key(key, known)}')
        return keys(key)

    def convert(value: object) -> object:
        if not isinstance(value, dict):
            raise ValueError(f"expected a table of lists, not {value!r}")
        return {name(key): listed(key, entry) for key, entry in value.items()}

    def listed(key: str, entry: object) -> object:
        try:
            return items.convert(entry)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error

    return Kind(metavar, convert, _read_table)
