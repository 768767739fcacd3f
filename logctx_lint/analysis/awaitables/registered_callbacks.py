"""Awaited calls of callbacks that other code has registered in a collection."""

from __future__ import annotations

import ast

from logctx_lint.analysis.deferreds.shared_state import Sharing
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.use_def import Scope

_LONGEST_ALIAS = 4
"""How many names may stand for one another."""


def registered_at(file: File, node: ast.expr, scope: Scope) -> str | None:
    """The container of callbacks that a call takes its callee from, in words.

    None where the package does not protect such calls: it has decided that it need not.
    """
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return None
    if not _may_be_of_loop(node.func.id, scope) or not _protects(file):
        return None
    return _container(file, node.func, scope, _LONGEST_ALIAS)


def _may_be_of_loop(name: str, scope: Scope) -> bool:
    return any(binding.kind in ("element", "value") for binding in scope.bindings.get(name, ()))


def _protects(file: File) -> bool:
    """Whether the package protects, somewhere, the call of a loop's variable."""
    delayers = file.vocabulary.names_of(Role.CANCELLATION_DELAYER)
    return any(bare in file.traits.wrapping for bare in {n.rpartition(".")[2] for n in delayers})


def _container(file: File, node: ast.expr, scope: Scope, aliases: int) -> str | None:
    """Where a name that holds a callback was taken from, through aliases and casts."""
    match node:
        case ast.Name() if aliases:
            for binding in scope.reaching_name(node):
                found = None
                if binding.kind == "element" and binding.value is not None:
                    found = Sharing(file.resolver).container(binding.value, scope)
                elif binding.kind == "value" and binding.value is not None:
                    found = _container(file, binding.value, scope, aliases - 1)
                if found:
                    return found
        case ast.Call(args=[_, value]) if "typing.cast" in file.resolver.names(node.func, scope):
            return _container(file, value, scope, aliases)
    return None
