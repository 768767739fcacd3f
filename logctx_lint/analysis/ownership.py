"""Functions whose awaitable can be dropped, because they keep it, or nothing of it can be lost."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from logctx_lint.analysis.base_context import Context
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.types import ClassObject, FunctionType, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, own_nodes, returned_values


@dataclass
class Keeper:
    """Looks at what plain functions return, and at what those that they call return."""

    context: Context[Any]
    can_await: bool
    """Where the call could be awaited, only what it stores or starts itself may be left alone: a
    waiter made for it, what is merely read, and what has fired should be awaited.
    """
    seen: set[Function] = field(default_factory=set)

    def keeps(self, function: Function) -> bool:
        """Whether all that a function gives is stored by it, has fired, or runs by itself."""
        facts = function.facts
        if function in self.seen or facts.is_async or facts.is_generator or function.module.is_stub:
            return False
        node, decorated = function.tree(), self.context.resolver.functions.decorated(function)
        if node is None or decorated != FunctionType(function):
            return False
        self.seen.add(function)
        scope = Scope.of_body(function, node)
        stored = set(self._stored(list(own_nodes(node.body)), scope))
        given = list(returned_values(node))
        return bool(given) and all(self._is_kept(value, scope, stored) for value in given)

    def _is_kept(self, value: ast.expr, scope: Scope, stored: set[str]) -> bool:
        match value:
            case ast.Constant():
                return True
            case ast.Attribute() | ast.Subscript():
                return not self.can_await or ast.unparse(value) in stored
            case ast.Name(name):
                bindings = scope.reaching(name, (value.lineno, value.col_offset))
                return name in stored or (
                    bool(bindings)
                    and all(
                        binding.kind == "value"
                        and binding.value is not None
                        and self._is_kept(binding.value, scope, stored)
                        for binding in bindings
                    )
                )
            case ast.Call():
                return self._gives_nothing_to_lose(value, scope, stored)
            case ast.IfExp():
                return all(self._is_kept(arm, scope, stored) for arm in (value.body, value.orelse))
            case ast.BoolOp():
                return all(self._is_kept(arm, scope, stored) for arm in value.values)
        return False

    def _gives_nothing_to_lose(self, call: ast.Call, scope: Scope, stored: set[str]) -> bool:
        roles = self.context.file.roles(call.func, scope)
        if Role.BACKGROUND_STARTER in roles:
            return True
        if Role.FIRED in roles:
            return not self.can_await
        if Role.CANCELLATION_SHIELD in roles and call.args:
            return self._is_kept(call.args[0], scope, stored)
        callees = members_of(self.context.resolver.type_of(call.func, scope))
        return all(
            isinstance(callee, FunctionType) and self.keeps(callee.function) for callee in callees
        )

    def _stored(self, nodes: list[ast.AST], scope: Scope) -> Iterator[str]:
        """What is put where others find it: `self.x = d`, `self.waiters.append(d)`."""
        waiters = self._waiters(nodes, scope) if self.can_await else set()
        for node in nodes:
            match node:
                case ast.Assign(targets, value) if any(
                    isinstance(target, ast.Attribute | ast.Subscript) for target in targets
                ):
                    yield from map(ast.unparse, [*targets, value])
                case ast.Call(ast.Attribute() as method, arguments) if self._puts_away(
                    method, scope
                ):
                    for argument in arguments:
                        for inner in all_nodes(argument):
                            if isinstance(inner, ast.Name) and inner.id not in waiters:
                                yield inner.id

    def _waiters(self, nodes: list[ast.AST], scope: Scope) -> set[str]:
        """The names of Deferreds made here, for whoever calls to wait for."""
        return {
            target.id
            for node in nodes
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call)
            if isinstance(self.context.resolver.type_of(node.value.func, scope), ClassObject)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }

    def _puts_away(self, method: ast.Attribute, scope: Scope) -> bool:
        """Whether a method is that of something that outlives the function, and is no logger."""
        receiver = method.value
        outlives = isinstance(receiver, ast.Attribute | ast.Subscript) or (
            isinstance(receiver, ast.Name) and receiver.id not in scope.bindings
        )
        names = self.context.resolver.names(method, scope)
        return outlives and not any(name.startswith("logging.") for name in names)
