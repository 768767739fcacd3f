"""What stands between the nodes of `ast` is read from the text."""

from __future__ import annotations

import ast
from pathlib import Path

import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider

from logctx_lint.syntax.ast_walk import all_nodes, child_nodes
from logctx_lint.syntax.punctuation import (
    end_of_arguments,
    has_bare_generator,
    is_function_parenthesized,
    is_parenthesized,
    name_of,
    opening,
    trailing_comma,
)
from logctx_lint.syntax.source import Source
from tests.support.harness import FIXTURES


def _parsed(text: str) -> tuple[Source, ast.Module]:
    source = Source(Path("x.py"), text)
    return source, source.parse()


def _call(tree: ast.AST, name: str = "f") -> ast.Call:
    return next(
        each
        for each in all_nodes(tree)
        if isinstance(each, ast.Call) and ast.unparse(each.func) == name
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f()", False),
        ("(f())", True),
        ("g(f())", False),
        ("g((f()))", True),
        ("g(x, f())", False),
        ("g(x, (f()))", True),
        ("g(a=f())", False),
        ("g(a=(f()))", True),
        ("g(*f())", False),
        ("(g)(f())", False),
        ("(g)((f()))", True),
        ("g(  # (\n    f()  # )\n)", False),
        ("g((  # (\n    f()  # )\n))", True),
        ("x = (\\\n f() \\\n)", True),
        ("x = ((f()) + 1)", True),
        ("x = (f() + 1)", False),
        ("x = (1 + f())", False),
        ("(f()).g", True),
        ("é = 'é', (f())", True),
        ("class A(f()): pass", False),
        ("class A((f())): pass", True),
    ],
)
def test_parentheses_around_an_expression(text: str, expected: bool) -> None:
    source, tree = _parsed(text)
    node = _call(tree)
    (parent,) = (each for each in all_nodes(tree) if node in child_nodes(each))
    assert is_parenthesized(source, node, parent) is expected


@pytest.mark.parametrize(
    ("text", "comma", "end"),
    [
        ("f()", None, None),
        ("f(x)", None, 3),
        ("f(x,)", 3, 3),
        ("f((x),)", 5, 5),
        ("g(f(x), y)", None, 5),
        ("f(a=(x) , )", 8, 7),
        ("f(x for x in y)", None, None),
        ("f(x\n# ,\n)", None, 3),
        ("f(*x  # )\n ,)", 11, 4),
    ],
)
def test_the_end_of_the_arguments(text: str, comma: int | None, end: int | None) -> None:
    source, tree = _parsed(text)
    call = _call(tree)
    found = trailing_comma(source, call)
    assert (found and source.offset(found.line, found.column)) == comma
    if end is not None:
        place = end_of_arguments(source, call)
        assert source.offset(place.line, place.column) == end


@pytest.mark.parametrize(
    ("text", "expected"),
    [("f(x)", "("), ("f \t(x)", " \t("), ("(f)(x)", None), ("(f\n(x))", None), ("f \\\n(x)", None)],
)
def test_what_opens_the_arguments(text: str, expected: str | None) -> None:
    source, tree = _parsed(text)
    found = opening(source, _call(tree))
    assert (found and source.at(found)) == expected


def test_a_generator_without_parentheses() -> None:
    assert has_bare_generator(_call(ast.parse("f(x for x in y)")))
    assert not has_bare_generator(_call(ast.parse("f((x for x in y))")))


def test_parentheses_around_what_is_called() -> None:
    assert is_function_parenthesized(_call(ast.parse("(f)()")))
    assert not is_function_parenthesized(_call(ast.parse("(f())")))


@pytest.mark.parametrize(
    "text", ["def f(): pass", "@f\nasync  def \\\n f(): pass", "class A:\n    async def f(f): pass"]
)
def test_the_name_of_a_function(text: str) -> None:
    source, tree = _parsed(text)
    node = next(
        each
        for each in all_nodes(tree)
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name == "f"
    )
    span = name_of(source, node)
    assert source.at(span) == "f"
    assert source.text[source.offset(span.line, span.column) - 1] == " "


# The same read by a parser that keeps all of it


def _concrete(text: str) -> dict[tuple[int, int, int, int], cst.BaseExpression]:
    places = MetadataWrapper(cst.parse_module(text)).resolve(PositionProvider)
    return {
        (place.start.line, place.start.column, place.end.line, place.end.column): node
        for node, place in places.items()
        if isinstance(node, cst.Call | cst.Name | cst.Attribute)
    }


_GOLDEN = sorted(FIXTURES.rglob("*.fixed.py"))


@pytest.mark.parametrize("path", _GOLDEN, ids=lambda path: path.relative_to(FIXTURES).as_posix())
def test_it_is_as_libcst_has_it(path: Path) -> None:
    source = Source.read(path)
    concrete = _concrete(source.text)
    for parent in all_nodes(source.parse()):
        if isinstance(parent, ast.withitem | ast.comprehension | ast.FormattedValue):
            continue
        for node in child_nodes(parent):
            if not isinstance(node, ast.Call | ast.Name | ast.Attribute):
                continue
            span = source.span(node)
            same = concrete.get((span.line, span.column, span.end_line, span.end_column))
            if same is not None:
                assert is_parenthesized(source, node, parent) is bool(same.lpar)
            if isinstance(node, ast.Call) and isinstance(same, cst.Call):
                has_comma = any(isinstance(each.comma, cst.Comma) for each in same.args[-1:])
                assert (trailing_comma(source, node) is not None) is has_comma
                assert is_function_parenthesized(node) is bool(same.func.lpar)
