"""Formats for other programs: each is read by its consumer, or held against what that accepts."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import junitparser
import pytest
from sarif_pydantic import Sarif

from logctx_lint.config.codes import CODES, url
from logctx_lint.findings import Applicability, Edit, Finding, Fix, Related, Span
from logctx_lint.fixes.apply import apply, as_one_edit
from logctx_lint.reporting.fingerprints import fingerprints
from logctx_lint.reporting.formats import FORMATS, writer
from logctx_lint.reporting.report import Report
from logctx_lint.syntax.source import Source
from tests.support import schemas
from tests.support.fakes import FakeEngine

_ROOT = Path("/project")
_FINDINGS = "if 1:\n    drop()\n    swallow()\n    drop()\n"


def report(text: str, path: str = "/project/a b/ü.py") -> Report:
    source = Source(Path(path), text)
    found = FakeEngine().check(source, CODES)
    return Report(found, {source.path: source}, files=1, root=_ROOT)


def written(name: str, shown: Report) -> str:
    out = io.StringIO()
    writer(name)(shown, out)
    return out.getvalue()


def valid(name: str, schema: schemas.Schema, shown: Report) -> Any:
    """The document that a format writes, after the schema was held against it."""
    document = json.loads(written(name, shown))
    jsonschema.Draft202012Validator(schema).validate(document)
    return document


def finding(span: Span, *fixes: Fix, message: str = "bad") -> Finding:
    return Finding("LCX101", message, _ROOT / "x.py", span, fixes=fixes)


def one(found: Finding, text: str) -> Report:
    return Report([found], {found.path: Source(found.path, text)}, root=_ROOT)


def unsafe(*edits: Edit) -> Fix:
    return Fix("cure", Applicability.UNSAFE, edits)


# What is the same for all


@pytest.mark.parametrize(
    ("name", "schema"),
    [("sarif", schemas.SARIF), ("gitlab", schemas.GITLAB), ("rdjson", schemas.RDJSON)],
)
@pytest.mark.parametrize("text", [_FINDINGS, "fine()\n"])
def test_a_document_is_what_its_consumer_accepts(
    name: str, schema: schemas.Schema, text: str
) -> None:
    valid(name, schema, report(text))


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_could_not_be_read_is_reported_in_every_format(name: str) -> None:
    found = Finding("LCX000", "cannot be read", Path("x.py"), Span(1, 0, 1, 0))
    assert "cannot be read" in written(name, Report([found], root=_ROOT))


@pytest.mark.parametrize("name", FORMATS)
def test_text_that_is_not_unicode_ends_no_run(name: str) -> None:
    found = finding(Span(1, 0, 1, 3), message="lone \udc80 and \x00")
    assert written(name, one(found, "'\ud800'\n"))


# For people


def test_concise_is_one_line_for_each_finding() -> None:
    assert written("concise", report("drop()\n", "x.py")) == "x.py:1:1: LCX101 `drop()` is bad\n"


def test_statistics_count_the_findings_of_each_rule_worst_first() -> None:
    shown = report(_FINDINGS)
    counted = Report(shown.findings, brief=True, statistics=True)
    assert written("text", counted).splitlines() == [
        "    2  LCX101  unawaited-awaitable",
        "    1  LCX301  swallowed-cancellation",
    ]


def test_colour_changes_nothing_else() -> None:
    shown = report(_FINDINGS)
    coloured = written("text", shown.coloured(True))
    plain = coloured
    for style in ("0", "1", "1;31", "36"):
        plain = plain.replace(f"\x1b[{style}m", "")
    assert plain == written("text", shown) != coloured


# JSON lines


def test_jsonl_is_the_same_objects_as_json_one_on_each_line() -> None:
    lines = written("jsonl", report(_FINDINGS)).splitlines()
    assert [json.loads(line) for line in lines] == json.loads(written("json", report(_FINDINGS)))


# SARIF


def test_sarif_places_findings_below_the_root() -> None:
    [run] = valid("sarif", schemas.SARIF, report(_FINDINGS))["runs"]
    assert run["originalUriBaseIds"] == {"%SRCROOT%": {"uri": "file:///project/"}}
    [place] = run["results"][1]["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "a%20b/%C3%BC.py", "uriBaseId": "%SRCROOT%"},
        "region": {
            "startLine": 3,
            "startColumn": 5,
            "endLine": 3,
            "endColumn": 14,
            "snippet": {"text": "swallow()"},
        },
    }


def test_sarif_is_read_by_a_model_of_the_whole_standard() -> None:
    log = Sarif.model_validate_json(written("sarif", report(_FINDINGS)))
    assert [result.rule_id for result in log.runs[0].results or ()] == [
        "LCX101",
        "LCX301",
        "LCX101",
    ]


def test_sarif_places_findings_elsewhere_by_their_full_path() -> None:
    [run] = valid("sarif", schemas.SARIF, report("drop()\n", "/else/x.py"))["runs"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "file:///else/x.py"}


def test_sarif_says_where_the_function_is_defined() -> None:
    span, place = Span(1, 0, 1, 6), Related(_ROOT / "b.py", 7, "`drop()` is defined here")
    found = replace(finding(span), related=(place,))
    [run] = valid("sarif", schemas.SARIF, one(found, "drop()\n"))["runs"]
    assert run["results"][0]["relatedLocations"] == [
        {
            "id": 0,
            "message": {"text": "`drop()` is defined here"},
            "physicalLocation": {
                "artifactLocation": {"uri": "b.py", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 7},
            },
        }
    ]


def test_sarif_describes_each_rule_once_and_points_to_it() -> None:
    [run] = valid("sarif", schemas.SARIF, report(_FINDINGS))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["LCX101", "LCX301"]
    assert rules[0]["helpUri"] == url("LCX101")
    assert [rules[each["ruleIndex"]]["id"] for each in run["results"]] == [
        each["ruleId"] for each in run["results"]
    ]


def test_sarif_carries_every_fix() -> None:
    [run] = valid("sarif", schemas.SARIF, report("drop()\n"))["runs"]
    first, second = run["results"][0]["fixes"]
    assert first["description"]["text"] == "write `await drop()` (unsafe)"
    assert second["artifactChanges"][0]["replacements"] == [
        {
            "deletedRegion": {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 7},
            "insertedContent": {"text": "start(drop)"},
        }
    ]


# GitHub


def test_github_gets_a_workflow_command() -> None:
    assert written("github", report("drop()\n", "a/x.py")) == (
        "::error title=LCX101,file=a/x.py,line=1,endLine=1,col=1,endColumn=7::"
        "a/x.py:1:1: LCX101 `drop()` is bad\n"
    )


def test_github_gets_no_end_column_on_another_line() -> None:
    command = written("github", one(finding(Span(1, 0, 2, 1)), "x(\n)\n"))
    assert "endLine=2,col=1::" in command


def test_what_a_workflow_command_may_not_hold_is_escaped() -> None:
    found = Finding("LCX101", "50%\r\nbad, so: there", Path("a,b:c%.py"), Span(1, 0, 1, 1))
    command = written("github", Report([found]))
    assert "file=a%2Cb%3Ac%25.py," in command
    assert command.endswith("::a,b:c%25.py:1:1: LCX101 50%25%0D%0Abad, so: there\n")


# GitLab


def test_gitlab_gets_places_relative_to_the_root() -> None:
    issues = valid("gitlab", schemas.GITLAB, report(_FINDINGS))
    assert [each["location"] for each in issues] == [
        {"path": "a b/ü.py", "lines": {"begin": line, "end": line}} for line in (2, 3, 4)
    ]
    assert len({each["fingerprint"] for each in issues}) == 3


def named(text: str, findings: Sequence[Finding] | None = None) -> list[str]:
    source = Source(_ROOT / "x.py", text)
    found = FakeEngine().check(source, CODES) if findings is None else findings
    return fingerprints(found, {source.path: source}, _ROOT)


def test_a_fingerprint_does_not_change_when_lines_move() -> None:
    assert named("drop()\n") == named("\n\nif 1:\n    drop()\n")


def test_a_fingerprint_does_not_change_with_the_layout_of_the_code() -> None:
    spread = [finding(Span(1, 0, 3, 1))]
    assert named("f(\n    1\n)\n", spread) == named("f(1)\n", [finding(Span(1, 0, 1, 4))])


def test_findings_that_are_alike_have_fingerprints_of_their_own() -> None:
    first, second = named("drop()\ndrop()\n")
    assert first != second
    assert named("drop()\n") == [first]


# JUnit


def test_junit_has_one_failed_case_for_each_finding() -> None:
    suites = junitparser.JUnitXml.fromstring(written("junit", report(_FINDINGS)).encode())
    [suite] = suites
    assert (suite.tests, suite.failures) == (3, 3)
    assert [type(case.result[0]) for case in suite] == [junitparser.Failure] * 3
    first = next(iter(suite))
    assert first.name == "LCX101 at /project/a b/ü.py:2:5"
    assert first.result[0].message == "`drop()` is bad"


def test_junit_of_a_clean_run_is_one_case_that_passed() -> None:
    [suite] = junitparser.JUnitXml.fromstring(written("junit", report("fine()\n")).encode())
    assert (suite.tests, suite.failures) == (1, 0)


def test_junit_leaves_out_what_xml_cannot_hold() -> None:
    found = finding(Span(1, 0, 1, 1), message="<\x00&\ud800>")
    document = written("junit", one(found, "x\n")).encode()
    [suite] = junitparser.JUnitXml.fromstring(document)
    assert next(iter(suite)).result[0].message == "<\ufffd&\ufffd>"


# reviewdog


def test_rdjson_counts_columns_in_bytes_and_offers_every_fix() -> None:
    first = unsafe(Edit(Span(1, 4, 1, 7), "b()"))
    second = unsafe(Edit(Span(1, 4, 1, 7), "c()"))
    shown = one(finding(Span(1, 4, 1, 7), first, second), "'ä';a()\n")
    [diagnostic] = valid("rdjson", schemas.RDJSON, shown)["diagnostics"]
    place = {"start": {"line": 1, "column": 6}, "end": {"line": 1, "column": 9}}
    assert diagnostic["location"] == {"path": "x.py", "range": place}
    assert diagnostic["suggestions"] == [
        {"range": place, "text": "b()"},
        {"range": place, "text": "c()"},
    ]


def test_rdjson_joins_the_edits_of_a_fix() -> None:
    fix = unsafe(Edit(Span(1, 0, 1, 0), "await "), Edit(Span(2, 2, 2, 3), "z"))
    shown = one(finding(Span(1, 0, 2, 4), fix), "f(x,\n  y)\n")
    [diagnostic] = valid("rdjson", schemas.RDJSON, shown)["diagnostics"]
    [suggestion] = diagnostic["suggestions"]
    assert suggestion == {
        "range": {"start": {"line": 1, "column": 1}, "end": {"line": 2, "column": 4}},
        "text": "await f(x,\n  z",
    }


def test_rdjson_offers_no_fix_after_which_the_file_does_not_parse() -> None:
    broken = unsafe(Edit(Span(1, 0, 1, 0), "("))
    shown = one(finding(Span(1, 0, 1, 3), broken), "f()\n")
    [diagnostic] = valid("rdjson", schemas.RDJSON, shown)["diagnostics"]
    assert diagnostic["suggestions"] == []


def test_rdjson_offers_no_fix_that_reaches_over_half_a_file() -> None:
    text = "x\n" * 100
    far = unsafe(Edit(Span(1, 0, 1, 0), "import y\n"), Edit(Span(90, 0, 90, 1), "y"))
    [diagnostic] = valid("rdjson", schemas.RDJSON, one(finding(Span(90, 0, 90, 1), far), text))[
        "diagnostics"
    ]
    assert diagnostic["suggestions"] == []


@pytest.mark.parametrize("text", ["a()\nb()\nc()\n", "a()\r\nb()\r\nc()", "é()\n\n\nb()\n"])
def test_one_edit_does_what_the_edits_of_a_fix_do(text: str) -> None:
    source = Source(Path("x.py"), text)
    fix = unsafe(Edit(Span(1, 0, 1, 0), "w\n"), Edit(Span(3, 0, 3, 0), "v = "))
    if text.startswith("é"):
        fix = unsafe(Edit(Span(1, 1, 1, 1), "x"), Edit(Span(5, 0, 5, 0), "y = 1\n"))
    whole = as_one_edit(source, fix)
    assert whole is not None
    assert apply(text, [unsafe(whole)])[0] == apply(text, [fix])[0] != text
