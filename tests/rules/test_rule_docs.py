"""Rules' documentation: examples that are true, a page that is up to date, a terminal's view."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from logctx_lint.config.codes import CODES
from logctx_lint.frontends.cli import main
from logctx_lint.rules import RULES
from logctx_lint.rules.docs import in_terminal, markdown, page, parse
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.source import Source
from tests.support.harness import findings

_REPOSITORY = Path(__file__).parents[2]
_RUNTIME_PAGE = _REPOSITORY / "docs" / "runtime.md"


def examples(heading: str) -> list[object]:
    return [
        pytest.param(rule, example, id=f"{rule.code}-{number}")
        for rule in RULES
        for number, example in enumerate(page(rule.code).examples(heading), 1)
    ]


def codes_found(rule: Rule, text: str, folder: Path) -> list[str]:
    found = findings(Source(folder / "example.py", text), folder, enabled=rule.code)
    return [each.code for each in found]


@pytest.mark.parametrize(("rule", "example"), examples("Bad"))
def test_a_bad_example_is_flagged(rule: Rule, example: str, tmp_path: Path) -> None:
    assert rule.code in codes_found(rule, example, tmp_path)


@pytest.mark.parametrize(("rule", "example"), examples("Good"))
def test_a_good_example_is_not_flagged(rule: Rule, example: str, tmp_path: Path) -> None:
    found = codes_found(rule, example, tmp_path)
    assert rule.code not in found
    assert "LCX000" not in found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_shows_a_bad_and_a_good_example(rule: Rule) -> None:
    assert page(rule.code).examples("Bad")
    assert page(rule.code).examples("Good")


def test_the_committed_page_is_up_to_date() -> None:
    assert (_REPOSITORY / "docs" / "rules.md").read_text(encoding="utf-8") == markdown()


@pytest.mark.parametrize("code", CODES)
def test_the_page_has_an_anchor_for_every_code(code: str) -> None:
    assert f'<a id="{code.lower()}"></a>' in markdown()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_links_to_where_the_runtime_cures_it_if_it_does(rule: Rule) -> None:
    section = markdown().split(f"## {rule.code} ")[1].split("## LCX")[0]
    anchors = re.findall(r"\]\(runtime\.md#([\w-]+)\)", section)
    headings = re.findall(r"^#+ (.+)$", _RUNTIME_PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(anchors) <= {heading.lower().replace(" ", "-") for heading in headings}


def test_a_docstring_is_read_into_sections() -> None:
    shown = parse(
        "LCX101",
        "Sum\nmary.\n\n## Why\n\nBecause.\n\n## Bad\n\n```python\nf()\n```\n\nOr:\n\n"
        "```python\ng()\n```\n\n## Good\n\n```python\nawait f()\n```\n\n## Fix\n\nNone.\n",
    )
    assert (shown.code, shown.name, shown.summary) == ("LCX101", CODES["LCX101"], "Sum\nmary.")
    assert list(shown.sections) == ["Why", "Bad", "Good", "Fix"]
    assert shown.examples("Bad") == ["f()\n", "g()\n"]


@pytest.mark.parametrize(
    "docstring",
    ["", "Summary.\n\n## Why\n\nSo.", "## Why\n\nSo.\n## Bad\n\nx\n## Good\n\nx\n## Fix\n\nx"],
)
def test_a_docstring_with_something_missing_is_an_error(docstring: str) -> None:
    with pytest.raises(ValueError, match="LCX101"):
        parse("LCX101", docstring)


def test_a_docstring_with_an_unknown_section_is_an_error() -> None:
    sections = "\n\n".join(f"## {each}\n\nx" for each in ("Why", "Bad", "Good", "Fix", "Wy"))
    with pytest.raises(ValueError, match="Wy"):
        parse("LCX101", f"Summary.\n\n{sections}")


def test_in_a_terminal_code_is_indented_and_fences_are_gone() -> None:
    shown = in_terminal(page("LCX101"))
    assert shown.startswith("LCX101 unawaited-awaitable\n==========================\n")
    assert "```" not in shown
    assert "\nBAD\n" in shown


@pytest.mark.parametrize("word", ["LCX301", "lcx301", "swallowed-cancellation"])
def test_explain_takes_a_code_or_a_name(capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert main(["explain", word]) == 0
    assert capsys.readouterr().out == in_terminal(page("LCX301"))


def test_explain_knows_the_code_that_is_no_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "LCX000"]) == 0
    assert "WHY" in capsys.readouterr().out


def test_rules_lists_every_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [[code, CODES[code]] for code in CODES]


def test_rules_as_json_has_the_documentation_of_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "--output-format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["code"] for row in rows] == list(CODES)
    assert {"name", "on", "fixes", "summary", "url"} <= rows[1].keys()
