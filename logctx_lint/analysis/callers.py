"""How an asynchronous function is called: awaited by its caller, or run by a loop, timer or event.

It decides what a swallowed cancellation does: a waiting caller goes on with a wrong answer, while
the entry of a task merely ends.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum

from logctx_lint.analysis.cancellation.cancellation_state import Code
from logctx_lint.analysis.units import File
from logctx_lint.syntax.ast_walk import all_nodes, last_name


class Started(Enum):
    """How a function is run, as far as its own file shows."""

    AWAITED = "awaited by a caller"
    ENTRY = "started as a task or callback"
    BOTH = "either"
    UNKNOWN = "not used in its file"


@dataclass(frozen=True, slots=True)
class Callers:
    """The uses of functions in one file."""

    file: File

    def of(self, code: Code) -> Started:
        """How a function of the file is run."""
        awaited, used = self._uses.get(code.node.name, (0, 0))
        if awaited:
            return Started.BOTH if used else Started.AWAITED
        return Started.ENTRY if used else Started.UNKNOWN

    @property
    def _uses(self) -> dict[str, tuple[int, int]]:
        found = _KNOWN.get(self.file.tree)
        if found is None:
            _KNOWN.clear()
            found = _KNOWN[self.file.tree] = _uses(self.file.tree)
        return found


_KNOWN: dict[ast.Module, dict[str, tuple[int, int]]] = {}


def _uses(tree: ast.Module) -> dict[str, tuple[int, int]]:
    """By name, how often a function is called and awaited at once, and used in other ways."""
    awaited: dict[str, int] = {}
    others: dict[str, int] = {}
    waited_for: set[ast.AST] = set()
    for node in all_nodes(tree):
        match node:
            case (
                ast.Await(ast.Call(func=func))
                | ast.Yield(ast.Call(func=func))
                | ast.Return(ast.Call(func=func))
            ):
                waited_for.add(func)
                name = last_name(func)
                awaited[name] = awaited.get(name, 0) + 1
    for node in all_nodes(tree):
        if isinstance(node, ast.Name | ast.Attribute) and node not in waited_for:
            name = last_name(node)
            others[name] = others.get(name, 0) + 1
    return {name: (awaited.get(name, 0), others.get(name, 0)) for name in {*awaited, *others}}
