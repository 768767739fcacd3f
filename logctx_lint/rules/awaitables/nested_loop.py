"""An event loop is started inside a running one, or coroutines are given to what takes none.

## Why

`asyncio.run()` and `loop.run_until_complete()` raise `RuntimeError` in a thread whose loop runs,
and a coroutine function runs nowhere else. The coroutine that was made for them never runs: Python
warns that it was never awaited.

Where `except RuntimeError` around `asyncio.run(f())` finds that out and calls `f()` again, the
first coroutine is left over, and a `RuntimeError` out of the work itself makes it run twice. The
shape of [hermes-agent 2317](https://github.com/NousResearch/hermes-agent/pull/2317).

`asyncio.wait()` takes tasks and futures. Given coroutines, be it in a list that they were appended
to, it raises `TypeError` since Python 3.11.

## Bad

```python
import asyncio


async def fetch() -> str:
    return "x"


async def handle() -> str:
    return asyncio.run(fetch())
```

```python
import asyncio


async def fetch() -> str:
    return "x"


async def both() -> None:
    await asyncio.wait([fetch(), fetch()])
```

## Good

```python
import asyncio


async def fetch() -> str:
    return "x"


async def handle() -> str:
    return await fetch()


async def both() -> None:
    tasks = [asyncio.create_task(fetch()), asyncio.create_task(fetch())]
    await asyncio.wait(tasks)


def main() -> str:
    return asyncio.run(handle())
```

## Fix

None.

## Settings

`vocabulary` adds the project's own `loop-runner` names.

## When not to use it

Where `nest_asyncio` is applied; a module that imports it is left alone.

## Use instead

`await`; `logctx_lint.runtime.tasks.run_in_background` for work that nobody waits for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.awaitables.gathered_operands import parts
from logctx_lint.analysis.call_sites import calls_of
from logctx_lint.analysis.context import TreeContext, arguments, as_try
from logctx_lint.analysis.surroundings import within
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.future_uses import Body
from logctx_lint.inference.known_names import WAIT
from logctx_lint.inference.types import Kind
from logctx_lint.project.modules import Function
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes

_RUNNERS = frozenset({Role.LOOP_RUNNER})
_RUN = frozenset({"asyncio.run", "asyncio.runners.run"})
_LONGEST_WAY = 2
"""How many plain functions may stand between a coroutine and the loop."""
_CONDITIONS = (ast.If, ast.IfExp, ast.Try, ast.Lambda, ast.BoolOp, ast.Match)


def check(context: TreeContext) -> None:
    if context.file.source.mentions("nest_asyncio"):
        return
    for call, _ in context.unit.nodes(ast.Call):
        if not context.is_placed(call):
            continue
        if Role.LOOP_RUNNER in context.roles(call):
            _check_runner(context, call)
        elif WAIT & set(context.names(call)):
            _check_wait(context, call)


def _check_runner(context: TreeContext, call: ast.Call) -> None:
    function = context.function_of(call)
    is_expected = _is_expected_to_fail(context, call)
    if isinstance(function, ast.AsyncFunctionDef) and not is_expected:
        given = next(iter(arguments(call)), None)
        lost = ""
        if isinstance(given, ast.Call) and context.awaitability(given).kind is Kind.COROUTINE:
            lost = f", and {context.callee(given).label} never runs"
        instead = "`await` it" if given is not None else "let the running loop do it"
        context.report(
            RULE.code,
            call,
            f"`{context.line(call.func)}()` fails in a coroutine, whose loop is running{lost}: "
            f"{instead}",
        )
    elif is_expected and _RUN & set(context.names(call)):
        _check_fallback(context, call)
    elif isinstance(function, ast.FunctionDef) and not is_expected:
        _check_callers(context, call, function)


def _check_callers(context: TreeContext, call: ast.Call, function: ast.FunctionDef) -> None:
    """A loop that a plain function runs, whatever there is, and a coroutine that calls it."""
    own = context.scopes[call].function
    if own is None or not _is_always_made(call, function):
        return
    caller = next(_coroutines_calling(context, own, _LONGEST_WAY), None)
    if caller is not None:
        context.report(
            RULE.code,
            call,
            f"`{context.line(call.func)}()` fails in a running loop, and `{caller.name}()` "
            f"({caller.module.place_of(caller)}), a coroutine, calls `{own.name}()`: make that "
            "`async`, and `await` it",
        )


def _is_always_made(call: ast.Call, function: ast.FunctionDef) -> bool:
    """Whether a function makes a call whatever it is given: no condition, no way out before."""
    body = Body(function)
    outer = body.parent(call)
    while outer is not None and outer is not function:
        if isinstance(outer, _CONDITIONS):
            return False
        outer = body.parent(outer)
    return not any(
        isinstance(node, ast.Return | ast.Raise) and node.lineno < call.lineno
        for node in body_nodes(function)
    )


def _coroutines_calling(context: TreeContext, function: Function, ways: int) -> Iterator[Function]:
    """The coroutines that call a plain function themselves, or by another plain one."""
    for call, scope, _ in calls_of(context.resolver, function):
        caller = scope.function
        if caller is None or isinstance(scope.node, ast.Lambda) or caller == function:
            continue
        if caller.facts.is_async:
            yield caller
        elif (
            ways > 1
            and isinstance(scope.node, ast.FunctionDef)
            and _is_always_made(call, scope.node)
        ):
            yield from _coroutines_calling(context, caller, ways - 1)


def _check_fallback(context: TreeContext, call: ast.Call) -> None:
    """`asyncio.run(f())`, and `f()` once more where that raised RuntimeError."""
    made = next(iter(arguments(call)), None)
    attempt = _attempt(context, call)
    if attempt is None or not isinstance(made, ast.Call):
        return
    if context.awaitability(made).kind is not Kind.COROUTINE:
        return
    text = ast.unparse(made)
    again = any(
        isinstance(node, ast.Call) and ast.unparse(node) == text
        for handler in attempt.handlers
        for statement in handler.body
        for node in all_nodes(statement)
    )
    if again:
        label = context.callee(made).label
        context.report(
            RULE.code,
            call,
            f"where a loop runs already, the coroutine of {label} made here never runs; and when "
            f"{label} itself raises RuntimeError, it runs twice: ask "
            "`asyncio.get_running_loop()` first",
        )


def _attempt(context: TreeContext, call: ast.Call) -> ast.Try | None:
    """The `try` around a call that catches RuntimeError by name."""
    for outer, inner in within(context, call):
        if isinstance(outer, ast.Lambda):
            return None
        attempt = as_try(outer)
        if (
            attempt
            and inner in attempt.body
            and any(
                handler.type is not None and _names_runtime_error(context, handler.type)
                for handler in attempt.handlers
            )
        ):
            return attempt
    return None


def _names_runtime_error(context: TreeContext, clause: ast.expr) -> bool:
    parts = clause.elts if isinstance(clause, ast.Tuple) else [clause]
    return any("builtins.RuntimeError" in context.names(each) for each in parts)


def _is_expected_to_fail(context: TreeContext, call: ast.Call) -> bool:
    """Whether RuntimeError is caught around it, or a test waits for it."""
    if _attempt(context, call) is not None:
        return True
    return any(
        isinstance(item.context_expr, ast.Call)
        and any(
            "builtins.RuntimeError" in context.names(each)
            for each in arguments(item.context_expr)
            if isinstance(each, ast.Name | ast.Attribute)
        )
        for outer in context.around(call)
        if isinstance(outer, ast.With | ast.AsyncWith)
        for item in outer.items
    )


def _check_wait(context: TreeContext, call: ast.Call) -> None:
    if not call.args:
        return
    for each in _waited_for(context, call.args[0]):
        if not isinstance(each, ast.Call):
            continue
        answer = context.awaitability(each)
        if answer.is_certain and answer.kind is Kind.COROUTINE:
            context.report(
                RULE.code,
                each,
                f"`{context.line(call.func)}()` takes no coroutines since Python 3.11, and raises "
                f"TypeError for {context.callee(each).label}: start a task for each, or use "
                "`gather`",
            )
            return


def _waited_for(context: TreeContext, node: ast.expr) -> Iterator[ast.expr]:
    """The elements of what is given to `asyncio.wait()`, also those that were appended to it.

    `tasks = [create_task(each) for each in tasks]`: what was in a list before it was bound anew
    is not waited for.
    """
    if isinstance(node, ast.Name):
        scope = context.scopes[node]
        if len(scope.bindings.get(node.id, ())) != 1:
            reaching = scope.reaching_name(node)
            values = [each.value for each in reaching if each.kind == "value" and not each.path]
            known = [each for each in values if each is not None and each in context.scopes]
            if len(reaching) == len(known) == 1 and not isinstance(known[0], ast.Name):
                yield from parts(context, known[0])
            return
    yield from parts(context, node)


def screen(unit: Unit) -> bool:
    """Whether something is called that runs a loop, or waits for tasks."""
    return unit.may_call(_RUNNERS) or ".wait(" in unit.text or "wait(" in unit.text


RULE = Rule(
    code="LCX111",
    fixes="none",
    screen=screen,
    check=check,
)
