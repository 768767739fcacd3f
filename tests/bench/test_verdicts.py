"""The table of verdicts: what is read of it, and what is said of a row that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import verdicts
from bench.verdicts import BadTable, Release, Row

HEADER = [
    "package",
    "version",
    "path",
    "line",
    "code",
    "verdict",
    "noise",
    "cause",
    "sample",
    "set",
]
GOOD = ["mailer", "1.0", "mailer/a.py", "7", "LCX301", "wrong", "-", "timeout", "yes", "B"]


def table(folder: Path, *rows: list[str], header: list[str] = HEADER) -> Path:
    path = folder / "verdicts.tsv"
    lines = ["\t".join(header), *("\t".join(row).replace("-", "") for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def changed(**fields: str) -> list[str]:
    return [fields.get(name, value) for name, value in zip(HEADER, GOOD, strict=True)]


def test_a_row_is_read(tmp_path: Path) -> None:
    assert verdicts.read(table(tmp_path, GOOD)) == [
        Row(
            Release("mailer", "1.0"),
            "mailer/a.py",
            7,
            "LCX301",
            "wrong",
            noise=False,
            cause="timeout",
            sample=True,
            set="B",
        )
    ]


def test_quotes_and_line_endings_mean_nothing(tmp_path: Path) -> None:
    path = table(tmp_path, changed(cause='a "quoted'), GOOD)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert [row.cause for row in verdicts.read(path)] == ['a "quoted', "timeout"]


def test_the_set_may_be_missing(tmp_path: Path) -> None:
    (row,) = verdicts.read(table(tmp_path, GOOD[:-1], header=HEADER[:-1]))
    assert row.set == ""


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (changed(verdict="maybe"), r":3: verdict is 'maybe', not one of bug, deliberate, wrong"),
        (changed(line="seven"), r":3: line is 'seven', not a number"),
        (changed(code="E501"), r":3: code is 'E501', not like LCX101"),
        (changed(noise="no"), r":3: noise is 'no', neither empty nor 'yes'"),
        (changed(cause="-"), r":3: a wrong finding without a cause"),
        (GOOD[:5], r":3: too few fields: no verdict"),
        ([*GOOD, "more"], r":3: too many fields"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: list[str], complaint: str) -> None:
    with pytest.raises(BadTable, match=complaint):
        verdicts.read(table(tmp_path, GOOD, row))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match=r":1: no column code, verdict"):
        verdicts.read(table(tmp_path, header=[*HEADER[:4], *HEADER[6:]]))


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match=r"nowhere\.tsv"):
        verdicts.read(tmp_path / "nowhere.tsv")


def test_rows_are_chosen_by_package_and_set(tmp_path: Path) -> None:
    rows = verdicts.read(table(tmp_path, GOOD, changed(package="other", set="A")))
    assert [row.set for row in verdicts.chosen(rows, ["other"])] == ["A"]
    assert [row.set for row in verdicts.chosen(rows, (), ["B"])] == ["B"]
    assert verdicts.chosen(rows) == rows
    with pytest.raises(BadTable, match="the table has no unknown"):
        verdicts.chosen(rows, ["unknown", "other"])


def test_the_project_s_own_table_can_be_read() -> None:
    rows = verdicts.read()
    places = [(row.release, row.path, row.line, row.code) for row in rows]
    assert rows
    assert all(row.set for row in rows)
    versions = {row.release.package: row.release for row in rows}
    assert len(versions) == len(verdicts.by_release(rows)), "one version of each package"
    assert len(places) - len(set(places)) < 10, "hardly any place is there twice"
