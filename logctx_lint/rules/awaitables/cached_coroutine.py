"""A coroutine is kept and awaited again, as by a cache of what a function returned.

## Why

A coroutine can be awaited once. `functools.lru_cache`, `cache` and `cached_property` keep what the
function returned, and an `async def` returns a coroutine: the first caller awaits it, and every
later one gets `RuntimeError: cannot reuse already awaited coroutine`. The same happens to one
coroutine that a function awaits twice, that a retry awaits again, or that is kept in an attribute,
a dict or a variable of the module for the next call.

The shape of many reports, such as
[python-launch-library 9](https://github.com/Plutoberth/python-launch-library/issues/9) (the status
of the first launch is fetched, that of the second fails) and
[cachetools 92](https://github.com/tkem/cachetools/issues/92).

## Bad

```python
from functools import lru_cache


@lru_cache(maxsize=None)
async def commit_of(branch: str) -> str:
    return branch.upper()
```

```python
async def load() -> str:
    return "x"


async def twice() -> None:
    loading = load()
    print(await loading)
    print(await loading)
```

```python
async def load(key: str) -> str: ...


class Store:
    def __init__(self) -> None:
        self.known = {}

    async def get(self, key: str) -> str:
        if key not in self.known:
            self.known[key] = load(key)
        return await self.known[key]
```

## Good

```python
import asyncio


async def _load(branch: str) -> str:
    return branch.upper()


class Commits:
    def __init__(self) -> None:
        self.known: "dict[str, asyncio.Task[str]]" = {}

    async def of(self, branch: str) -> str:
        if branch not in self.known:
            self.known[branch] = asyncio.create_task(_load(branch))
        return await asyncio.shield(self.known[branch])
```

## Fix

None: a cache that knows coroutines (`async_lru`, a task for each key) is a choice of its own.

## Settings

`vocabulary` adds the project's own `result-cache` decorators.

## When not to use it

Where the cache is one that awaits the coroutine and keeps its result; such decorators are not in
the vocabulary.

## Use instead

A task for each key, behind `asyncio.shield`; with Twisted
`logctx_lint.runtime.ObservableDeferred`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.awaitables.decorator_blocks import wrapper_of
from logctx_lint.analysis.awaitables.reused_coroutines import (
    changes_result,
    may_reuse_coroutines,
    reused_coroutines,
)
from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.analysis.surroundings import within
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.types import Kind
from logctx_lint.inference.use_def import Binding, Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import body_nodes

_LOOPS = ast.For | ast.AsyncFor | ast.While
_CONDITIONAL = (ast.IfExp, ast.BoolOp, ast.comprehension, ast.Lambda, ast.ListComp, ast.SetComp,
                ast.DictComp, ast.GeneratorExp)  # fmt: skip
_COROUTINE = ("__await__", "send", "throw")
"""The methods of `collections.abc.Coroutine`."""
_LEAVING = (ast.Break, ast.Return, ast.Raise)


def check(context: TreeContext) -> None:
    for function in context.unit.scopes:
        assert isinstance(function, FunctionNode)
        _check_cache(context, function)
        reported = set(
            _check_awaits(context, function) if context.is_asynchronous(function) else ()
        )
        for each in (
            () if _is_of_coroutine(context, function) else reused_coroutines(context, function)
        ):
            if each.node not in reported:
                what = f"`{context.line(each.value)}` is {each.kind.with_article}"
                context.report(
                    RULE.code,
                    each.node,
                    f"{what}, which can be awaited once, and {each.why}: "
                    "keep its result, or make it a task",
                    profile=each.profile,
                )


def _is_of_coroutine(context: TreeContext, function: FunctionNode) -> bool:
    """Whether its class is a coroutine around another one, which can be awaited once itself."""
    found = context.unit.scopes[function].function
    methods = found.owner.facts.functions if found and found.owner else ()
    return all(each in methods for each in _COROUTINE)


def _check_cache(context: TreeContext, function: FunctionNode) -> None:
    """The cache has to stand next to the function: what is between may await it."""
    if not function.decorator_list:
        return
    decorator = function.decorator_list[-1]
    if Role.RESULT_CACHE not in context.roles(decorator) and not _keeps(
        context, function, decorator
    ):
        return
    facts = context.unit.scopes[function].function
    if isinstance(function, ast.AsyncFunctionDef):
        kind = "an async generator" if facts and facts.facts.is_generator else "a coroutine"
        how = "can be iterated once" if kind != "a coroutine" else "can be awaited once"
    elif facts and _returns_coroutine(context, function):
        kind, how = "a coroutine", "can be awaited once"
    else:
        return
    context.report(
        RULE.code,
        decorator,
        f"`@{context.line(decorator)}` keeps what `{function.name}()` returned, {kind}, which "
        f"{how}: the second caller fails; keep the result, or a task",
    )


def _keeps(context: TreeContext, function: FunctionNode, decorator: ast.expr) -> bool:
    """Whether a decorator of the project is such a cache."""
    if not isinstance(function, ast.AsyncFunctionDef):
        return False
    outer = context.unit.scopes[function].parent or Scope(context.file.module)
    wrapper = wrapper_of(context.file, decorator, outer)
    return wrapper is not None and wrapper.keeps()


def _returns_coroutine(context: TreeContext, function: FunctionNode) -> bool:
    """Whether a plain function, as it is without its decorators, gives a coroutine on each path."""
    returned = [node.value for node in body_nodes(function, ast.Return)]
    return bool(returned) and all(
        value is not None and _is_coroutine(context, value) for value in returned
    )


def _is_coroutine(context: TreeContext, node: ast.expr) -> bool:
    answer = context.awaitability(node)
    return answer.is_certain and answer.kind is Kind.COROUTINE


def _check_awaits(context: TreeContext, function: FunctionNode) -> Iterator[ast.AST]:
    """Awaits of one local name that is bound once to a coroutine, each surely behind another."""
    scope = context.unit.scopes[function]
    seen: dict[Binding, tuple[ast.Await, list[ast.AST]]] = {}
    awaits = body_nodes(function, ast.Await)
    for node in in_source_order(awaits):
        if not isinstance(node.value, ast.Name):
            continue
        name = node.value
        bindings = scope.reaching_name(name)
        if len(bindings) != 1 or not _makes_coroutine(context, bindings[0]):
            continue
        binding = bindings[0]
        places = [node, *context.around(node)]
        known = seen.setdefault(binding, (node, places))
        first = known[0]
        if first is not node and _is_behind(context, first, places):
            why = f"it is awaited in line {first.lineno} already"
        elif first is node and _repeats(context, node, binding):
            why = "the loop awaits it again"
        else:
            continue
        context.report(
            RULE.code,
            node,
            f"`{name.id}` is a coroutine, which can be awaited once, and {why}: "
            "keep its result, or make it a task",
        )
        yield node


def _makes_coroutine(context: TreeContext, binding: Binding) -> bool:
    """Whether a call that stands right in an assignment makes one."""
    if binding.kind != "value" or binding.path or not isinstance(binding.value, ast.Call):
        return False
    functions = context.functions(binding.value.func)
    # What a decorator makes of it may be awaited as often as one likes.
    is_plain = functions and all(
        each.facts.is_async and not changes_result(context, each) for each in functions
    )
    return bool(is_plain) and _is_coroutine(context, binding.value)


def _is_behind(context: TreeContext, first: ast.Await, places: list[ast.AST]) -> bool:
    """Whether the first await runs on every path to the places around another one."""
    statement = context.statement_of(first)
    if not isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign | ast.AugAssign):
        return False
    following = context.behind(statement)
    return not _is_conditional(context, first, statement) and any(
        place in following for place in places
    )


def _is_conditional(context: TreeContext, node: ast.AST, statement: ast.stmt) -> bool:
    """Whether an expression of a statement need not run when the statement does."""
    for outer in context.around(node):
        if outer is statement:
            return False
        if isinstance(outer, _CONDITIONAL):
            return True
    return True


def _repeats(context: TreeContext, node: ast.Await, binding: Binding) -> bool:
    """Whether the innermost loop that awaits it anew surely goes round, with no new coroutine."""
    for outer, inner in within(context, node):
        if isinstance(outer, ast.Try | ast.If | ast.Match):
            return False
        if isinstance(outer, _LOOPS) and _is_of_each_turn(outer, inner):
            inside = list(body_nodes(outer))
            makes = binding.value in inside
            return not makes and not any(isinstance(each, _LEAVING) for each in inside)
    return False


def _is_of_each_turn(loop: ast.For | ast.AsyncFor | ast.While, part: ast.AST) -> bool:
    """Whether a part of a loop runs on every turn: not what it iterates over, nor its `else`."""
    return part in loop.body or (isinstance(loop, ast.While) and part is loop.test)


def screen(unit: Unit) -> bool:
    """Whether a cache decorates a function, or a name is awaited twice."""
    roles = frozenset({Role.RESULT_CACHE})
    for function in unit.scopes:
        decorators = getattr(function, "decorator_list", [])
        last = decorators[-1] if decorators else None
        called = last.func if isinstance(last, ast.Call) else last
        if called is not None and (
            isinstance(function, ast.AsyncFunctionDef) or unit.file.may_play(called, roles)
        ):
            return True
    names = [each.value.id for each, _ in unit.nodes(ast.Await) if isinstance(each.value, ast.Name)]
    if len(set(names)) < len(names) or (
        bool(names) and any(isinstance(each, _LOOPS) for each, _ in unit.statements)
    ):
        return True
    return may_reuse_coroutines(unit)


RULE = Rule(
    code="LCX110",
    fixes="none",
    screen=screen,
    check=check,
)
