"""Output formats."""

from __future__ import annotations

import io
import json
from pathlib import Path

from logctx_lint.config.codes import CODES
from logctx_lint.findings import Finding, Span
from logctx_lint.reporting.formats import writer
from logctx_lint.reporting.report import Report
from logctx_lint.syntax.source import Source
from tests.support.fakes import FakeEngine


def written(name: str, text: str, *, brief: bool = False) -> str:
    path = Path("a/x.py")
    source = Source(path, text)
    found = FakeEngine().check(source, CODES)
    out = io.StringIO()
    writer(name)(Report(found, {path: source}, files=1, brief=brief), out)
    return out.getvalue()


def test_text_shows_place_line_and_fixes() -> None:
    expected = """\
a/x.py:2:5: LCX101 `drop()` is bad
  |
2 |     drop()  # here
  |     ^^^^^^
  = fix: write `await drop()` (--fix --unsafe-fixes)
  = fix: start it

a/x.py:3:5: LCX301 `swallow()` is bad
  |
3 |     swallow()
  |     ^^^^^^^^^
  = fix: write `kept()` (--fix)

1 file checked, 2 findings, 1 fixable with --fix, 1 fixable with --fix --unsafe-fixes
`logctx-lint explain LCX101` says why, and shows how it is done right
"""
    assert written("text", "if 1:\n    drop()  # here\n    swallow()\n") == expected


def test_of_several_rules_the_one_without_a_fix_is_to_be_explained() -> None:
    finding = Finding("LCX303", "bad", Path("a/x.py"), Span(2, 0, 2, 1))
    findings = [*FakeEngine().check(Source(Path("a/x.py"), "drop()\n"), CODES), finding]
    for report, ends in (
        (Report(findings, {}, files=1), True),
        (Report(findings, {}, files=1, statistics=True), False),
    ):
        out = io.StringIO()
        writer("text")(report, out)
        last = "`logctx-lint explain LCX303` says why, and shows how it is done right\n"
        assert out.getvalue().endswith(last) is ends


def test_there_is_no_rule_to_explain_for_a_file_that_cannot_be_parsed() -> None:
    finding = Finding("LCX000", "cannot be parsed", Path("a/x.py"), Span(1, 0, 1, 1))
    out = io.StringIO()
    writer("text")(Report([finding], {}, files=1), out)
    assert out.getvalue().endswith("1 file checked, 1 finding\n")


def test_brief_text_is_one_line_for_each_finding() -> None:
    expected = "a/x.py:1:1: LCX101 `drop()` is bad\n"
    assert written("text", "drop()\n", brief=True) == expected


def test_text_of_a_clean_run_is_the_summary() -> None:
    assert written("text", "x\n") == "1 file checked, 0 findings\n"


def test_the_caret_stands_below_what_it_marks_behind_tabs_and_wide_characters() -> None:
    source = Source(Path("x.py"), "\t'日本é' + drop()\r\n")
    finding = Finding("LCX101", "bad", source.path, Span(1, 9, 1, 15))
    out = io.StringIO()
    writer("text")(Report([finding], {source.path: source}), out)
    assert out.getvalue().splitlines()[2:4] == [
        "1 | \t'日本é' + drop()",
        "  | \t          ^^^^^^",
    ]


def test_of_a_finding_over_several_lines_the_first_is_marked_to_its_end() -> None:
    source = Source(Path("x.py"), "x(\n  1\n)\n")
    finding = Finding("LCX101", "bad", source.path, Span(1, 0, 3, 1))
    out = io.StringIO()
    writer("text")(Report([finding], {source.path: source}), out)
    assert "  | ^^\n" in out.getvalue()


def test_text_prints_no_control_characters_of_the_source() -> None:
    source = Source(Path("x.py"), "x = '\x1b[2J\x0c'\n")
    finding = Finding("LCX101", "bad", source.path, Span(1, 0, 1, 1))
    out = io.StringIO()
    writer("text")(Report([finding], {source.path: source}), out)
    assert "x = ' [2J '" in out.getvalue()


def test_text_of_a_finding_without_its_source_has_no_excerpt() -> None:
    finding = Finding("LCX000", "cannot be read", Path("x.py"), Span(1, 0, 1, 0))
    out = io.StringIO()
    writer("text")(Report([finding]), out)
    assert out.getvalue().splitlines()[:2] == ["x.py:1:1: LCX000 cannot be read", ""]


def test_json_has_the_documented_shape() -> None:
    place = {"line": 2, "column": 5, "end_line": 2, "end_column": 14}
    assert json.loads(written("json", "if 1:\n    swallow()\n")) == [
        {
            "code": "LCX301",
            "name": "swallowed-cancellation",
            "message": "`swallow()` is bad",
            "filename": "a/x.py",
            **place,
            "function": "f",
            "profile": "recommended",
            "url": "https://logctx-lint.readthedocs.io/en/latest/rules.html#lcx301",
            "fixes": [
                {
                    "title": "write `kept()`",
                    "applicability": "safe",
                    "edits": [{**place, "text": "kept()"}],
                }
            ],
        }
    ]


def test_json_of_a_clean_run_is_an_empty_list() -> None:
    assert json.loads(written("json", "x\n")) == []
