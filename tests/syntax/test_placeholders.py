"""Which bodies only stand where another one is to be written."""

from __future__ import annotations

import ast

import pytest

from logctx_lint.syntax.placeholders import asks_for_override, is_placeholder, statements


def body(text: str) -> list[ast.stmt]:
    (function,) = ast.parse("def f(self):\n    " + text.replace("\n", "\n    ")).body
    assert isinstance(function, ast.FunctionDef)
    return function.body


@pytest.mark.parametrize(
    "text",
    ["...", "pass", "'''Says what.'''", "'''Says what.'''\n...", "raise NotImplementedError",
     "'''Says what.'''\nraise NotImplementedError('write me')", "raise abc.NotThere()"],
)  # fmt: skip
def test_a_body_that_does_nothing_or_raises_at_once_is_a_placeholder(text: str) -> None:
    assert is_placeholder(body(text))


@pytest.mark.parametrize(
    "text", ["return 1", "log(self)\nraise NotImplementedError", "if self:\n    raise ValueError"]
)
def test_a_body_that_does_something_first_is_none(text: str) -> None:
    assert not is_placeholder(body(text))


@pytest.mark.parametrize(
    "text",
    ["raise NotImplementedError", "raise NotImplementedError('write me')",
     "log(self)\nraise builtins.NotImplementedError()"],
)  # fmt: skip
def test_a_body_that_raises_not_implemented_asks_for_an_override(text: str) -> None:
    assert asks_for_override(body(text))


@pytest.mark.parametrize(
    "text",
    ["raise", "raise ValueError(NotImplementedError)", "if self:\n    raise NotImplementedError"],
)
def test_other_errors_and_conditions_do_not_ask_for_one(text: str) -> None:
    assert not asks_for_override(body(text))


def test_statements_are_all_but_docstring_pass_and_dots() -> None:
    assert [ast.unparse(each) for each in statements(body("'''Doc.'''\npass\n...\nx = 1"))] == [
        "x = 1"
    ]
