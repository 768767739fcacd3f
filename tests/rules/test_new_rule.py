"""The scaffold of a new rule: what it writes passes the rule tests as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from logctx_lint.rules.new import main

_REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What of a checkout the scaffold needs, and the tests of one rule."""
    for name in ("logctx_lint", "tests/rules", "tests/support"):
        shutil.copytree(_REPOSITORY / name, tmp_path / name)
    shutil.copy(_REPOSITORY / "tests" / "__init__.py", tmp_path / "tests")
    return tmp_path


@pytest.mark.slow
def test_a_scaffolded_rule_passes_the_tests_of_a_rule(checkout: Path) -> None:
    new = ["LCX399", "new-mistake", "--family", "cancellation", "--repository", str(checkout)]
    assert main(new) == 0
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/rules/test_fixtures.py",
    ]
    done = subprocess.run(
        [*tests, "-k", "lcx399 or LCX399"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["LCX9", "new-mistake"], "LCX and three digits"),
        (["LCX399", "New"], "lower case words with dashes"),
        (["LCX301", "new-mistake"], "is taken"),
        (["LCX399", "swallowed-cancellation"], "is taken"),
    ],
)
def test_what_cannot_be_a_rule_is_refused(
    arguments: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--family", "cancellation", "--repository", str(tmp_path)]) == 2
    assert reason in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
