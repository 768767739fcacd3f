"""Rules against the files in `fixtures/`.

A comment `# LCX101: 5` at the end of a line promises a finding there, with its column from 1;
several are separated by a comma, and one may name its profile: `# LCX101: 5 strict`.
Every other line must be silent, for all rules that are on (an
opt-in rule is on in its own folder). A first line `# settings: framework=asyncio,
storage=contextvar` sets settings. What fixing NAME.py gives, if that is to be tested, is in
NAME.fixed.py, and what its safe fixes alone give in NAME.safe.py. Each folder `lcxNNN` is a
project of its own. In `seeds/` are the programs of the documents that the rules come from: one
folder for each document, one file for each section.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from dataclasses import replace
from pathlib import Path

import pytest

from logctx_lint import rules
from logctx_lint.config.codes import RULE_CODES
from logctx_lint.findings import Finding, Profile
from logctx_lint.fixes import apply
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.source import Source
from tests.support.harness import (
    FIXTURES,
    Mark,
    expected,
    findings,
    fixture_files,
    golden_files,
    rule_folder,
)


def name(path: Path) -> str:
    return path.relative_to(FIXTURES).as_posix()


@pytest.mark.parametrize("path", fixture_files(), ids=name)
def test_a_fixture_has_the_findings_that_it_promises_and_no_others(path: Path) -> None:
    source = Source.read(path)
    found = findings(source, rule_folder(path))
    messages = "\n".join(f"{each.span.line}: {each.code} {each.message}" for each in found)
    marks = expected(source)
    places = sorted(Mark(each.span.line, each.span.column + 1, each.code) for each in found)
    assert places == [replace(mark, profile="") for mark in marks], messages
    for mark, each in zip(marks, sorted(found, key=_place), strict=True):
        assert mark == mark.of(each), each


def _place(finding: Finding) -> tuple[int, int, str]:
    return finding.span.line, finding.span.column, finding.code


@pytest.mark.parametrize("path", sorted((FIXTURES / "seeds").rglob("*.py")), ids=name)
def test_mistakes_of_the_seeds_are_reported_in_the_default_profile(path: Path) -> None:
    source = Source.read(path)
    for each in findings(source, rule_folder(path)):
        assert each.profile is Profile.RECOMMENDED, f"{each.span.line}: {each.code}"


@pytest.mark.parametrize("path", golden_files(), ids=name)
def test_fixing_a_fixture_gives_its_golden_file(path: Path) -> None:
    name, kind, _ = path.name.rsplit(".", 2)
    source, unsafe = Source.read(path.with_name(f"{name}.py")), kind == "fixed"

    def check(text: Source) -> list[Finding]:
        return findings(text, rule_folder(path))

    fixed = apply.fix(source, check, unsafe=unsafe)
    assert fixed.source.text == Source.read(path).text
    ast.parse(fixed.source.text)
    assert apply.fix(fixed.source, check, unsafe=unsafe).applied == ()


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.code)
def test_every_rule_has_fixtures_that_it_flags(rule: Rule) -> None:
    folder = FIXTURES / rule.code.lower()
    promised = [
        mark.code
        for path in fixture_files()
        if path.is_relative_to(folder)
        for mark in expected(Source.read(path))
    ]
    assert rule.code in promised


def test_the_list_of_rules_is_the_rules_in_the_folder() -> None:
    in_folder = {}
    for module in pkgutil.walk_packages(rules.__path__, f"{rules.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Rule):
                in_folder[value.code] = value
    listed = {rule.code: rule for rule in rules.RULES}
    assert listed == in_folder
    assert [rule.code for rule in rules.RULES] == sorted(listed)
    assert [rule.code for rule in rules.RULES] == [each.code for each in RULE_CODES]
