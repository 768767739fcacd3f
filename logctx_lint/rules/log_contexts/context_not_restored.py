"""The log context that was current before is not restored.

## Why

Functions leave the log context as they find it. `set_current_context(...)` gives back the context
that was current before; when that is dropped, or not set again because something between raises,
everything that runs later on this thread, other requests included, is logged and charged to the
wrong context.

## Bad

```python
from logctx_lint.runtime import LoggingContext, set_current_context


def do_request_handling() -> None: ...


def handle_request(request_id: str) -> None:
    set_current_context(LoggingContext(request_id))
    do_request_handling()
```

```python
from logctx_lint.runtime import LoggingContext, set_current_context


def do_request_handling() -> None: ...


def handle_request(request_id: str) -> None:
    calling_context = set_current_context(LoggingContext(request_id))
    do_request_handling()
    set_current_context(calling_context)
```

## Good

```python
from logctx_lint.runtime import LoggingContext, set_current_context


def do_request_handling() -> None: ...


def handle_request(request_id: str) -> None:
    calling_context = set_current_context(LoggingContext(request_id))
    try:
        do_request_handling()
    finally:
        set_current_context(calling_context)
```

```python
from logctx_lint.runtime import LoggingContext


def do_request_handling() -> None: ...


def handle_request(request_id: str) -> None:
    with LoggingContext(request_id):
        do_request_handling()
```

## Fix

None: whether to use a `with` or a `finally` is for a person to decide.

## Settings

`vocabulary` adds the project's own `context-setter` and `context-getter` names.

## Use instead

`with` a `logctx_lint.runtime.LoggingContext`, or `logctx_lint.runtime.PreserveLoggingContext` for a
context that is not to be finished.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, takewhile

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.log_contexts.log_contexts import made_so, plays
from logctx_lint.analysis.units import File, Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    enclosing,
    end_of,
    parents_of,
    start_of,
)

_SETTERS = frozenset({Role.CONTEXT_SETTER})
_GETTERS = frozenset({Role.CONTEXT_GETTER})
_KEEPERS = frozenset({Role.CONTEXT_SETTER, Role.CONTEXT_GETTER})
_CONTEXTS = frozenset({Role.CONTEXT_MANAGER})
_RESTORERS = _CONTEXTS | {Role.SENTINEL_GUARD}
_PROTOCOL = frozenset({"__enter__", "__exit__", "__aenter__", "__aexit__"})
_MAY_RAISE = (ast.Call, ast.Await, ast.Raise, ast.Return, ast.Yield, ast.YieldFrom, ast.Assert)
_TEXT_OR_TEST = (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.If, ast.FormattedValue, ast.Assert)


def check(context: TreeContext) -> None:
    for call, why in _not_restored(context.unit):
        context.report(
            RULE.code,
            call,
            f"`{context.line(call.func)}()` makes another log context the current one, and the one "
            f"before is {why}: restore it in a `finally`, or use `with`",
        )


@dataclass(frozen=True)
class _Body:
    """One function that sets the current context."""

    file: File
    node: FunctionNode
    scope: Scope

    @cached_property
    def _nodes(self) -> list[ast.AST]:
        return list(body_nodes(self.node))

    @cached_property
    def _parents(self) -> dict[ast.AST, ast.AST]:
        return parents_of(self.node)

    @cached_property
    def _setters(self) -> list[ast.Call]:
        return [
            node
            for node in self._nodes
            if isinstance(node, ast.Call) and self._calls(node, _SETTERS) and node.args
        ]

    def _calls(self, node: ast.AST | None, roles: frozenset[Role]) -> bool:
        return (
            isinstance(node, ast.Call)
            and self.file.may_play(node.func, roles)
            and bool(self.file.roles(node.func, self.scope) & roles)
        )

    def not_restored(self) -> Iterator[tuple[ast.Call, str]]:
        if self.node.name in _PROTOCOL:
            return  # What the one keeps, the other restores.
        for call in self._setters:
            if self._is_new(call.args[0]) and not self._is_guarded(call):
                why = None if self._is_correction(call) else self._left(call)
                if why:
                    yield call, why

    def _is_new(self, node: ast.expr) -> bool:
        """Whether a context is set that was not the current one before."""
        match node:
            case ast.Name(name):
                kinds = {binding.kind for binding in self.scope.bindings.get(name, ())}
                if kinds == {"parameter"} or self._is_sentinel(node):
                    return True
                return not self._is_kept(node) and plays(self.file, node, self.scope, _CONTEXTS)
            case ast.Attribute():
                return self._is_sentinel(node) or made_so(self.file, node, self.scope, _CONTEXTS)
            case ast.Call():
                return not self._calls(node, _KEEPERS)
        return False

    def _is_sentinel(self, node: ast.expr) -> bool:
        return Role.SENTINEL_CONTEXT in self.file.roles(node, self.scope)

    def _is_kept(self, name: ast.Name) -> bool:
        """Whether a name holds what was the current context."""
        scope: Scope | None = self.scope
        while scope is not None:
            for binding in scope.bindings.get(name.id, ()):
                if binding.kind == "value" and self._calls(binding.value, _KEEPERS):
                    return True
            scope = scope.parent
        return False

    def _is_guarded(self, call: ast.Call) -> bool:
        """Whether a `with` around the call restores the context anyway."""
        return any(
            plays(self.file, item.context_expr, self.scope, _RESTORERS)
            for outer in self._around(call)
            if isinstance(outer, ast.With)
            for item in outer.items
        )

    def _is_correction(self, call: ast.Call) -> bool:
        """Whether a condition around the call has looked at what the current context is."""
        return any(
            self._calls(node, _GETTERS) or (isinstance(node, ast.Name) and self._is_kept(node))
            for outer in self._around(call)
            if isinstance(outer, ast.If)
            for node in all_nodes(outer.test)
        )

    def _around(self, node: ast.AST) -> Iterator[ast.AST]:
        outwards = enclosing(node, self._parents)
        return takewhile(lambda outer: outer is not self.node, outwards)

    def _left(self, call: ast.Call) -> str | None:
        """What becomes of the context before; None if it is restored, or somebody else's matter."""
        match self._parents.get(call):
            case ast.Expr():
                kept = self._kept_before(call)
                if not kept:
                    return None if self._is_last(call) else "dropped"
            case (
                ast.Assign(targets=[ast.Name(name)])
                | ast.AnnAssign(target=ast.Name(name))
                | ast.NamedExpr(target=ast.Name(name))
            ):
                kept = {name}
            case _:
                return None
        if self._is_handed_on(kept):
            return None
        restoring = [each for each in self._setters if _is_one_of(each.args[0], kept)]
        if not restoring:
            return "never restored"
        if any(self._restores_always(call, each) for each in restoring):
            return None
        return "not restored when something raises in between"

    def _kept_before(self, call: ast.Call) -> set[str]:
        """The names that hold the context which was current before a call."""
        return {
            name
            for name, bindings in self.scope.bindings.items()
            for binding in bindings
            if binding.kind == "value"
            and binding.position <= start_of(call)
            and self._calls(binding.value, _GETTERS)
        }

    def _is_last(self, call: ast.Call) -> bool:
        """Whether the function does nothing more: its callers look after the context."""
        return not any(
            isinstance(node, _MAY_RAISE) and start_of(node) > start_of(call)
            for node in self._nodes
            if not isinstance(node, ast.Return)
        )

    def _is_handed_on(self, kept: set[str]) -> bool:
        """Whether somebody else gets the context to restore: a callback, an attribute, a caller."""
        own = set(self._nodes)
        for node in all_nodes(self.node):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in kept:
                if node not in own:
                    return True
                if not self._is_mere_look(node):
                    return True
        return False

    def _is_mere_look(self, name: ast.Name) -> bool:
        """Restored here, logged or compared."""
        user = self._parents.get(name)
        if isinstance(user, ast.keyword):
            user = self._parents.get(user)
        if isinstance(user, ast.Call):
            is_logged = Role.LOG_WRITER in self.file.roles(user.func, self.scope)
            return is_logged or user in self._setters
        return isinstance(user, _TEXT_OR_TEST)

    def _restores_always(self, call: ast.Call, restoring: ast.Call) -> bool:
        """Whether one call undoes another whatever happens in between."""
        end = start_of(restoring)
        for inner, outer in pairwise([restoring, *self._around(restoring)]):
            if isinstance(outer, ast.Try) and inner in outer.finalbody:
                end = start_of(outer.body[0])
                break
        return not any(
            isinstance(node, _MAY_RAISE) and end_of(call) <= start_of(node) < end
            for node in self._nodes
        )


def _is_one_of(node: ast.expr, names: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def _not_restored(unit: Unit) -> Iterator[tuple[ast.Call, str]]:
    for node, scope in unit.scopes.items():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _Body(unit.file, node, scope).not_restored()


def screen(unit: Unit) -> bool:
    """Whether the unit may set a context."""
    return unit.may_call(_SETTERS)


RULE = Rule(code="LCX402", fixes="none", check=check, screen=screen)
