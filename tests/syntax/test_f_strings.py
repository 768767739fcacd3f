"""Where the expressions in f-strings stand."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from logctx_lint.syntax.ast_walk import all_nodes
from logctx_lint.syntax.f_strings import formatted_expressions
from logctx_lint.syntax.source import Source


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f''", []),
        ("f'{x}'", ["x"]),
        ("f'{ x }{y!r}{z:>10}'", ["x", "y", "z"]),
        ("f'{{x}} {y}}}'", ["y"]),
        ("f'{x = }{y=!r}{z == 1}{u != v}{u >= v}'", ["x", "y", "z == 1", "u != v", "u >= v"]),
        ("f'{x:{width}.{f(y)}}' 'text {no}' f'{z}'", ["x", "width", "f(y)", "z"]),
        ("rf'\\{x}' f'\\N{EN DASH}{y}\\{{'", ["x", "y"]),
        ("f'{d[a:b]}{(lambda: 1)()}{ {1: 2}[1] }'", ["d[a:b]", "(lambda: 1)()", "{1: 2}[1]"]),
        ("f'{(f())}{[x for x in y]}'", ["f()", "[x for x in y]"]),
        ('f"""\n{x}\n  {f(\n1)}"""', ["x", "f(\n1)"]),
        ("(f'{x}'  # {no}\n  'é'\n  f'é{y}')", ["x", "y"]),
        ("f'{d[\"}\"]}'", ['d["}"]']),
    ],
)
def test_they_are_found(text: str, expected: list[str]) -> None:
    source = Source(Path("x.py"), text)
    string = next(each for each in all_nodes(source.parse()) if isinstance(each, ast.JoinedStr))
    found = formatted_expressions(source, string)
    assert [source.at(span) for span in found.values()] == expected
    for node, span in found.items():
        assert ast.unparse(ast.parse(f"({source.at(span)})", mode="eval")) == ast.unparse(node)
