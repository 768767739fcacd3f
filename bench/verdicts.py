"""The table of findings that were read in their source, and what each was worth: ``verdicts.tsv``.

A row is one finding on a pinned release: where it stands, its code, and a verdict.

- ``bug``: whoever maintains the code would change it;
- ``deliberate``: true, and arguably meant (``noise``: and harmless);
- ``wrong``: what the message claims is false, or its advice cannot be followed there; with a cause.

A row with ``sample`` stands for more: only some of that code's findings in the package were read.
``set`` names the packages that were chosen, measured and read together.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeGuard

TABLE = Path(__file__).parent / "verdicts.tsv"
Verdict = Literal["bug", "deliberate", "wrong"]
VERDICTS: tuple[Verdict, ...] = ("bug", "deliberate", "wrong")
_COLUMNS = ("package", "version", "path", "line", "code", "verdict", "noise", "cause", "sample")
_YES = ("", "yes")


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
    set: str = ""


def read(table: Path = TABLE) -> list[Row]:
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise BadTable(f"{table}:1: no column {', '.join(missing)}")
            return [_row(fields, f"{table}:{number}") for number, fields in enumerate(reader, 2)]
    except (OSError, UnicodeDecodeError) as error:
        raise BadTable(f"{table}: {error}") from error


def by_release(rows: Iterable[Row]) -> dict[Release, list[Row]]:
    """The rows of each release, in the order of the names."""
    grouped: defaultdict[Release, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row.release].append(row)
    return dict(sorted(grouped.items()))


def chosen(rows: list[Row], packages: Iterable[str] = (), sets: Iterable[str] = ()) -> list[Row]:
    """The rows of some packages and sets; all if none are named."""
    packages, sets = set(packages), set(sets)
    unknown = (packages - {row.release.package for row in rows}) | (
        sets - {row.set for row in rows}
    )
    if unknown:
        raise BadTable(f"the table has no {', '.join(sorted(unknown))}")
    return [
        row
        for row in rows
        if (not packages or row.release.package in packages) and (not sets or row.set in sets)
    ]


def _row(fields: dict[str, str | None], where: str) -> Row:
    def text(name: str) -> str:
        value = fields.get(name)
        if value is None:
            raise BadTable(f"{where}: too few fields: no {name}")
        return value

    def flag(name: str) -> bool:
        if text(name) not in _YES:
            raise BadTable(f"{where}: {name} is {text(name)!r}, neither empty nor 'yes'")
        return text(name) == "yes"

    if None in fields:
        raise BadTable(f"{where}: too many fields")
    verdict = text("verdict")
    if not _is_verdict(verdict):
        raise BadTable(f"{where}: verdict is {verdict!r}, not one of {', '.join(VERDICTS)}")
    if not text("line").isdecimal():
        raise BadTable(f"{where}: line is {text('line')!r}, not a number")
    if not re.fullmatch(r"LCX\d{3}", text("code")):
        raise BadTable(f"{where}: code is {text('code')!r}, not like LCX101")
    if verdict == "wrong" and not text("cause"):
        raise BadTable(f"{where}: a wrong finding without a cause")
    return Row(
        Release(text("package"), text("version")),
        text("path"),
        int(text("line")),
        text("code"),
        verdict,
        flag("noise"),
        text("cause"),
        flag("sample"),
        fields.get("set") or "",
    )


def _is_verdict(text: str) -> TypeGuard[Verdict]:
    return text in VERDICTS
