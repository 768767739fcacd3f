"""Asynchronous context managers that are entered with a plain `with`: `with timeout(1)`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.units import Unit
from logctx_lint.inference.types import Certainty, Instance, members_of


def entered_as_plain(unit: Unit) -> Iterator[ast.expr]:
    """The expressions in a `with` whose value can be entered by `async with` alone."""
    resolver = unit.file.resolver
    classes = resolver.classes
    for statement, scope in unit.nodes(ast.With):
        for item in statement.items:
            node = item.context_expr
            if not isinstance(node, ast.Call | ast.Name | ast.Attribute):
                continue
            type_ = resolver.type_of(node, scope)
            # Of what can be awaited as well it is said that it should be.
            if resolver.awaitability(type_).certainty is Certainty.NO and all(
                isinstance(each, Instance)
                and not classes.unknown_bases(each.cls)
                and classes.member(each, "__aenter__") is not None
                and classes.member(each, "__enter__") is None
                for each in members_of(type_)
            ):
                yield node
