"""Chains of callbacks whose outcome their own function reads, by what the callbacks store.

    results = []
    deferred.addCallback(results.append)
    clock.advance(1)
    assert results == [1]        # A failure shows here, at once.

Tests of synchronous code around Deferreds are written so, and scripts that run the reactor.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.deferreds.deferred_chains import Chain, Chains, Link
from logctx_lint.analysis.deferreds.request_callbacks import CallbackEffect, RequestCallbacks
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import ADDERS
from logctx_lint.inference.narrowing import dotted
from logctx_lint.inference.returned_values import fails_on_first
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, child_nodes, declared_outer, own_nodes

_GATHERERS = frozenset({Role.GATHERER, Role.DEFERRED_LIST})
_KEEPING = ADDERS | {"extend", "update", "set"}
"""Methods by which an object takes down what it is given."""
_PLAIN = (
    ast.expr_context, ast.arguments, ast.arg, ast.Name, ast.Constant, ast.Attribute,
    ast.Return, ast.Pass, ast.Expr, ast.Assign, ast.Nonlocal, ast.Global,
)  # fmt: skip
"""Syntax that does nothing which could fail."""


@dataclass(frozen=True)
class Outcomes:
    """What one function sees of the chains that it makes."""

    chains: Chains

    def is_seen(self, chain: Chain) -> bool:
        """Whether the function looks at what a chain leaves behind, or it has nothing to fail."""
        if chain.is_only_completed and all(map(self._is_plain, chain.links)):
            return True
        last = chain.links[-1]
        sees_attributes = chain.is_only_completed or self.chains.file.module.is_test
        return any(
            self._is_read_behind(place, last.node)
            for place in self._left_behind(last.callback)
            if sees_attributes or "." not in place
        )

    def is_handled(self, node: ast.expr) -> bool:
        """Whether a local name holds a chain that ends in an errback, which takes any failure."""
        name = node.id if isinstance(node, ast.Name) else None
        for chain in self.chains.found:
            last = chain.links[-1]
            if chain.name == name and last.errback is not None:
                is_last = last.method in ("addErrback", "addBoth")
                return is_last and CallbackEffect.HANDS_ON not in self.answering.does(last.errback)
        return False

    @cached_property
    def answering(self) -> RequestCallbacks:
        return RequestCallbacks(self.chains.file, self.chains.scope)

    @cached_property
    def _parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in self.chains.nodes for child in child_nodes(node)}

    def _is_plain(self, link: Link) -> bool:
        """Whether a callback does nothing that could fail."""
        bodies = list(self._bodies(link.callback))
        return bool(bodies) and all(
            isinstance(inner, _PLAIN)
            for body in bodies
            for each in body
            for inner in all_nodes(each)
        )

    def _bodies(
        self, callback: ast.expr | FunctionNode | None
    ) -> Iterator[list[ast.stmt] | list[ast.expr]]:
        match callback:
            case None:
                return
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield callback.body
            case ast.Lambda(_, body):
                yield [body]
            case _:
                for tree in self.answering.trees(callback):
                    yield tree.body

    def _left_behind(self, callback: ast.expr | FunctionNode | None) -> set[str]:
        """The places outside of it that a callback puts something into, as they are written."""
        match callback:
            case ast.Attribute(holder, method) if method in _KEEPING:
                return {dotted(holder)} - {""}
        # What a method calls `self` is what it is looked up on.
        owner = dotted(callback.value) if isinstance(callback, ast.Attribute) else "self"
        found = [
            {_seen_from_outside(place, owner) for place in _put_outside(body)}
            for body in self._bodies(callback)
        ]
        return set.intersection(*found) - {""} if found else set()

    def _is_read_behind(self, place: str, link: ast.expr) -> bool:
        """Whether the function itself reads a place further down than a callback is added."""
        end = link.end_lineno or 0, link.end_col_offset or 0
        return any(
            isinstance(node, ast.Name | ast.Attribute)
            and isinstance(node.ctx, ast.Load)
            and (node.lineno, node.col_offset) >= end
            and dotted(node) == place
            and not self._keeps_more(node)
            for node in self.chains.nodes
        )

    def _keeps_more(self, node: ast.expr) -> bool:
        """Whether something else is only put there."""
        parent = self._parents.get(node)
        return isinstance(parent, ast.Attribute) and parent.attr in _KEEPING


def of_dropped(context: TreeContext, dropped: ast.expr) -> bool:
    """Whether nothing is lost with a chain of callbacks that is dropped as a whole."""
    outcomes = _of_function(context, dropped)
    return outcomes is not None and any(
        outcomes.is_seen(each) or not can_fail(context, outcomes, each.root)
        for each in outcomes.chains.found
        if each.links[-1].node is dropped
    )


def is_seen(context: TreeContext, root: ast.Call) -> bool:
    """Whether the function sees how a chain ends that begins with a call."""
    outcomes = _of_function(context, root)
    return outcomes is not None and any(
        outcomes.is_seen(each) for each in outcomes.chains.found if each.root is root
    )


def _of_function(context: TreeContext, node: ast.expr) -> Outcomes | None:
    """The function that a node stands in."""
    function = context.function_of(node)
    if not isinstance(function, FunctionNode) or function not in context.unit.scopes:
        return None
    return Outcomes(Chains(context.file, function, context.unit.scopes[function]))


def cannot_fail(context: TreeContext, call: ast.Call) -> bool:
    """Whether a call gives a Deferred that never fails, as the part that it plays says."""
    roles = context.roles(call)
    is_list = Role.DEFERRED_LIST in roles and not fails_on_first(call)
    return is_list or Role.NEVER_FAILS in roles


def can_fail(context: TreeContext, outcomes: Outcomes, root: ast.Call) -> bool:
    """Whether the Deferred that a chain begins with may fail, as far as is known."""
    if cannot_fail(context, root):
        return False
    if each_gathered := gathered(context, root):
        return not all(map(outcomes.is_handled, each_gathered))
    returned = [
        value
        for function in context.functions(root.func)
        for value in context.file.summaries.of(function).returned
    ]
    return not returned or any(value.can_fail for value in returned)


def gathered(context: TreeContext, root: ast.Call) -> list[ast.expr]:
    """What a gatherer is given one by one."""
    if context.roles(root) & _GATHERERS and root.args:
        return list(getattr(root.args[0], "elts", ()))
    return []


def _put_outside(body: list[ast.stmt] | list[ast.expr]) -> Iterator[str]:
    """What a function sets or fills that is not its own."""
    nodes = list(own_nodes(body))
    declared = declared_outer(nodes)
    for node in nodes:
        match node:
            case ast.Name(name, ast.Store()) if name in declared:
                yield name
            case ast.Attribute(ctx=ast.Store()):
                yield dotted(node)
            case ast.Subscript(holder, ctx=ast.Store()):
                yield dotted(holder)
            case ast.Call(ast.Attribute(holder, method)) if method in _KEEPING:
                yield dotted(holder)


def _seen_from_outside(place: str, owner: str) -> str:
    name, dot, rest = place.partition(".")
    if name != "self":
        return place
    return f"{owner}{dot}{rest}" if owner and rest else ""
