"""Walking libcst trees.

libcst's own `children` and `visit` go through the machinery that rebuilds trees and through every
piece of white space; reading the fields that hold code is several times faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from logctx_lint.syntax.lazy_libcst import cst

_LAYOUT = frozenset(
    {
        "lpar", "rpar", "lbracket", "rbracket", "lbrace", "rbrace", "comma", "semicolon", "colon",
        "dot", "equal", "leading_lines", "lines_after_decorators", "header", "footer", "newline",
        "trailing_whitespace", "comment", "indent", "operator",
    }
)  # fmt: skip
_fields: dict[type[cst.CSTNode], tuple[str, ...]] = {}


def children(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The nodes directly below, in source order, without layout."""
    names = _fields.get(type(node))
    if names is None:
        names = tuple(
            field.name
            for field in fields(node)
            if field.name not in _LAYOUT and "whitespace" not in field.name
        )
        _fields[type(node)] = names
    for name in names:
        value = getattr(node, name)
        if isinstance(value, cst.CSTNode):
            yield value
        elif isinstance(value, tuple | list):
            for item in value:
                if isinstance(item, cst.CSTNode):
                    yield item


def own_code(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A node and all below it, in source order, but not what nested functions and classes hold."""
    stack = [node]
    while stack:
        inner = stack.pop()
        yield inner
        stack += [
            child
            for child in reversed(list(children(inner)))
            if not isinstance(child, cst.FunctionDef | cst.Lambda | cst.ClassDef)
        ]


def all_code(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A node and all below it, in source order."""
    stack = [node]
    while stack:
        inner = stack.pop()
        yield inner
        stack += reversed(list(children(inner)))
