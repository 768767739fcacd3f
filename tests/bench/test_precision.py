"""Precision: rows are matched with findings, and counted as the summary says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import precision
from bench.linted import PROJECT, Found, of_tree, parse
from bench.precision import Tally, compare, count_lines, is_test, markdown, summary
from bench.verdicts import Release, Row, Verdict

RELEASE = Release("mailer", "1.0")
needs_git = pytest.mark.skipif(
    not (PROJECT / ".git").exists(), reason="names the linter by what git says of its source"
)


def row(line: int, verdict: Verdict = "bug", code: str = "LCX101", *, sample: bool = False) -> Row:
    return Row(RELEASE, "a.py", line, code, verdict, cause="why", sample=sample)


def found(line: int, code: str = "LCX101", path: str = "a.py") -> Found:
    return Found(path, line, code, "message")


def test_a_row_is_kept_within_two_lines() -> None:
    (tally,) = compare(RELEASE, [row(10), row(20)], [found(12), found(23)]).by_code.values()
    assert (tally.kept["bug"], tally.gone["bug"], tally.new) == (1, 1, 1)


def test_a_finding_keeps_one_row_only() -> None:
    tally = compare(RELEASE, [row(10), row(11, "wrong")], [found(10)]).tally
    assert (tally.kept["bug"], tally.gone["wrong"]) == (1, 1)


def test_code_and_path_have_to_be_the_same() -> None:
    findings = [found(10, code="LCX201"), found(10, path="b.py")]
    result = compare(RELEASE, [row(10)], findings)
    assert result.tally.gone["bug"] == 1
    assert result.new == findings


def test_tests_and_sampled_codes_give_nothing_new() -> None:
    findings = [found(90), found(1, path="tests/b.py"), found(5, "LCX201")]
    result = compare(RELEASE, [row(10, sample=True)], findings)
    assert result.new == [found(5, "LCX201")]


@pytest.mark.parametrize("path", ["a/tests/b.py", "test_a.py", "a/conftest.py", "a/testing/b.py"])
def test_tests_are_known_by_their_path(path: str) -> None:
    assert is_test(path)
    assert not is_test("a/contest.py")
    assert not is_test("latest/a.py")


def test_lines_of_tests_are_not_counted(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "a.py").write_text("1\n2\n")
    (tmp_path / "tests" / "b.py").write_text("1\n")
    assert count_lines(tmp_path) == 2


def test_the_summary() -> None:
    rows = [row(1), row(11), row(21, "deliberate"), row(31, "wrong"), row(41, "wrong")]
    result = compare(RELEASE, rows, [found(line) for line in (1, 21, 31, 60)], lines=50_000)
    assert summary(result.tally) == (
        "precision 66.7 %  bug share 33.3 %  bugs kept 50.0 % of 2  kept 3  new 1"
        "  wrong per 100,000 lines 2.0"
    )
    assert result.tally.causes == {"why": 1}


def test_the_summary_of_nothing() -> None:
    assert "kept 0" in summary(Tally())


def test_the_table_for_the_docs_says_what_was_measured() -> None:
    result = compare(RELEASE, [row(1), row(9, "wrong", "LCX301")], [found(1)], lines=12_345)
    lines = list(markdown([result], "strict"))
    assert lines[0] == "1 releases, 12,000 lines without tests, profile `strict`: mailer 1.0."
    assert "| LCX101 | 1 | 0 | 0 | 100.0 % |" in lines
    assert not any("LCX301" in line for line in lines)


def test_a_report_is_parsed() -> None:
    report = """[
        {"code": "LCX201", "filename": "b.py", "line": 3, "message": "m", "profile": "strict"},
        {"code": "LCX101", "filename": "./a.py", "line": 9, "message": "n"},
        {"code": "LCX000", "filename": "c.py", "line": 1, "message": "not analysed"}
    ]"""
    assert parse(report) == [
        Found("a.py", 9, "LCX101", "n"),
        Found("b.py", 3, "LCX201", "m", "strict"),
    ]


@needs_git
def test_a_linter_runs_once_for_the_same_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = tmp_path / "mailer"
    release.mkdir()
    (release / "types.py").write_text("async def send(): ...\nasync def all():\n    send()\n")
    monkeypatch.setattr("bench.linted.STORE", tmp_path / "store")
    monkeypatch.setattr("bench.linted.unpacked", lambda package, version: release)
    with of_tree(PROJECT) as linter:
        (first,) = linter.found(RELEASE)
        assert (first.path, first.line, first.code) == ("types.py", 3, "LCX101")
        (release / "types.py").write_text("")
        assert linter.found(RELEASE) == [first]
        assert linter.found(RELEASE, again=True) == []


def test_what_cannot_be_done_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def run(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["precision", *arguments])
        with pytest.raises(SystemExit) as left:
            precision.main()
        return f"{left.value}\n{capsys.readouterr().err}"

    assert "invalid choice: 'gentle'" in run("--profile", "gentle")
    assert "nothing is known of gentle" in run("--only", "gentle")
    assert "has no logctx_lint to run" in run("--tree", str(tmp_path))


@needs_git
def test_one_run_answers_for_both_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.py").write_text("async def f(): ...\nasync def g():\n    f()\n")
    monkeypatch.setattr("bench.linted.STORE", tmp_path / "store")
    monkeypatch.setattr("bench.linted.unpacked", lambda package, version: tmp_path)
    with of_tree(PROJECT, "strict") as strict, of_tree(PROJECT, "recommended") as recommended:
        assert [each.profile for each in strict.found(RELEASE)] == ["recommended"]
        (tmp_path / "a.py").write_text("")
        assert recommended.found(RELEASE) == strict.found(RELEASE) != []
        assert recommended.found(RELEASE, again=True) == []
