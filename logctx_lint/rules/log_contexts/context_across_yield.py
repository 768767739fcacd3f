"""A generator holds a log context, span or context variable while it yields.

## Why

A generator has no context of its own. Between two of its steps the code that iterates over it runs
inside what the generator has opened: its log lines, spans and errors are filed under the wrong
context. And where an asynchronous generator is closed, by the garbage collector, another task or a
client that disconnects, it is in another context than it began in: resetting the token raises
`ValueError: was created in a different Context`, and OpenTelemetry logs "Failed to detach context".

The shape of many reports:
[opentelemetry-python 2606](https://github.com/open-telemetry/opentelemetry-python/issues/2606),
[adk-python 4894](https://github.com/google/adk-python/issues/4894) (an answer is streamed out of a
span, and its reader stops early),
[langfuse 13590](https://github.com/langfuse/langfuse/issues/13590).

## Bad

```python
from collections.abc import AsyncIterator

from logctx_lint.runtime import LoggingContext


async def lines(chunks: "AsyncIterator[str]") -> "AsyncIterator[str]":
    with LoggingContext("stream"):
        async for chunk in chunks:
            yield chunk.upper()
```

```python
from collections.abc import AsyncIterator
from contextvars import ContextVar

crawling: "ContextVar[bool]" = ContextVar("crawling", default=False)


async def pages(urls: "list[str]") -> "AsyncIterator[str]":
    token = crawling.set(True)
    try:
        for url in urls:
            yield url
    finally:
        crawling.reset(token)
```

## Good

```python
from collections.abc import AsyncIterator

from logctx_lint.runtime import LoggingContext


async def lines(chunks: "AsyncIterator[str]") -> "AsyncIterator[str]":
    async for chunk in chunks:
        with LoggingContext("line"):
            line = chunk.upper()
        yield line
```

```python
from collections.abc import Iterator
from contextlib import contextmanager

from logctx_lint.runtime import LoggingContext


@contextmanager
def job(name: str) -> "Iterator[None]":
    with LoggingContext(name):
        yield
```

## Fix

None: open the context around each step, or in the code that iterates.

## Settings

`vocabulary` adds the project's own `context-manager`, `context-binding`, `tracing-span`,
`context-token`, `token-resetter` and `context-unbinder` names. Context managers of the project that
set and reset a variable, or open such a one, are known by what they do.

## When not to use it

Generators under `@contextmanager`, fixtures and other decorators are silent. So is an undecorated
generator with one `yield` that no loop is around, in a module where it is handed on by its name:
frameworks use such as context managers (`Depends(session)`), and objects whose `__call__` is one,
likewise. One that nothing in the project calls is reported with the profile `strict` only.

A generator that all its callers consume at once (`list(walk())`, `"".join(words())`) is silent, as
nothing else runs between its steps; one that coroutines read in `async with aclosing(...)` is
closed where it began, and reported with the profile `strict`.

## Use instead

`with` around the loop that iterates; `logctx_lint.runtime.LoggingContext` around one step.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.analysis.log_contexts.context_managers import holds
from logctx_lint.analysis.log_contexts.generator_consumers import Consumed, consumed, is_iterated
from logctx_lint.analysis.surroundings import is_in_loop
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.inference.known_names import MARKS
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Class
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, is_name, last_name

_HELD = frozenset(
    {Role.CONTEXT_MANAGER, Role.SENTINEL_GUARD, Role.TRACING_SPAN, Role.CONTEXT_BINDING}
)
_RESETTERS = frozenset({Role.TOKEN_RESETTER, Role.CONTEXT_UNBINDER})
_ENTERING = frozenset({"enter_context", "enter_async_context"})
_TRANSPARENT = MARKS | {"functools.wraps"}
"""Decorators under which a generator function stays one."""


@dataclass(frozen=True, slots=True)
class _Held:
    """Something that is kept in the context while a generator yields."""

    node: ast.expr
    claim: str
    if_closed_elsewhere: str
    """What is wrong besides unless the generator is closed where it began."""
    cure: str
    is_strict: bool = False


def check(context: TreeContext) -> None:
    for function in context.unit.scopes:
        assert isinstance(function, FunctionNode)
        yields = _yields(function)
        if not yields or context.awaits_by_yield(function) or _is_managed(context, function):
            continue
        is_single = len(yields) == 1 and not is_in_loop(context, yields[0])
        if is_single and _is_handed_on(context, function):
            continue
        found = [
            *_blocks(context, function, yields),
            *_tokens(context, function, yields),
            *_bindings(context, function, yields),
        ]
        if found:
            _report(context, function, found, is_single=is_single)


def _report(
    context: TreeContext, function: FunctionNode, found: list[_Held], *, is_single: bool
) -> None:
    taken = consumed(context, function)
    if taken is Consumed.AT_ONCE:
        return
    profile = Profile.STRICT if taken is Consumed.CLOSED else Profile.RECOMMENDED
    if is_single and (owner := _called_object(context, function)):
        # What a framework calls, enters and leaves: `Depends(Session(engine))`.
        if not is_iterated(context, owner):
            return
    elif is_single and _may_be_a_manager(context, function):
        profile = Profile.STRICT
    for each in found:
        elsewhere = "" if taken is Consumed.CLOSED else each.if_closed_elsewhere
        context.report(
            RULE.code,
            each.node,
            f"{each.claim}{elsewhere}; {each.cure}",
            profile=Profile.STRICT if each.is_strict else profile,
        )


def _yields(function: FunctionNode) -> list[ast.expr]:
    found = (node for node in body_nodes(function) if isinstance(node, ast.Yield | ast.YieldFrom))
    return in_source_order(found)


def _is_managed(context: TreeContext, function: FunctionNode) -> bool:
    """Whether a decorator may make something else of the generator."""
    return any(
        not _TRANSPARENT & set(context.names(decorator)) for decorator in function.decorator_list
    )


def _is_handed_on(context: TreeContext, function: FunctionNode) -> bool:
    """Whether the module names a function anywhere but to call it."""
    called: set[ast.expr] = set()
    named: list[ast.expr] = []
    for node in all_nodes(context.file.tree):
        if isinstance(node, ast.Call):
            called.add(node.func)
        if is_name(node, function.name) or (
            isinstance(node, ast.Attribute) and node.attr == function.name
        ):
            named.append(node)
    return any(each not in called for each in named)


def _may_be_a_manager(context: TreeContext, function: FunctionNode) -> bool:
    """Whether a generator that yields once is plain, or a function that this project only hands on
    in other modules, as far as is known: then a framework enters and leaves it."""
    if not isinstance(function, ast.AsyncFunctionDef):
        return True
    if _is_called(context, function.name):
        return False
    calls = context.resolver.references.calls(function.name, context.file.module)
    return next(iter(calls), None) is None


def _is_called(context: TreeContext, name: str) -> bool:
    """Whether the module calls something of this name."""
    return any(last_name(node.func) == name for node in all_nodes(context.file.tree, ast.Call))


def _called_object(context: TreeContext, function: FunctionNode) -> Class | None:
    """The class whose objects are called by a function of the unit."""
    is_method = function is context.unit.node and function.name == "__call__"
    return context.unit.scope.owner if is_method else None


def _blocks(
    context: TreeContext, function: FunctionNode, yields: list[ast.expr]
) -> Iterator[_Held]:
    reported: set[ast.AST] = set()
    for node in yields:
        for block in _blocks_around(context, node, function):
            held = _held(context, block) or _entered(context, block, node)
            if held is not None and block not in reported:
                reported.add(block)
                yield _Held(
                    node,
                    f"`{context.line(held)}` (line {held.lineno}) stays open while "
                    f"`{function.name}()` yields: the code that iterates runs in it",
                    ", and it may be closed in another context",
                    "open it around each step, or around the iteration",
                )


def _blocks_around(
    context: TreeContext, node: ast.AST, function: FunctionNode
) -> Iterator[ast.With | ast.AsyncWith]:
    for outer in context.around(node):
        if outer is function:
            return
        if isinstance(outer, ast.With | ast.AsyncWith):
            yield outer


def _entered(
    context: TreeContext, block: ast.With | ast.AsyncWith, node: ast.AST
) -> ast.expr | None:
    """What an `ExitStack` has entered before a node of its block."""
    for inner in in_source_order(body_nodes(block, ast.Call)):
        match inner:
            case ast.Call(ast.Attribute(_, name), [entered]) if name in _ENTERING:
                scope = context.scopes[entered]
                is_before = inner.lineno < getattr(node, "lineno", 0)
                if is_before and holds(context.file, entered, scope, _HELD):
                    return entered
    return None


def _held(context: TreeContext, block: ast.With | ast.AsyncWith) -> ast.expr | None:
    """What of a block's items is kept in the current context."""
    for item in block.items:
        value = item.context_expr
        if holds(context.file, value, context.scopes[value], _HELD):
            return value
    return None


def _tokens(
    context: TreeContext, function: FunctionNode, yields: list[ast.expr]
) -> Iterator[_Held]:
    """A token made before a `yield` and used behind it."""
    nodes = list(body_nodes(function))
    for call in in_source_order(each for each in nodes if isinstance(each, ast.Call)):
        if Role.TOKEN_RESETTER not in context.roles(call):
            continue
        made = _made(context, call)
        if made is None:
            continue
        between = [each for each in yields if made.lineno < each.lineno < call.lineno]
        loop = _common_loop(context, made, call)
        if between and all(loop is None or loop in context.around(each) for each in between):
            yield _Held(
                call,
                f"`{context.line(made)}` (line {made.lineno}) holds while `{function.name}()` "
                "yields: the code that iterates sees it",
                ", and where the generator is closed in another context, resetting it fails",
                "set and reset it within one step",
            )


def _made(context: TreeContext, call: ast.Call) -> ast.Call | None:
    """The call that made the token which another one is given by a local name."""
    for argument in call.args:
        name = argument.value if isinstance(argument, ast.Starred) else argument
        if not isinstance(name, ast.Name):
            continue
        scope = context.scopes[name]
        for binding in scope.reaching_name(name):
            value = binding.value
            if (
                binding.kind == "value"
                and isinstance(value, ast.Call)
                and value in context.scopes
                and Role.CONTEXT_TOKEN in context.roles(value)
            ):
                return value
    return None


def _bindings(
    context: TreeContext, function: FunctionNode, yields: list[ast.expr]
) -> Iterator[_Held]:
    """Values that are bound before a `yield` and taken out of the context behind it."""
    calls = in_source_order(body_nodes(function, ast.Call))
    for bound in calls:
        if not isinstance(context.parent(bound), ast.Expr):
            continue
        if Role.CONTEXT_TOKEN not in context.roles(bound):
            continue
        removed = [
            each
            for each in calls
            if each.lineno > bound.lineno and Role.CONTEXT_UNBINDER in context.roles(each)
        ]
        if removed and any(bound.lineno < each.lineno < removed[-1].lineno for each in yields):
            yield _Held(
                bound,
                f"what this binds is still bound while `{function.name}()` yields: the code that "
                "iterates logs it, too, and loses it when that is taken out again",
                "",
                "bind it around each step",
                is_strict=True,
            )
            return


def _common_loop(context: TreeContext, first: ast.AST, second: ast.AST) -> ast.AST | None:
    """The innermost loop that is around both: each turn of it has a token of its own."""
    outer = list(context.around(second))
    loops = (each for each in context.around(first) if isinstance(each, ast.For | ast.While))
    return next((each for each in loops if each in outer), None)


def screen(unit: Unit) -> bool:
    """Whether a generator opens a context or resets a token."""
    if "yield" not in unit.text or not unit.scopes:
        return False
    return unit.may_call(_RESETTERS) or "with " in unit.text


RULE = Rule(
    code="LCX405",
    fixes="none",
    screen=screen,
    check=check,
)
