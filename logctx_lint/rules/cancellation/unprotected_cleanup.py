"""A lock is taken where a cancellation, or an error, can keep it from being released.

## Why

Between `await lock.acquire()` and the `try` whose `finally` releases it nothing may raise. Every
`await` there can: a cancellation comes out of it, the `finally` is never reached, and whoever wants
the lock afterwards waits forever.

An `acquire()` *inside* that `try` is as bad: when the waiting is cancelled, the `finally` releases
a lock that somebody else holds.

The shape of [anyio 398](https://github.com/agronholm/anyio/issues/398) (cancelled between taking a
lock and using it, httpcore's connections stood still), and of
[cpython 88157](https://github.com/python/cpython/issues/88157).

## Bad

```python
import asyncio


class Store:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def connect(self) -> None: ...

    async def write(self, text: str) -> None:
        await self.lock.acquire()
        await self.connect()
        try:
            print(text)
        finally:
            self.lock.release()
```

```python
import asyncio


class Store:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def send(self, text: str) -> None: ...

    async def write(self, text: str) -> None:
        try:
            await self.lock.acquire()
            await self.send(text)
        finally:
            self.lock.release()
```

## Good

```python
import asyncio


class Store:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def send(self, text: str) -> None: ...

    async def write(self, text: str) -> None:
        async with self.lock:
            await self.send(text)

    async def write_by_hand(self, text: str) -> None:
        await self.lock.acquire()
        try:
            await self.send(text)
        finally:
            self.lock.release()
```

## Fix

None: `async with` needs the block that it is for.

## When not to use it

Where the lock is released by somebody else, as by a callback of the task that the function starts:
nothing is reported where the function itself does not release it.

## Use instead

`async with lock:`. `logctx_lint.runtime.testing.cancel_at_each_await` finds what is left over.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.analysis.units import Unit
from logctx_lint.inference.types import Instance, members_of
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import own_nodes

_LOCKS = frozenset(
    f"asyncio.locks.{name}" for name in ("Lock", "Condition", "Semaphore", "BoundedSemaphore")
)
_Suspension = ast.Await | ast.AsyncFor | ast.AsyncWith


def check(context: TreeContext) -> None:
    for node, _ in context.unit.nodes(ast.Await):
        lock = _acquired(context, node)
        statement = context.parent(node)
        if lock is None or not isinstance(statement, ast.Expr | ast.Assign):
            continue
        outer = _releasing_try(context, statement, lock)
        if outer is not None:
            if outer.body[0] is statement:
                context.report(
                    RULE.code,
                    node,
                    f"if this is cancelled while it waits, the `finally` releases `{lock}`, which "
                    "somebody else holds: put it before the `try`, or use `async with`",
                )
        else:
            _check_following(context, node, statement, lock)


def _acquired(context: TreeContext, node: ast.Await) -> str | None:
    """The text of the lock of asyncio that is taken here."""
    match node.value:
        case ast.Call(ast.Attribute(lock, "acquire")) if _is_lock(context, lock):
            return ast.unparse(lock)
    return None


def _is_lock(context: TreeContext, node: ast.expr) -> bool:
    members = members_of(context.type_of(node))
    return all(isinstance(each, Instance) and each.cls.qualified_name in _LOCKS for each in members)


def _releasing_try(context: TreeContext, statement: ast.stmt, lock: str) -> ast.Try | None:
    """The `try` around a statement of its body that releases the lock whatever happens."""
    inner: ast.AST = statement
    for outer in context.around(statement):
        if isinstance(outer, FunctionNode):
            return None
        attempt = as_try(outer)
        if attempt and inner in attempt.body and _releases(attempt.finalbody, lock):
            return attempt
        inner = outer
    return None


def _releases(body: list[ast.stmt], lock: str) -> bool:
    """Whether a statement right in a block releases the lock."""
    return any(isinstance(each, ast.Expr) and _is_release(each.value, lock) for each in body)


def _is_release(node: ast.AST, lock: str) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "release"
        and ast.unparse(node.func.value) == lock
    )


def _check_following(context: TreeContext, node: ast.Await, statement: ast.stmt, lock: str) -> None:
    function = context.function_of(node)
    if not isinstance(function, FunctionNode) or _is_released_by_a_handler(function, lock):
        return
    for each, risks in _until_release(context, statement, lock):
        if risks:
            context.report(
                RULE.code,
                node,
                f"`{lock}` is never released if line {risks[0].lineno} raises or is cancelled, as "
                f"only line {each.lineno} releases it: use `async with`",
            )


def _until_release(
    context: TreeContext, statement: ast.stmt, lock: str
) -> Iterator[tuple[ast.stmt, list[_Suspension]]]:
    """The statement behind that releases the lock, and the suspension points before it."""
    risks: list[_Suspension] = []
    for each in context.behind(statement):
        attempt = as_try(each)
        if attempt is not None:
            final = any(_is_release(node, lock) for node in own_nodes(attempt.finalbody))
            if final:
                yield attempt.finalbody[0], risks
                return
        if _releases([each], lock):
            yield each, risks
            return
        if any(_is_release(node, lock) for node in own_nodes([each])):
            return  # On some path; which one is not known here.
        risks += [node for node in own_nodes([each]) if isinstance(node, _Suspension)]


def _is_released_by_a_handler(function: FunctionNode, lock: str) -> bool:
    return any(
        _is_release(node, lock)
        for handler in own_nodes(function.body)
        if isinstance(handler, ast.ExceptHandler)
        for node in own_nodes(handler.body)
    )


def screen(unit: Unit) -> bool:
    """Whether the unit takes and releases something."""
    return ".acquire()" in unit.text and ".release()" in unit.text


RULE = Rule(
    code="LCX307",
    fixes="none",
    screen=screen,
    check=check,
)
