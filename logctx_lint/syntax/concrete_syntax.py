"""What `ast` leaves out, read by a libcst visitor: parentheses, commas, names, places in f-strings.

libcst costs ten times as much as `ast`, and does not read quite all that Python reads. So rules
decide on `ast`, and only the unit that something is reported in is read so, when a fix asks for it;
a unit that libcst does not read has no such fix.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from logctx_lint.findings import Span

_DEEPEST = 1000
"""Nodes inside nodes: with some thousands libcst takes minutes, or ends the process."""


@dataclass(frozen=True, slots=True)
class CallSyntax:
    """How a call is written."""

    opening: Span | None
    """From the end of what is called to behind the `(` of its arguments, on the same line.

    None if a parenthesis or a line break stands in between.
    """
    end_of_arguments: Span | None
    """The place behind the last argument and the parentheses around that."""
    trailing_comma: Span | None
    is_function_parenthesized: bool
    """`(f)(x)`"""
    has_bare_generator: bool
    """`f(x for x in xs)`: beside another argument it would need parentheses of its own."""


@dataclass(frozen=True, slots=True)
class ConcreteSyntax:
    """Of one unit, by where its nodes stand in the file, without parentheses around them."""

    calls: dict[Span, CallSyntax] = field(default_factory=dict)
    parenthesized: set[Span] = field(default_factory=set)
    """The expressions that have parentheses of their own."""
    function_names: dict[tuple[int, int], Span] = field(default_factory=dict)
    """By where the `def` or `async def` begins."""
    formatted: list[tuple[str, Span]] = field(default_factory=list)
    """The expressions in f-strings, in source order, as text."""


def read(tree: ast.AST, text: str, first_line: int) -> ConcreteSyntax | None:
    """The concrete syntax of a unit, given its lines; None where libcst does not read it."""
    if _is_too_deep(tree):
        return None
    # Under an `if 1:` it keeps its indentation and so its columns.
    is_indented = text.lstrip("\f")[:1] in (" ", "\t")
    try:
        module = cst.parse_module("if 1:\n" + text if is_indented else text)
        wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
        reader = _Reader(wrapper.module, first_line - 1 - is_indented)
        wrapper.visit(reader)
    except (cst.ParserSyntaxError, cst.CSTValidationError, RecursionError, KeyError):
        # With a KeyError libcst's positions end where a tree is too deep for the stack.
        return None
    return reader.found


class _Reader(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, module: cst.Module, line_offset: int) -> None:
        super().__init__()
        self._module = module
        self._line_offset = line_offset
        self.found = ConcreteSyntax()

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.BaseExpression) and node.lpar:
            self.found.parenthesized.add(self._span(node))
        return super().on_visit(node)

    def visit_Call(self, node: cst.Call) -> None:
        last = node.args[-1] if node.args else None
        has_comma = last is not None and isinstance(last.comma, cst.Comma)
        self.found.calls[self._span(node)] = CallSyntax(
            opening=self._opening(node),
            end_of_arguments=_end(self._span(last)) if last else None,
            trailing_comma=self._span(last.comma) if last and has_comma else None,  # type: ignore[arg-type]
            is_function_parenthesized=bool(node.func.lpar),
            has_bare_generator=any(
                isinstance(each.value, cst.GeneratorExp) and not each.value.lpar
                for each in node.args
            ),
        )

    def _opening(self, node: cst.Call) -> Span | None:
        space = self._module.code_for_node(node.whitespace_after_func)
        if node.func.lpar or space.strip(" \t"):
            return None
        func = self._span(node.func)
        line, column = func.end_line, func.end_column
        return Span(line, column, line, column + len(space) + 1)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        span = self._span(node)
        self.found.function_names[span.line, span.column] = self._span(node.name)

    def visit_FormattedStringExpression(self, node: cst.FormattedStringExpression) -> None:
        text = self._module.code_for_node(node.expression)
        self.found.formatted.append((text, self._span(node.expression)))

    def _span(self, node: cst.CSTNode) -> Span:
        place = self.get_metadata(PositionProvider, node)
        start, end, offset = place.start, place.end, self._line_offset
        return Span(start.line + offset, start.column, end.line + offset, end.column)


def _end(span: Span) -> Span:
    return Span(span.end_line, span.end_column, span.end_line, span.end_column)


def in_f_strings(syntax: ConcreteSyntax, strings: list[ast.JoinedStr]) -> dict[ast.expr, Span]:
    """Where the expressions stand that f-strings format, given the outermost ones in source order.

    Before Python 3.12 `ast` does not know. Nothing if the two trees do not agree.
    """
    values = [value for string in strings for value in _formatted_values(string)]
    texts = [text for text, _ in syntax.formatted]
    if [ast.unparse(each) for each in values] != list(map(_normalised, texts)):
        return {}
    return {value: span for value, (_, span) in zip(values, syntax.formatted, strict=True)}


def _formatted_values(node: ast.AST) -> Iterator[ast.expr]:
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.FormattedValue):
            yield inner.value
        yield from _formatted_values(inner)


def _normalised(text: str) -> str:
    try:
        return ast.unparse(ast.parse(f"({text})", mode="eval").body)
    except SyntaxError:
        return ""


def _is_too_deep(tree: ast.AST) -> bool:
    stack = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        # libcst nests each `or` in the next.
        depth += len(node.values) if isinstance(node, ast.BoolOp) else 1
        if depth > _DEEPEST:
            return True
        stack += [(child, depth) for child in ast.iter_child_nodes(node)]
    return False
