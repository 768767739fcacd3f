"""An awaitable is used as if it were the value that awaiting it gives.

## Why

A coroutine is always true, so an async predicate used as a condition is an access check that
always passes. It equals nothing, is found in nothing, and shows up in logs as
`<coroutine object ...>`; a Deferred or a task does the same. Other uses fail, but only when that
line is reached: so does a coroutine in what is sent as JSON, or for a parameter that nothing
declares and whose function iterates over it, asks for its length or for an attribute.

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

from logctx_lint.analysis.awaitables.asynchronous_managers import entered_as_plain
from logctx_lint.analysis.awaitables.declared_values import misplaced
from logctx_lint.analysis.awaitables.misused_values import wrongly_used
from logctx_lint.analysis.awaitables.mixed_displays import beside_values
from logctx_lint.analysis.awaitables.value_uses import Usage, Use, uses
from logctx_lint.analysis.callee import Evidence
from logctx_lint.analysis.casts import said_otherwise
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.surroundings import within
from logctx_lint.analysis.units import Unit
from logctx_lint.findings import Applicability, Fix, Profile
from logctx_lint.fixes.edits import after, before
from logctx_lint.inference.types import Kind
from logctx_lint.inference.use_def import Comprehension
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import all_nodes, is_name

_Wrong = dict[ast.expr, tuple[Use, Kind]]
"""The uses of awaitables as values, and which kind each of them is."""


def check(context: TreeContext) -> None:
    for node in filter(context.is_placed, entered_as_plain(context.unit)):
        what = "is an asynchronous context manager that is entered by `with`, which fails"
        context.report(RULE.code, node, f"`{context.line(node)}` {what}: `async with`")
    wrong = _wrong(context.unit)
    overruled = said_otherwise(context.unit) if wrong else frozenset()
    for node, (use, kind) in wrong.items():
        if node in overruled:
            continue
        is_reported = isinstance(node, ast.Call | ast.Name | ast.Attribute)
        if is_reported and (context.is_placed(node) or context.is_in_text(node)):
            _report(context, use, kind, wrong)


def _wrong(unit: Unit) -> _Wrong:
    found: _Wrong = {}
    for use in uses(unit):
        kind = wrongly_used(use, unit)
        if kind is not None:
            found.setdefault(use.node, (use, kind))
    for each in (*misplaced(unit), *beside_values(unit)):
        use = Use(each.call, each.scope, Usage.DECLARED, fate=each.fate)
        found.setdefault(each.call, (use, each.kind))
    return found


def _report(context: TreeContext, use: Use, kind: Kind, wrong: _Wrong) -> None:
    node, what = use.node, kind.with_article
    fate = use.fate or use.how.value
    if use.attribute:
        fate = f"asked for `{use.attribute}`, which it does not have"
    callee = context.callee(node) if isinstance(node, ast.Call) else None
    if callee:
        verb = "returns" if _is_certain(context, use) else "very likely returns"
        is_ = f"{callee.label} {verb} {what} ({callee.reason}) that"
    elif isinstance(node, ast.Attribute):
        is_ = f"`{context.line(node)}`, a property that is an `async def`, is {what} that"
    else:
        verb = "is" if _is_certain(context, use) else "is very likely"
        is_ = f"`{context.line(node)}` {verb} {what} that"
    function = context.function_of(node)
    cure = "yield it" if context.awaits_by_yield(function) else "await it"
    if kind.is_lazy and not context.is_asynchronous(function):
        cure = "await it, in an `async def`"
    is_declared = callee.evidence is Evidence.DECLARATION if callee else _is_declared_parameter(use)
    context.report(
        RULE.code,
        node,
        f"{is_} is {fate}: {cure}",
        _fixes(context, use, wrong),
        callee=callee,
        profile=Profile.STRICT if is_declared else Profile.RECOMMENDED,
    )


def _is_declared_parameter(use: Use) -> bool:
    """Whether only the annotation of a parameter, which the code here contradicts, says so."""
    if not isinstance(use.node, ast.Name):
        return False
    bindings = use.scope.reaching_name(use.node)
    return bool(bindings) and all(each.annotation and not each.value for each in bindings)


def _is_certain(context: TreeContext, use: Use) -> bool:
    resolver = context.resolver
    return resolver.awaitability(resolver.type_of(use.node, use.scope)).is_certain


def _fixes(context: TreeContext, use: Use, wrong: _Wrong) -> tuple[Fix, ...]:
    call = _made(context, use.node, use, wrong) if isinstance(use.node, ast.Name) else use.node
    if not isinstance(call, ast.Call):
        return ()
    function = context.function_of(call)
    by_yield = context.awaits_by_yield(function)
    if not context.is_asynchronous(function) or not _can_await(context, call, by_yield=by_yield):
        return ()
    word = "yield" if by_yield else "await"
    if _needs_parentheses(context, call, by_yield=by_yield):
        edits = [before(context, call, f"({word} "), after(context, call, ")")]
    else:
        edits = [before(context, call, f"{word} ")]
    return (Fix(f"{word.capitalize()} it", Applicability.UNSAFE, tuple(edits)),)


def _needs_parentheses(context: TreeContext, call: ast.Call, *, by_yield: bool) -> bool:
    """Whether the expression around a call would otherwise be awaited with it."""
    parent = context.parent(call)
    if by_yield:
        is_inside = not isinstance(parent, ast.Assign | ast.AnnAssign)
    else:
        is_called = isinstance(parent, ast.Call) and parent.func is call
        is_inside = isinstance(parent, ast.Attribute | ast.Subscript) or is_called
    # Its parentheses, if it has any, stay outside the edit.
    return is_inside and not context.is_parenthesized(call)


def _can_await(context: TreeContext, node: ast.AST, *, by_yield: bool) -> bool:
    """Whether the comprehensions around a node let it be awaited, and stay what they are."""
    around = [outer for outer, _ in within(context, node) if isinstance(outer, Comprehension)]
    # A generator would become an asynchronous one; none can yield; and before Python 3.11
    # an asynchronous comprehension cannot stand in another.
    is_lazy = any(isinstance(each, ast.GeneratorExp) for each in around)
    return not around or not (by_yield or is_lazy or len(around) > 1)


def _made(context: TreeContext, node: ast.Name, use: Use, wrong: _Wrong) -> ast.Call | None:
    """The one call that a name is bound to, if nothing but its value is ever asked for."""
    bindings = use.scope.bindings.get(node.id, [])
    function = context.function_of(node)
    if len(bindings) != 1 or bindings[0].path or not isinstance(function, FunctionNode):
        return None
    scope = use.scope.node
    loads = {
        each
        for each in (all_nodes(scope) if scope else ())
        if is_name(each, node.id) and isinstance(each.ctx, ast.Load)
    }
    value = bindings[0].value
    if not isinstance(value, ast.Call) or not wrong.keys() >= loads:
        return None
    return value if context.is_placed(value) and function in context.around(value) else None


RULE = Rule(
    code="LCX103",
    fixes="`await` (unsafe)",
    check=check,
)
