"""Which of the cancellation rules' fixes may be applied without a person reading them."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.findings import Applicability, Finding
from logctx_lint.fixes import apply
from logctx_lint.syntax.source import Source
from tests.support.harness import FIXTURES, findings, rule_folder


@pytest.mark.parametrize(
    ("name", "applicability"),
    [
        ("lcx301/fix_import.py", Applicability.SAFE),
        ("lcx301/fix_both.py", Applicability.SAFE),
        ("lcx302/fix_known.py", Applicability.SAFE),
        ("lcx302/fix_new.py", Applicability.UNSAFE),
        ("lcx303/fix_deferred.py", Applicability.UNSAFE),
        ("lcx303/fix_asyncio.py", Applicability.UNSAFE),
    ],
)
def test_a_fix_is_as_safe_as_documented(name: str, applicability: Applicability) -> None:
    path = FIXTURES / name
    code = rule_folder(path).name.upper()
    found = findings(Source.read(path), rule_folder(path))
    offered = [each.fixes for each in found if each.code == code]
    assert offered
    assert all([fix.applicability for fix in each] == [applicability] for each in offered)


def test_a_new_dependency_is_not_brought_in_by_safe_fixes() -> None:
    source = Source.read(FIXTURES / "lcx302" / "fix_new.py")

    def check(text: Source) -> list[Finding]:
        return findings(text, FIXTURES / "lcx302")

    assert apply.fix(source, check).applied == ()


@pytest.mark.parametrize(
    "name", ["fix_collision.py", "fix_hidden.py", "fix_by_name.py"], ids=str.lower
)
def test_no_fix_is_offered_where_it_would_be_a_guess(name: str) -> None:
    path: Path = FIXTURES / "lcx301" / name
    found = findings(Source.read(path), rule_folder(path))
    assert found
    assert all(not each.fixes for each in found)
