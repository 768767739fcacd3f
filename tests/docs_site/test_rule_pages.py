"""The rules' pages of the documentation site, and the address that everything names."""

from __future__ import annotations

import re
from pathlib import Path

import project_urls
import pytest
import rule_pages

from logctx_lint.config.codes import CODES

_DOCS = Path(__file__).parents[2] / "docs"
_CI = _DOCS.parent / ".ci" / "run"
_RULES = rule_pages.read(_DOCS / "rules.md")
_REFERENCES = rule_pages.read_references(_DOCS / "site" / "references.toml", _RULES)


def test_every_code_has_a_page_and_a_place_in_the_navigation() -> None:
    assert [rule.code for rule in _RULES] == list(CODES)
    shown = str(rule_pages.navigation(_RULES))
    assert all(rule.path in shown for rule in _RULES)


def test_every_rule_says_when_not_to_use_it() -> None:
    without = [
        rule.code
        for rule in _RULES
        if not rule.code.startswith("LCX0")
        and rule.code not in _REFERENCES
        and "When not to use it" not in rule_pages.page(rule, None)
    ]
    assert without == [], "say it in the rule's docstring, or in docs/site/references.toml"
    assert all(references.when_not for references in _REFERENCES.values())


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule.code)
def test_links_lead_to_what_there_is(rule: rule_pages.Rule) -> None:
    text = rule_pages.page(rule, _REFERENCES.get(rule.code))
    links = re.findall(r"\]\(((?!https://)[^)#]+)", text)
    names = [link for link in links if not link.startswith("LCX")]
    assert all((_DOCS / "rules" / name).resolve().exists() for name in names)
    assert {link for link in links if link.startswith("LCX")} <= {f"{code}.md" for code in CODES}


def test_an_entry_for_a_rule_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "references.toml"
    path.write_text('[tools]\n[LCX999]\nwhen-not = "Never."\n', encoding="utf-8")
    with pytest.raises(rule_pages.DocumentationError, match="LCX999"):
        rule_pages.read_references(path, _RULES)


def test_one_place_names_the_repository() -> None:
    assert [path.name for path in project_urls.changed()] == []


def test_links_out_of_the_folder_lead_to_the_repository() -> None:
    led = project_urls.led_to_repository("[a](../examples/x.py), [b](ci.md), [c](https://c.org)")
    there = f"{project_urls.repository()}/blob/main/examples/x.py"
    assert led == f"[a]({there}), [b](ci.md), [c](https://c.org)"


def test_continuous_integration_builds_strictly() -> None:
    """`--quiet` hides warnings from `--strict`."""
    [line] = [each for each in _CI.read_text().splitlines() if " mkdocs build " in each]
    assert "--strict" in line
    assert "--quiet" not in line
