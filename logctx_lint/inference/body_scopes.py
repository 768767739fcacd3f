"""The scopes of function bodies, one for each function while questions about it are open.

Questions about the names in a body are told apart by its scope (see `memo`).
"""

from __future__ import annotations

from logctx_lint.incremental.memo import Memo
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function

_MOST_KEPT = 32
"""Enough for neighbours, too few to cost memory; all that open questions are about are kept."""


class BodyScopes:
    """Makes the scopes; part of the resolver."""

    def __init__(self, memo: Memo) -> None:
        self._memo = memo
        self._kept: dict[Function, Scope] = {}

    def of(self, function: Function, node: FunctionNode) -> Scope:
        """The scope of the body of `function`, whose tree is `node`."""
        found = self._kept.get(function)
        if found is None or found.module is not function.module:
            if self._memo.is_idle:
                self._trim()
            found = self._kept[function] = Scope.of_body(function, node)
        return found

    def _trim(self) -> None:
        while len(self._kept) >= _MOST_KEPT:
            self._kept.pop(next(iter(self._kept)))
