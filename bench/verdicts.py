"""Pinned releases, and the findings on them that were read in their source, each with its worth.

``releases.tsv`` names the releases. A `set` was chosen, measured and read together: before any rule
was changed because of it.

A row of ``verdicts.tsv`` is one finding: where it stands, its code, and a verdict.

- ``bug``: whoever maintains the code would change it;
- ``deliberate``: true, and arguably meant (``noise``: and harmless);
- ``wrong``: what the message claims is false, or its advice cannot be followed there; with a cause.

A row with ``sample`` stands for more: only some of that code's findings in the package were read.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeGuard

TABLE = Path(__file__).parent / "verdicts.tsv"
RELEASES = Path(__file__).parent / "releases.tsv"
Verdict = Literal["bug", "deliberate", "wrong"]
VERDICTS: tuple[Verdict, ...] = ("bug", "deliberate", "wrong")
_COLUMNS = ("package", "version", "path", "line", "code", "verdict", "noise", "cause", "sample")
_RELEASE_COLUMNS = ("set", "package", "version", "kind")
_YES = ("", "yes")
_Fields = dict[str, str]


class BadTable(Exception):
    """Something in the table that cannot be read; says where and what."""


@dataclass(frozen=True, slots=True, order=True)
class Release:
    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


@dataclass(frozen=True, slots=True)
class Row:
    release: Release
    path: str
    line: int
    code: str
    verdict: Verdict
    noise: bool = False
    cause: str = ""
    sample: bool = False


@dataclass(frozen=True, slots=True)
class Pin:
    """A release to measure on."""

    release: Release
    set: str
    kind: str


def read(table: Path = TABLE) -> list[Row]:
    return [_row(fields, where) for fields, where in _lines(table, _COLUMNS)]


def pins(table: Path = RELEASES) -> list[Pin]:
    return [
        Pin(Release(fields["package"], fields["version"]), fields["set"], fields["kind"])
        for fields, _ in _lines(table, _RELEASE_COLUMNS)
    ]


def chosen(
    rows: Iterable[Row],
    releases: Iterable[Pin],
    packages: Iterable[str] = (),
    sets: Iterable[str] = (),
) -> dict[Release, list[Row]]:
    """The releases of some packages and sets, all if none are named, each with its rows."""
    releases = list(releases)
    packages, sets = set(packages), set(sets)
    unknown = (packages - {pin.release.package for pin in releases}) | (
        sets - {pin.set for pin in releases}
    )
    if unknown:
        raise BadTable(f"nothing is known of {', '.join(sorted(unknown))}")
    grouped: dict[Release, list[Row]] = {
        pin.release: []
        for pin in sorted(releases, key=lambda pin: pin.release)
        if (not packages or pin.release.package in packages) and (not sets or pin.set in sets)
    }
    for row in rows:
        if row.release in grouped:
            grouped[row.release].append(row)
    return grouped


def unpinned(rows: Iterable[Row]) -> list[Pin]:
    """The releases of another table than the project's own."""
    return [Pin(release, "", "") for release in dict.fromkeys(row.release for row in rows)]


def _lines(table: Path, columns: Iterable[str]) -> Iterator[tuple[_Fields, str]]:
    """The fields of each line, and where it stands."""
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise BadTable(f"{table}:1: no column {', '.join(missing)}")
            for number, fields in enumerate(reader, 2):
                where = f"{table}:{number}"
                if None in fields:
                    raise BadTable(f"{where}: too many fields")
                absent = [name for name in columns if fields[name] is None]
                if absent:
                    raise BadTable(f"{where}: too few fields: no {', '.join(absent)}")
                yield fields, where
    except (OSError, UnicodeDecodeError) as error:
        raise BadTable(f"{table}: {error}") from error


def _row(fields: _Fields, where: str) -> Row:
    verdict = fields["verdict"]
    if not _is_verdict(verdict):
        raise BadTable(f"{where}: verdict is {verdict!r}, not one of {', '.join(VERDICTS)}")
    if not fields["line"].isdecimal():
        raise BadTable(f"{where}: line is {fields['line']!r}, not a number")
    if not re.fullmatch(r"LCX\d{3}", fields["code"]):
        raise BadTable(f"{where}: code is {fields['code']!r}, not like LCX101")
    if verdict == "wrong" and not fields["cause"]:
        raise BadTable(f"{where}: a wrong finding without a cause")
    for name in ("noise", "sample"):
        if fields[name] not in _YES:
            raise BadTable(f"{where}: {name} is {fields[name]!r}, neither empty nor 'yes'")
    return Row(
        Release(fields["package"], fields["version"]),
        fields["path"],
        int(fields["line"]),
        fields["code"],
        verdict,
        fields["noise"] == "yes",
        fields["cause"],
        fields["sample"] == "yes",
    )


def _is_verdict(text: str) -> TypeGuard[Verdict]:
    return text in VERDICTS
