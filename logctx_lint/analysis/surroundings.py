"""What is around a node in its function: statements, the `try` that it may fail in, loops."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import takewhile

from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.project.facts import FunctionNode


def outwards(context: TreeContext, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """The nodes around a node, the innermost first, each with its part that the node is in."""
    inner = node
    for outer in context.around(node):
        yield outer, inner
        inner = outer


def within(context: TreeContext, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """The same up to the function that the node stands in."""
    return takewhile(lambda step: not isinstance(step[0], FunctionNode), outwards(context, node))


def attempts_around(context: TreeContext, node: ast.AST) -> Iterator[ast.Try]:
    """The `try` statements in whose body a node stands, the innermost first."""
    for outer, inner in within(context, node):
        attempt = as_try(outer)
        if attempt is not None and inner in attempt.body:
            yield attempt


def is_in_loop(context: TreeContext, node: ast.AST) -> bool:
    """Whether a loop is around a node, so that it may run many times in one call."""
    loops = ast.For | ast.AsyncFor | ast.While
    return any(isinstance(outer, loops) for outer, _ in within(context, node))
