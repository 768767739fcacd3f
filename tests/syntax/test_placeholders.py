"""Which bodies only stand where another one is to be written."""

from __future__ import annotations

import ast

import pytest

from logctx_lint.syntax.placeholders import BodyKind, asks_for_override, kind_of, statements


def body(text: str) -> list[ast.stmt]:
    (function,) = ast.parse("def f(self):\n    " + text.replace("\n", "\n    ")).body
    assert isinstance(function, ast.FunctionDef)
    return function.body


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("...", BodyKind.EMPTY),
        ("pass", BodyKind.EMPTY),
        ("'''Says what.'''", BodyKind.EMPTY),
        ("'''Says what.'''\n...", BodyKind.EMPTY),
        ("raise NotImplementedError", BodyKind.ASKING),
        ("'''Says what.'''\nraise NotImplementedError('write me')", BodyKind.ASKING),
        ("raise abc.NotThere()", BodyKind.RAISING),
        ("raise NotImplementedError\nyield", BodyKind.RAISING),
        ("return 1", BodyKind.CODE),
        ("log(self)\nraise NotImplementedError", BodyKind.CODE),
        ("if self:\n    raise ValueError", BodyKind.CODE),
    ],
)
def test_what_a_body_is_there_for(text: str, kind: BodyKind) -> None:
    assert kind_of(body(text)) is kind


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
