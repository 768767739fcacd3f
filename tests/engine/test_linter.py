"""Selection, suppression and failures around the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.config.codes import CODES
from logctx_lint.config.settings import Settings
from logctx_lint.engine.linter import Linter
from logctx_lint.fixes.apply import fix
from logctx_lint.syntax.source import Source
from tests.support.fakes import FakeEngine


def found(text: str, settings: Settings | None = None, path: str = "x.py") -> list[str]:
    """`CODE:line` of what is reported."""
    linter = Linter(FakeEngine(), settings or Settings(), CODES)
    return [f"{each.code}:{each.span.line}" for each in linter.check(Source(Path(path), text))]


def test_everything_is_reported_by_default() -> None:
    assert found("drop()\nswallow()\n") == ["LCX101:1", "LCX301:2"]


def test_select_takes_prefixes() -> None:
    assert found("drop()\nswallow()\n", Settings(select=("LCX3",))) == ["LCX301:2"]


def test_ignore_takes_prefixes() -> None:
    assert found("drop()\nswallow()\n", Settings(ignore=("LCX3",))) == ["LCX101:1"]


def test_between_select_and_ignore_the_longer_prefix_wins() -> None:
    both = "drop()\nswallow()\n"
    assert found(both, Settings(select=("LCX",), ignore=("LCX3",))) == ["LCX101:1"]
    assert found(both, Settings(select=("LCX301",), ignore=("LCX",))) == ["LCX301:2"]


def test_a_rule_that_is_not_on_is_not_asked_for() -> None:
    linter = Linter(FakeEngine(), Settings(), {"LCX301"})
    assert [each.code for each in linter.check(Source(Path("x.py"), "drop()\n"))] == []


def test_per_file_ignores_are_relative_to_the_root(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, per_file_ignores={"tests/*": ("LCX1",)})
    text = "drop()\nswallow()\n"
    assert found(text, settings, str(tmp_path / "tests" / "x.py")) == ["LCX301:2"]
    assert found(text, settings, str(tmp_path / "x.py")) == ["LCX101:1", "LCX301:2"]


def test_a_per_file_ignore_may_name_a_file_alone(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, per_file_ignores={"conftest.py": ("LCX",)})
    assert found("drop()\n", settings, str(tmp_path / "deep" / "conftest.py")) == []


@pytest.mark.parametrize(
    "comment", ["# noqa", "# NOQA", "# noqa: LCX101  why", "# noqa:E501,LCX1", "# x # noqa"]
)
def test_a_noqa_comment_suppresses(comment: str) -> None:
    assert found(f"drop()  {comment}\n") == []


@pytest.mark.parametrize("comment", ["# noqa: LCX301", "# noqa: E501", "# no qa", "#noqa"])
def test_another_comment_does_not_suppress(comment: str) -> None:
    settings = Settings(ignore=("LCX001",))
    assert found(f"drop()  {comment}\n", settings) == ["LCX101:1"]


def test_a_noqa_comment_counts_for_its_line_only() -> None:
    assert found("drop()  # noqa\ndrop()\n") == ["LCX101:2"]


def test_a_noqa_comment_counts_for_all_lines_of_a_string() -> None:
    assert found('drop() + """\n"""  # noqa: LCX101\ndrop()\n') == ["LCX101:3"]


def test_a_noqa_comment_counts_for_lines_joined_by_a_backslash() -> None:
    assert found("drop() + \\\r\n  1  # noqa\r\n") == []


def test_a_flake8_noqa_line_suppresses_the_file() -> None:
    assert found("# flake8: noqa\ndrop()\n") == []


def test_a_flake8_noqa_behind_code_does_not_suppress_the_file() -> None:
    assert found("x = 1  # flake8: noqa\ndrop()\n") == ["LCX101:2"]


def test_noqa_counts_in_a_file_that_cannot_be_tokenized() -> None:
    assert found("drop()  # noqa\ndrop()\nx = '''\n") == ["LCX101:2"]


def test_an_exception_in_the_engine_becomes_one_line() -> None:
    linter = Linter(FakeEngine(), Settings(), CODES)
    [finding] = linter.check(Source(Path("x.py"), "boom()\n"))
    assert finding.code == "LCX000"
    assert finding.message.endswith("RecursionError: too deep")


def test_a_file_that_cannot_be_analysed_is_reported_whatever_is_selected() -> None:
    assert found("boom()\n", Settings(select=("LCX301",))) == ["LCX000:1"]


def test_a_file_that_cannot_be_analysed_can_be_ignored() -> None:
    assert found("boom()\n", Settings(ignore=("LCX000",))) == []


def test_a_file_that_cannot_be_read_is_reported_like_others(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, per_file_ignores={"old/*": ("LCX000",)})
    linter = Linter(FakeEngine(), settings, CODES)
    [finding] = linter.unreadable(tmp_path / "x.py", "cannot be decoded", 3)
    assert (finding.code, finding.span.line) == ("LCX000", 3)
    assert linter.unreadable(tmp_path / "old" / "x.py", "cannot be decoded") == []


# Comments that silence nothing: LCX001


def unused(text: str, settings: Settings | None = None) -> str:
    """The text after its unused comments were removed."""
    linter = Linter(FakeEngine(), settings or Settings(select=("LCX",)), CODES)
    fixed = fix(Source(Path("x.py"), text), linter.check)
    assert [each.code for each in fixed.findings if each.code == "LCX001"] == []
    return fixed.source.text


@pytest.mark.parametrize(
    ("text", "cured"),
    [
        ("x = 1  # noqa: LCX101\n", "x = 1\n"),
        ("x = 1  # noqa: LCX101, LCX301\r\n", "x = 1\r\n"),
        ("x = 1  # noqa:LCX3  because\n", "x = 1  # because\n"),
        ("x = 1  # noqa: LCX101  # type: ignore\n", "x = 1  # type: ignore\n"),
        ("x = 1  # why # noqa: LCX101\n", "x = 1  # why\n"),
        ("x = 1  # noqa: E501,LCX101\n", "x = 1  # noqa: E501\n"),
        ("x = 1  # noqa: LCX101,E501 so\n", "x = 1  # noqa: E501 so\n"),
        ("drop()  # noqa: LCX101, LCX301\n", "drop()  # noqa: LCX101\n"),
        ("x = 1\n# noqa: LCX101\ny = 2\n", "x = 1\ny = 2\n"),
        ("x = 1\n# noqa: LCX101", "x = 1\n"),
        ("x = 1  # noqa: LCX999\n", "x = 1\n"),
        ("x = '''\n'''  # noqa: LCX101\n", "x = '''\n'''\n"),
    ],
)
def test_an_unused_noqa_is_reported_and_removed(text: str, cured: str) -> None:
    assert found(text)[-1].startswith("LCX001:")
    assert unused(text) == cured


@pytest.mark.parametrize(
    "text",
    [
        "drop()  # noqa: LCX101\n",
        "drop()  # noqa: LCX1\n",
        "drop() + '''\n'''  # noqa: LCX101\n",
        "drop() + \\\n  1  # noqa: LCX101\n",
        "x = 1  # noqa\n",
        "x = 1  # noqa: E501\n",
        "x = '# noqa: LCX101'\n",
        "x = 1  # noqa: LCX101, LCX001\n",
        "# flake8: noqa\nx = 1  # noqa: LCX101\n",
        "x = 1  # noqa: LCX101\ny = '''\n",
        "x = 1  # noqa: LCX101\nboom()\n",
    ],
)
def test_a_noqa_that_is_used_or_cannot_be_judged_stays(text: str) -> None:
    assert "LCX001" not in "".join(found(text))
    assert unused(text) == text


def test_what_the_run_leaves_out_is_not_judged() -> None:
    text = "x = 1  # noqa: LCX301\n"
    assert found(text, Settings(ignore=("LCX301",))) == []
    assert found(text, Settings(select=("LCX1", "LCX001"))) == []
    assert found("x = 1  # noqa: LCX3\n", Settings(ignore=("LCX302",))) == []
    assert found(text, Settings(ignore=("LCX001",))) == []


def test_the_same_line_again_is_another_line() -> None:
    assert found("if 1:\n    drop()  # noqa: LCX101\n    x = 1  # noqa: LCX101\n") == ["LCX001:3"]
