"""What libcst reads of a unit stands where `ast` says that the nodes stand."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from logctx_lint.findings import Span
from logctx_lint.syntax.ast_walk import all_nodes
from logctx_lint.syntax.concrete_syntax import CallSyntax, ConcreteSyntax, in_f_strings, read
from logctx_lint.syntax.source import Source


def _read(text: str, first_line: int = 1) -> tuple[Source, ast.Module, ConcreteSyntax]:
    source = Source(Path("x.py"), text)
    tree = source.parse()
    syntax = read(tree, "".join(source.lines[first_line - 1 :]), first_line)
    assert syntax is not None
    return source, tree, syntax


def _call(tree: ast.AST, name: str = "f") -> ast.Call:
    return next(
        each
        for each in all_nodes(tree)
        if isinstance(each, ast.Call) and ast.unparse(each.func) == name
    )


def _written(text: str) -> tuple[Source, CallSyntax]:
    source, tree, syntax = _read(text)
    return source, syntax.calls[source.span(_call(tree))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f()", False),
        ("(f())", True),
        ("g(f())", False),
        ("g((f()))", True),
        ("g(a=(f()))", True),
        ("g(*f())", False),
        ("(g)(f())", False),
        ("g(  # (\n    f()  # )\n)", False),
        ("g((  # (\n    f()  # )\n))", True),
        ("x = (\\\n f() \\\n)", True),
        ("x = ((f()) + 1)", True),
        ("x = (f() + 1)", False),
        ("(f()).g", True),
        ("é = 'é', (f())", True),
        ("class A((f())): pass", True),
    ],
)
def test_parentheses_around_an_expression(text: str, expected: bool) -> None:
    source, tree, syntax = _read(text)
    assert (source.span(_call(tree)) in syntax.parenthesized) is expected


@pytest.mark.parametrize(
    ("text", "comma", "end"),
    [
        ("f()", None, None),
        ("f(x)", None, 3),
        ("f(x,)", 3, 3),
        ("f((x),)", 5, 5),
        ("f(a=(x) , )", 8, 7),
        ("f(x for x in y)", None, 14),
        ("f(x\n# ,\n)", None, 3),
        ("f(*x  # )\n ,)", 11, 4),
    ],
)
def test_the_end_of_the_arguments(text: str, comma: int | None, end: int | None) -> None:
    source, call = _written(text)

    def offset(span: Span | None) -> int | None:
        return len(source.at(Span(1, 0, span.line, span.column))) if span else None

    assert (offset(call.trailing_comma), offset(call.end_of_arguments)) == (comma, end)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("f(x)", "("), ("f \t(x)", " \t("), ("(f)(x)", None), ("(f\n(x))", None), ("f \\\n(x)", None)],
)
def test_what_opens_the_arguments(text: str, expected: str | None) -> None:
    source, call = _written(text)
    assert (call.opening and source.at(call.opening)) == expected


def test_a_generator_without_parentheses() -> None:
    assert _written("f(x for x in y)")[1].has_bare_generator
    assert not _written("f((x for x in y))")[1].has_bare_generator


def test_parentheses_around_what_is_called() -> None:
    assert _written("(f)()")[1].is_function_parenthesized
    assert not _written("(f())")[1].is_function_parenthesized


@pytest.mark.parametrize(
    "text", ["def f(): pass", "@f\nasync  def \\\n f(): pass", "class A:\n    async def f(f): pass"]
)
def test_the_name_of_a_function(text: str) -> None:
    source, _, syntax = _read(text)
    (span,) = syntax.function_names.values()
    assert source.at(span) == "f"
    assert source.lines[span.line - 1][span.column - 1] == " "


@pytest.mark.parametrize("indent", [" ", "\t", "  \t"])
def test_a_unit_inside_of_a_class_stands_where_it_does_in_the_file(indent: str) -> None:
    source = Source(Path("x.py"), f"class A:\n{indent}def m(self):\n{indent * 2}return (f(x))\n")
    tree = source.parse()
    syntax = read(tree, "".join(source.lines[1:]), 2)
    assert syntax is not None
    assert syntax.parenthesized == {source.span(_call(tree))}


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
        ("f'{[x for x in y]}'", ["[x for x in y]"]),
        ('f"""\n{x}\n  {f(\n1)}"""', ["x", "f(\n1)"]),
        ("(f'{x}'  # {no}\n  'é'\n  f'é{y}')", ["x", "y"]),
        ("f'{d[\"}\"]}'", ['d["}"]']),
        ("f'{g(f\"{x}\")}{y}'", ['g(f"{x}")', "x", "y"]),
    ],
)
def test_expressions_in_f_strings(text: str, expected: list[str]) -> None:
    source, tree, syntax = _read(text)
    string = next(each for each in all_nodes(tree) if isinstance(each, ast.JoinedStr))
    found = in_f_strings(syntax, [string])
    assert [source.at(span) for span in found.values()] == expected
    for node, span in found.items():
        assert ast.unparse(ast.parse(f"({source.at(span)})", mode="eval")) == ast.unparse(node)


@pytest.mark.parametrize(
    "text", ["(y): int = 1", "x = " + "-" * 1_500 + "1", "def f():\n    a" + ".b()" * 450]
)
def test_what_libcst_does_not_read_is_unknown(text: str) -> None:
    assert read(ast.parse(text), text, 1) is None
