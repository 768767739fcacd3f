"""Parentheses, commas and names that `ast` does not place: they are read in the text between nodes.

Between two nodes that follow each other stand only punctuation, words, white space, comments and
line continuations, never a string: so `#` always begins a comment there.
"""

from __future__ import annotations

import ast
import re

from logctx_lint.findings import Span
from logctx_lint.syntax.ast_walk import child_nodes
from logctx_lint.syntax.source import Source

_LAYOUT = re.compile(r"(?:\s|\\(?=[\r\n])|#[^\r\n]*)*")
_WORD = re.compile(r"\w+")
_Placed = ast.expr | ast.stmt | ast.keyword


def opening(source: Source, call: ast.Call) -> Span | None:
    """From the end of what is called to behind the `(` of its arguments, on the same line.

    None if a parenthesis, a comment or a line break stands in between.
    """
    func = source.span(call.func)
    rest = source.lines[func.end_line - 1][func.end_column :]
    space = len(rest) - len(rest.lstrip(" \t"))
    if rest[space : space + 1] != "(":
        return None
    return Span(func.end_line, func.end_column, func.end_line, func.end_column + space + 1)


def has_bare_generator(call: ast.Call) -> bool:
    """`f(x for x in xs)`: beside another argument it would need parentheses of its own."""
    # `ast` takes the parentheses of the call for those of the generator.
    return any(isinstance(each, ast.GeneratorExp) and _ends_with(each, call) for each in call.args)


def name_of(source: Source, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Span:
    """Where the name of a function stands, behind its `def`."""
    at = source.offsets(node)[0]
    for word in ("async", "def") if isinstance(node, ast.AsyncFunctionDef) else ("def",):
        at = _behind_layout(source.text, at + len(word))
    # `ast` may have normalised the name.
    found = _WORD.match(source.text, at)
    return source.span_at(at, found.end() if found else at)


def is_function_parenthesized(call: ast.Call) -> bool:
    """`(f)(x)`"""
    func = call.func
    return (call.lineno, call.col_offset) != (func.lineno, func.col_offset)


def is_parenthesized(source: Source, node: ast.expr, parent: ast.AST | None) -> bool:
    """Whether parentheses stand around an expression that are not those of its parent."""
    start, end = source.offsets(node)
    end = _behind_layout(source.text, end)
    if source.text[end : end + 1] != ")" or not isinstance(parent, _Placed):
        return False
    inside = [each for each in child_nodes(parent) if isinstance(each, _Placed)]
    ends = [each_end for each in inside if (each_end := source.offsets(each)[1]) <= start]
    begin = max(ends, default=source.offsets(parent)[0])
    before = "".join(_LAYOUT.split(source.text[begin:start]))
    opened = len(before) - len(before.rstrip("("))
    return opened > _is_first_argument(node, parent)


def _is_first_argument(node: ast.expr, parent: ast.AST) -> bool:
    """Whether the parenthesis in front of a node may be that of its parent's arguments."""
    match parent:
        case ast.Call(args=given, keywords=keywords) | ast.ClassDef(bases=given, keywords=keywords):
            place = node.lineno, node.col_offset
            starts = [(each.lineno, each.col_offset) for each in given]
            starts += [(each.lineno, each.col_offset) for each in keywords]
            return node in given and min(starts) == place
    return False


def end_of_arguments(source: Source, call: ast.Call) -> Span:
    """The place behind the last argument of a call and the parentheses around that."""
    ends = (source.offsets(each)[1] for each in (*call.args, *call.keywords))
    last, closing = max(ends), source.offsets(call)[1] - 1
    at = last
    while (at := _behind_layout(source.text, at)) < closing and source.text[at] == ")":
        last = at = at + 1
    return source.span_at(last, last)


def trailing_comma(source: Source, call: ast.Call) -> Span | None:
    """The comma behind the last argument of a call."""
    if not (call.args or call.keywords) or has_bare_generator(call):
        return None
    end = end_of_arguments(source, call)
    at = _behind_layout(source.text, source.offset(end.line, end.column))
    return source.span_at(at, at + 1) if source.text[at] == "," else None


def _behind_layout(text: str, at: int) -> int:
    found = _LAYOUT.match(text, at)
    return found.end() if found else at


def _ends_with(node: ast.expr, outer: ast.expr) -> bool:
    return (node.end_lineno, node.end_col_offset) == (outer.end_lineno, outer.end_col_offset)
