"""A loop leaves an asynchronous generator whose clean-up has not run.

## Why

`break` or `return` out of `async for` does not close the generator. Its `finally` blocks and the
`async with` around its `yield` run when the garbage collector finds it, in a task of the event
loop's own: later, in another context, and not at all where the loop has ended by then. `aclosing`
closes it where the block ends ([PEP 533](https://peps.python.org/pep-0533/) has the history, and
[adk-python 4894](https://github.com/google/adk-python/issues/4894) what it does to traces).

Only generators of the project are reported, and only those that have something to clean up. With
the profile `recommended` it is those that hold a log context, a span or a token, which cannot be
left from another task: CPython closes the others soon after.

## Bad

```python
import asyncio
from collections.abc import AsyncIterator


async def rows(lock: asyncio.Lock) -> "AsyncIterator[int]":
    async with lock:
        for number in range(10):
            yield number


async def first(lock: asyncio.Lock) -> int:
    async for number in rows(lock):
        if number > 3:
            return number
    return 0
```

## Good

```python
import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing


async def rows(lock: asyncio.Lock) -> "AsyncIterator[int]":
    async with lock:
        for number in range(10):
            yield number


async def first(lock: asyncio.Lock) -> int:
    async with aclosing(rows(lock)) as found:
        async for number in found:
            if number > 3:
                return number
    return 0
```

## Fix

None.

## When not to use it

Where the clean-up may run at any later time. Generators that clean up nothing are silent.

## Use instead

`contextlib.aclosing`. What a generator opens `logctx_lint.runtime.LoggingContext` for is better
opened by the loop.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.project.modules import Function
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import child_blocks, own_nodes

_CONTEXTUAL = frozenset(
    {Role.CONTEXT_MANAGER, Role.TRACING_SPAN, Role.CONTEXT_BINDING, Role.CONTEXT_TOKEN}
)


def check(context: TreeContext) -> None:
    for loop, _ in context.unit.statements:
        if not isinstance(loop, ast.AsyncFor) or not isinstance(loop.iter, ast.Call):
            continue
        leaving = next(_leaving(loop.body), None)
        functions = context.functions(loop.iter.func)
        if leaving is None or len(functions) != 1:
            continue
        cleanup = _cleanup(functions[0])
        if cleanup is not None:
            callee = context.callee(loop.iter).label
            word = type(leaving).__name__.lower()
            context.report(
                RULE.code,
                loop.iter,
                f"`{word}` in line {leaving.lineno} leaves {callee} without closing it, and its "
                f"clean-up (line {cleanup.lineno} of {functions[0].module.name}) runs some time "
                "later, in another task: iterate in `async with aclosing(...)`",
                profile=_profile(context, functions[0]),
            )


def _profile(context: TreeContext, function: Function) -> Profile:
    """Recommended where the clean-up has to run in the context that the generator began in."""
    file, code = context.file, code_of(function)
    for node in code.nodes if code else ():
        if isinstance(node, ast.Call) and code is not None:
            roles = file.roles(node.func, code.scope)
            if roles & _CONTEXTUAL:
                return Profile.RECOMMENDED
    return Profile.STRICT


def _leaving(body: list[ast.stmt], *, in_loop: bool = False) -> Iterator[ast.stmt]:
    """The statements of a loop's body that leave the loop."""
    for statement in body:
        match statement:
            case ast.Return():
                yield statement
            case ast.Break() if not in_loop:
                yield statement
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                pass
            case _:
                is_loop = isinstance(statement, ast.For | ast.AsyncFor | ast.While)
                for block in child_blocks(statement):
                    yield from _leaving(block, in_loop=in_loop or is_loop)


def _cleanup(function: Function) -> ast.stmt | None:
    """What an undecorated asynchronous generator does when it is closed at a `yield`."""
    facts = function.facts
    if not (facts.is_async and facts.is_generator) or facts.decorators:
        return None
    code = code_of(function)
    for node in code.nodes if code else ():
        if isinstance(node, ast.AsyncWith) and _yields(node.body):
            return node
        final: list[ast.stmt] = getattr(node, "finalbody", [])
        guarded: list[ast.stmt] = getattr(node, "body", []) if final else []
        done = [each for each in final if not _does_nothing(each)]
        if done and _yields(guarded):
            return done[0]
    return None


def _does_nothing(statement: ast.stmt) -> bool:
    """`pass`, or a last `yield`, which is no clean-up."""
    match statement:
        case ast.Pass() | ast.Expr(ast.Yield() | ast.Constant()):
            return True
    return False


def _yields(body: list[ast.stmt]) -> bool:
    return any(own_nodes(body, ast.Yield))


def screen(unit: Unit) -> bool:
    """Whether an asynchronous loop may be left early."""
    text = unit.text
    return "async for" in text and ("break" in text or "return" in text)


RULE = Rule(
    code="LCX112",
    fixes="none",
    screen=screen,
    check=check,
)
