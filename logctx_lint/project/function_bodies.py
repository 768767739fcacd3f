"""Syntax trees of single functions, parsed without the rest of their file."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from logctx_lint.project.facts import FunctionFacts, FunctionNode
from logctx_lint.syntax.ast_walk import child_blocks
from logctx_lint.syntax.source import Unreadable

if TYPE_CHECKING:
    from logctx_lint.project.files import ModuleFile

_LINES_KEPT = 10_000
"""A line's tree takes about a kilobyte."""


class FunctionTrees:
    """Takes functions from the tree of their file while there is one, and else parses them alone.

    Those asked for last are kept, as many as some files have.
    """

    def __init__(self) -> None:
        self._in_files: WeakKeyDictionary[ast.Module, dict[int, FunctionNode]] = WeakKeyDictionary()
        """By the line of their `def`."""
        self._kept: dict[tuple[ModuleFile, int], tuple[FunctionNode | None, int]] = {}
        """With how many lines each has, the one asked for last at the end."""
        self._lines = 0

    def of(self, file: ModuleFile, function: FunctionFacts) -> FunctionNode | None:
        """The tree of a function, with the line numbers of its file."""
        tree = file.tree
        if tree is not None:
            return self._in_file(tree, function)
        key = (file, function.first_line)
        known = self._kept.pop(key, None)
        if known is None:
            known = parse_alone(file, function), function.end_line - function.first_line + 1
            self._make_room(known[1])
        self._kept[key] = known
        return known[0]

    def forget(self, file: ModuleFile) -> None:
        """Drop the functions of a file that has another text now."""
        for key in [key for key in self._kept if key[0] is file]:
            self._lines -= self._kept.pop(key)[1]

    def _in_file(self, tree: ast.Module, function: FunctionFacts) -> FunctionNode | None:
        functions = self._in_files.get(tree)
        if functions is None:
            functions = {node.lineno: node for node in _functions(tree.body)}
            self._in_files[tree] = functions
        return functions.get(function.line)

    def _make_room(self, lines: int) -> None:
        self._lines += lines
        while self._lines > _LINES_KEPT and self._kept:
            _, freed = self._kept.pop(next(iter(self._kept)))
            self._lines -= freed


def _functions(body: Iterable[ast.stmt]) -> Iterator[FunctionNode]:
    """The functions in a block that are not inside functions."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield statement
        elif isinstance(statement, ast.ClassDef):
            yield from _functions(statement.body)
        else:
            for block in child_blocks(statement):
                yield from _functions(block)


def parse_alone(file: ModuleFile, function: FunctionFacts) -> FunctionNode | None:
    """The tree of a function, from its own lines; None if these cannot be parsed."""
    try:
        lines = file.source.lines[function.first_line - 1 : function.end_line]
    except Unreadable:
        return None
    text = "".join(lines)
    indented = text[:1] in (" ", "\t")
    # Empty lines are the cheapest way to the right line numbers.
    before = "\n" * (function.first_line - 1 - indented) + "if 1:\n" * indented
    try:
        node = ast.parse(before + text).body[0]
    except (SyntaxError, ValueError, RecursionError):
        return None
    if isinstance(node, ast.If):
        node = node.body[0]
    return node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None
