"""The primer: what differs between two lists of findings, and how it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.linted import Failed, Found, of_revision
from bench.primer import Difference, difference, report
from bench.verdicts import Release, Row

RELEASE = Release("mailer", "1.0")
ROWS = [
    Row(RELEASE, "a.py", 2, "LCX101", "bug"),
    Row(RELEASE, "a.py", 4, "LCX301", "wrong", cause="timeout"),
]
BUG = Found("a.py", 2, "LCX101", "one")
WRONG = Found("a.py", 4, "LCX301", "two")
UNREAD = Found("b.py", 1, "LCX201", "three")


def test_nothing_differs() -> None:
    assert difference([BUG, WRONG], [WRONG, BUG], ROWS) == []


def test_added_and_removed_with_their_verdicts() -> None:
    assert difference([BUG, WRONG], [BUG, UNREAD], ROWS) == [
        Difference("removed", WRONG, "wrong, timeout"),
        Difference("added", UNREAD, "not read"),
    ]


def test_two_findings_at_one_place() -> None:
    assert difference([BUG, BUG], [BUG], ROWS) == [Difference("removed", BUG, "bug")]


def test_another_message_or_profile() -> None:
    old = Found("a.py", 2, "LCX101", "one", "recommended")
    moved = Found("a.py", 2, "LCX101", "one", "strict")
    reworded = Found("a.py", 2, "LCX101", "uno", "recommended")
    assert difference([old], [moved], ROWS) == [Difference("moved", moved, "bug")]
    assert difference([old], [reworded], ROWS) == [Difference("reworded", reworded, "bug")]
    assert difference([BUG], [moved], ROWS) == [], "the revision before had no profiles"


def test_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.py").write_text("async def f():\n    f()\n")
    monkeypatch.setattr("bench.primer.unpacked", lambda package, version: tmp_path)
    lines = list(report({RELEASE: difference([BUG], [], ROWS)}))
    assert lines == [
        "mailer 1.0: 1 removed",
        "- a.py:2 LCX101 (bug)",
        "      | f()",
        "      one",
        "",
        "1 releases: 1 removed",
        "  removed bug: 1",
    ]
    assert list(report({RELEASE: []})) == ["1 releases: no difference"]


def test_an_unknown_revision_is_named() -> None:
    with pytest.raises(Failed, match="no-such-revision"):
        of_revision("no-such-revision")
