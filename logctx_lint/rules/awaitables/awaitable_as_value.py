"""An awaitable is used as if it were the value that awaiting it gives.

## Why

A coroutine is always true, so an async predicate used as a condition is an access check that
always passes. It equals nothing, is found in nothing, and shows up in logs as
`<coroutine object ...>`; a Deferred or a task does the same. Other uses fail, but only when that
line is reached.

## Bad

```python
class Auth:
    async def is_admin(self, user: str) -> bool: ...


async def delete_room(auth: Auth, user: str) -> None:
    if not auth.is_admin(user):
        raise PermissionError(user)
```

```python
async def count_rooms() -> int: ...


async def report() -> None:
    rooms = count_rooms()
    print(f"{rooms} rooms")
```

## Good

```python
class Auth:
    async def is_admin(self, user: str) -> bool: ...


async def delete_room(auth: Auth, user: str) -> None:
    if not await auth.is_admin(user):
        raise PermissionError(user)
```

```python
async def count_rooms() -> int: ...


async def report() -> None:
    rooms = await count_rooms()
    print(f"{rooms} rooms")
```

What may be None can be tested for truth, and Deferreds and tasks can be compared with each other
and looked for in a set of them:

```python
from typing import Optional, Set

from twisted.internet.defer import Deferred


def start() -> "Optional[Deferred[None]]": ...


async def run(waiting: "Set[Deferred[None]]") -> None:
    work = start()
    if work and work not in waiting:
        await work
```

## Fix

`await` is unsafe: the condition then says what was meant, which changes what the code does.

## Use instead

`await`; where the work shall go on meanwhile, `logctx_lint.runtime.run_in_background` and an
`await` of what that gives.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.cst_context import RuleContext
from logctx_lint.analysis.misused_values import wrongly_used
from logctx_lint.analysis.units import Unit
from logctx_lint.analysis.value_uses import How, Use, uses
from logctx_lint.analysis.values_in_place import misplaced
from logctx_lint.findings import Applicability, Fix
from logctx_lint.fixes.edits import after, before
from logctx_lint.inference.types import (
    Kind,
)
from logctx_lint.rules.rule import Rule, RuleVisitor
from logctx_lint.syntax.ast_walk import all_nodes
from logctx_lint.syntax.cst_walk import all_code
from logctx_lint.syntax.lazy_libcst import cst


class AwaitableAsValue(RuleVisitor):
    def __init__(self, context: RuleContext) -> None:
        super().__init__(context)
        unit = context.unit
        self._uses: dict[ast.expr, tuple[Use, Kind]] = {}
        self._in_text: dict[str, tuple[Use, Kind]] = {}
        for use in uses(unit):
            kind = wrongly_used(use, unit)
            if kind is not None:
                self._uses.setdefault(use.node, (use, kind))
                if use.how is How.TEXT:
                    self._in_text[ast.unparse(use.node)] = use, kind
        for each in misplaced(unit):
            use = Use(each.call, each.scope, How.DECLARED, fate=each.fate)
            self._uses.setdefault(each.call, (use, each.kind))

    def visit_Call(self, node: cst.Call) -> None:
        self._check(node)

    def visit_Name(self, node: cst.Name) -> None:
        self._check(node)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        self._check(node)

    def _check(self, node: cst.Call | cst.Name | cst.Attribute) -> None:
        if not self._uses:
            return
        tree = self.context.expression(node)
        found = self._uses.get(tree[0]) if tree else self._formatted(node)
        if found:
            self._report(node, *found)

    def _formatted(self, node: cst.Call | cst.Name | cst.Attribute) -> tuple[Use, Kind] | None:
        """The same in an f-string, where trees have no positions before Python 3.12."""
        if not isinstance(self.context.parent(node), cst.FormattedStringExpression):
            return None
        found = self._in_text.get(ast.unparse(ast.parse(self.context.text(node), mode="eval")))
        if found and isinstance(node, cst.Call) and isinstance(found[0].node, ast.Call):
            self.context.remember(node.func, found[0].node.func, found[0].scope)
        return found

    def _report(self, node: cst.Call | cst.Name | cst.Attribute, use: Use, kind: Kind) -> None:
        what = kind.with_article
        fate = use.fate or use.how.value
        if use.attribute:
            fate = f"asked for `{use.attribute}`, which it does not have"
        if isinstance(node, cst.Call):
            callee = self.context.callee(node)
            verb = "returns" if self._is_certain(use) else "very likely returns"
            is_ = f"{callee.label} {verb} {what} ({callee.reason}) that"
        elif isinstance(node, cst.Attribute):
            is_ = f"`{self.context.line(node)}`, a property that is an `async def`, is {what} that"
        else:
            is_ = f"`{node.value}` is {what} that"
        function = self.context.function_of(node)
        cure = "yield it" if self.context.awaits_by_yield(function) else "await it"
        self.context.report(RULE.code, node, f"{is_} is {fate}: {cure}", self._fixes(node, use))

    def _is_certain(self, use: Use) -> bool:
        resolver = self.context.resolver
        return resolver.awaitability(resolver.type_of(use.node, use.scope)).is_certain

    def _fixes(self, node: cst.Call | cst.Name | cst.Attribute, use: Use) -> tuple[Fix, ...]:
        call = self._made(node, use) if isinstance(node, cst.Name) else node
        if not isinstance(call, cst.Call):
            return ()
        function = self.context.function_of(call)
        by_yield = self.context.awaits_by_yield(function)
        if not self.context.is_asynchronous(function) or not self._can_await(call, by_yield):
            return ()
        word = "yield" if by_yield else "await"
        if self._needs_parentheses(call, by_yield=by_yield):
            edits = [before(self.context, call, f"({word} "), after(self.context, call, ")")]
        else:
            edits = [before(self.context, call, f"{word} ")]
        return (Fix(f"{word.capitalize()} it", Applicability.UNSAFE, tuple(edits)),)

    def _needs_parentheses(self, call: cst.Call, *, by_yield: bool) -> bool:
        """Whether the expression around a call would otherwise be awaited with it."""
        parent = self.context.parent(call)
        if by_yield:
            return not isinstance(parent, cst.Assign | cst.AnnAssign) and not call.lpar
        is_called = isinstance(parent, cst.Call) and parent.func is call
        # Its parentheses, if it has any, stay outside the edit.
        return (isinstance(parent, cst.Attribute | cst.Subscript) or is_called) and not call.lpar

    def _can_await(self, node: cst.CSTNode, by_yield: bool) -> bool:
        """Whether the comprehensions around a node let it be awaited, and stay what they are."""
        around = []
        for outer in self.context.around(node):
            if isinstance(outer, cst.FunctionDef):
                break
            if isinstance(outer, cst.BaseComp):
                around.append(outer)
        # A generator would become an asynchronous one; none can yield; and before Python 3.11
        # an asynchronous comprehension cannot stand in another.
        is_lazy = any(isinstance(each, cst.GeneratorExp) for each in around)
        return not around or not (by_yield or is_lazy or len(around) > 1)

    def _made(self, node: cst.Name, use: Use) -> cst.Call | None:
        """The one call that a name is bound to, if nothing but its value is ever asked for."""
        bindings = use.scope.bindings.get(node.value, [])
        function = self.context.function_of(node)
        if len(bindings) != 1 or bindings[0].path or not isinstance(function, cst.FunctionDef):
            return None
        scope = use.scope.node
        loads = [
            each
            for each in (all_nodes(scope) if scope else ())
            if isinstance(each, ast.Name)
            and each.id == node.value
            and isinstance(each.ctx, ast.Load)
        ]
        value = bindings[0].value
        if not isinstance(value, ast.Call) or not self._uses.keys() >= set(loads):
            return None
        calls = (each for each in all_code(function) if isinstance(each, cst.Call))
        return next((call for call in calls if self._is(call, value)), None)

    def _is(self, node: cst.Call, tree: ast.expr) -> bool:
        found = self.context.expression(node)
        return found is not None and found[0] is tree


def screen(unit: Unit) -> bool:
    return any(wrongly_used(use, unit) is not None for use in uses(unit)) or any(
        True for _ in misplaced(unit)
    )


RULE = Rule(
    code="LCX103",
    fixes="`await` (unsafe)",
    visitor=AwaitableAsValue,
    screen=screen,
)
