"""`--add-noqa`: a comment at each finding, and never another program."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.config.codes import CODES
from logctx_lint.suppression.add_noqa import add_noqa
from logctx_lint.syntax.source import Source
from tests.support.fakes import FakeEngine


def silenced(text: str) -> tuple[str, int]:
    """The text with comments, and how many findings are left."""
    source = Source(Path("x.py"), text)
    done = add_noqa(source, FakeEngine().check(source, CODES))
    return done.source.text, len(done.left)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("drop()\n", "drop()  # noqa: LCX101\n"),
        ("drop()\r\nx = 1\r\n", "drop()  # noqa: LCX101\r\nx = 1\r\n"),
        ("drop()", "drop()  # noqa: LCX101"),
        ("drop()  # because\n", "drop()  # because  # noqa: LCX101\n"),
        ("drop()  # noqa: E501\n", "drop()  # noqa: E501, LCX101\n"),
        (
            "swallow()\nx = 1\ndrop()\n",
            "swallow()  # noqa: LCX301\nx = 1\ndrop()  # noqa: LCX101\n",
        ),
    ],
)
def test_a_comment_is_put_at_the_end_of_the_line(before: str, after: str) -> None:
    assert silenced(before) == (after, 0)


@pytest.mark.parametrize("text", ["x = '''\ndrop()\n'''\n", "drop() \\\n    + 1\n"])
def test_where_a_comment_would_change_the_program_there_is_none(text: str) -> None:
    assert silenced(text) == (text, 1)
