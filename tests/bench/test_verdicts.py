"""The table of verdicts: what is read of it, and what is said of a row that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import verdicts
from bench.verdicts import BadTable, Pin, Release, Row

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
]
GOOD = ["mailer", "1.0", "mailer/a.py", "7", "LCX301", "wrong", "-", "timeout", "yes"]


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
        )
    ]


def test_quotes_and_line_endings_mean_nothing(tmp_path: Path) -> None:
    path = table(tmp_path, changed(cause='a "quoted'), GOOD)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert [row.cause for row in verdicts.read(path)] == ['a "quoted', "timeout"]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (changed(verdict="maybe"), r":3: verdict is 'maybe', not one of bug, deliberate, wrong"),
        (changed(line="seven"), r":3: line is 'seven', not a number"),
        (changed(code="E501"), r":3: code is 'E501', not like LCX101"),
        (changed(noise="no"), r":3: noise is 'no', neither empty nor 'yes'"),
        (changed(cause="-"), r":3: a wrong finding without a cause"),
        (GOOD[:6], r":3: too few fields: no noise, cause, sample"),
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


def test_releases_are_chosen_by_package_and_set(tmp_path: Path) -> None:
    rows = verdicts.read(table(tmp_path, GOOD))
    mailer, other = Release("mailer", "1.0"), Release("other", "2.0")
    pins = [Pin(other, "A", "bot"), Pin(mailer, "B", "SDK")]
    assert verdicts.chosen(rows, pins) == {mailer: rows, other: []}
    assert verdicts.chosen(rows, pins, ["other"]) == {other: []}
    assert verdicts.chosen(rows, pins, (), ["B"]) == {mailer: rows}
    assert verdicts.chosen(rows, verdicts.unpinned(rows)) == {mailer: rows}
    with pytest.raises(BadTable, match="nothing is known of C, unknown"):
        verdicts.chosen(rows, pins, ["unknown", "other"], ["C"])


def test_the_project_s_own_tables_fit_together() -> None:
    rows, pins = verdicts.read(), verdicts.pins()
    releases = [pin.release for pin in pins]
    assert rows
    assert {row.release for row in rows} <= set(releases)
    assert len({release.package for release in releases}) == len(releases), "one version of each"
    assert all(pin.set and pin.kind for pin in pins)
