"""A task is cancelled and not waited for, though its end takes time.

## Why

`task.cancel()` asks. The task ends when it has run its `finally` blocks and handlers, which may
await: flush a buffer, close a connection. Code that goes on at once finds them half done: a
`close()` has returned while data is still being written, a restarted worker runs beside the old
one, and at the end of the program asyncio says "Task was destroyed but it is pending".

The shape of [OSMO 412](https://github.com/NVIDIA/OSMO/pull/412) and
[aiohttp-devtools 622](https://github.com/aio-libs/aiohttp-devtools/pull/622).

It is reported, with the profile `strict`, in `async def` functions, for tasks of which it is known
what they run, when that awaits something in a `finally` block or a handler of the cancellation. So
are

- the tasks that `asyncio.wait()` leaves running when its time is over or one has ended;
- a `stop()`, `close()` or the like that only cancels;
- `asyncio.gather()` without `return_exceptions` in a `try` whose handler goes on: where one of the
  coroutines fails, the others are neither cancelled nor waited for.

## Bad

```python
import asyncio


class Log:
    def start(self) -> None:
        self.writer = asyncio.create_task(self.write())

    async def flush(self) -> None: ...

    async def write(self) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await self.flush()

    async def close(self) -> None:
        self.writer.cancel()
```

## Good

```python
import asyncio


class Log:
    def start(self) -> None:
        self.writer = asyncio.create_task(self.write())

    async def flush(self) -> None: ...

    async def write(self) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await self.flush()

    async def close(self) -> None:
        self.writer.cancel()
        await asyncio.gather(self.writer, return_exceptions=True)
```

## Fix

None: whether the failure of the task is of interest, too, is for a person to say.

## Settings

`vocabulary` adds the project's own `task-starter` names.

## When not to use it

Where the end of the task is of no interest to anybody. What somebody waits for elsewhere in the
class is silent.

## Use instead

`await asyncio.gather(task, return_exceptions=True)`, or a `TaskGroup`.
`logctx_lint.runtime.testing.cancel_at_each_await` shows what a cancelled function leaves undone.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.awaitables.ownership import sees_to_failures
from logctx_lint.analysis.called_code import code_of, reached
from logctx_lint.analysis.cancellation.early_waits import (
    hands_on,
    is_used_behind,
    left_running,
    waits,
)
from logctx_lint.analysis.cancellation.task_ends import is_announced_and_awaited, slow_end
from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.analysis.exception_handlers import caught_by
from logctx_lint.analysis.own_class import class_node
from logctx_lint.analysis.service_ends import ends_service
from logctx_lint.analysis.started_tasks import run_by_attribute, run_by_local
from logctx_lint.analysis.surroundings import within
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.inference.known_names import GATHER
from logctx_lint.inference.suspensions import calls_that_never_suspend
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, call_arguments, is_name

_ENDS = frozenset({Role.SERVICE_END})
_MANAGER = "contextlib.asynccontextmanager"
_DISPLAYS = ast.List | ast.Tuple | ast.Set


def check(context: TreeContext) -> None:
    for function in context.unit.scopes:
        if isinstance(function, ast.AsyncFunctionDef):
            for node in body_nodes(function):
                if isinstance(node, ast.Call):
                    _check_cancel(context, function, node)
                attempt = as_try(node)
                if attempt is not None:
                    _check_gather(context, function, attempt)
            _check_wait(context, function)


def _check_cancel(context: TreeContext, function: ast.AsyncFunctionDef, call: ast.Call) -> None:
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "cancel" or call.args:
        return
    if not isinstance(context.parent(call), ast.Expr):
        return
    task = call.func.value
    functions, texts = _runs(context, function, task)
    cleanup = next(
        (found for each in functions if (found := slow_end(context, function, each))), None
    )
    is_end = bool(functions) and _ends_everything(context, function)
    if not (cleanup or is_end) or _is_seen_to(context, function, call, texts):
        return
    if is_announced_and_awaited(context, function, call, functions):
        return
    if any(_may_run_in(context, function, each) for each in functions):
        return  # A task cannot wait for its own end.
    if cleanup:
        name = cleanup[0].name
        why = f"still awaits when it ends (line {cleanup[1].lineno} of {cleanup[0].module.name})"
    else:
        name, why = functions[0].name, f"has not ended when `{function.name}()` goes on"
    context.report(
        RULE.code,
        call,
        f"`{ast.unparse(task)}` is cancelled and not waited for, though `{name}()` {why}: await "
        "it, as by `asyncio.gather(..., return_exceptions=True)`",
        profile=Profile.STRICT,
    )


def _ends_everything(context: TreeContext, function: ast.AsyncFunctionDef) -> bool:
    """Whether whoever awaits a function counts on what belongs to it having ended."""
    return ends_service(context, function) or any(
        _MANAGER in context.names(each) for each in function.decorator_list
    )


def _runs(
    context: TreeContext, function: ast.AsyncFunctionDef, task: ast.expr
) -> tuple[list[Function], set[str]]:
    """What runs in a task, and the names of the task or of what it was taken from."""
    match task:
        case ast.Attribute(ast.Name("self"), name):
            return run_by_attribute(context, name), {f"self.{name}"}
        case ast.Name(name):
            for outer, _ in within(context, task):
                if isinstance(outer, ast.For) and isinstance(outer.target, ast.Name):
                    attribute = _attribute_in(outer.iter)
                    if outer.target.id == name and attribute:
                        return run_by_attribute(context, attribute), {name, f"self.{attribute}"}
                    if outer.target.id == name and isinstance(outer.iter, ast.Name):
                        return _runs_in_all(context, function, outer.iter)
            return run_by_local(context, task), {name}
    return [], set()


def _may_run_in(context: TreeContext, function: ast.AsyncFunctionDef, runs: Function) -> bool:
    """Whether a method is called by what runs in a task, by its name or out of a table.

    self.commands = {name: getattr(self, name) for name in dir(self)}
    ...
    await self.commands[name](line)
    """
    start = code_of(runs)
    if start is None:
        return False
    names = {each.function.name for each in reached(context.file, [start]) if each.function}
    cls = class_node(context)
    looked_up = cls is not None and any(map(_looks_up_methods, all_nodes(cls)))
    return function.name in names or (looked_up and any(map(_awaits_unnamed, start.nodes)))


def _looks_up_methods(node: ast.AST) -> bool:
    match node:
        case ast.Call(ast.Name("getattr"), [ast.Name("self"), name, *_]):
            return not isinstance(name, ast.Constant)
    return False


def _awaits_unnamed(node: ast.AST) -> bool:
    match node:
        case ast.Await(ast.Call(ast.Name() | ast.Subscript() | ast.Call())):
            return True
    return False


def _runs_in_all(
    context: TreeContext, function: ast.AsyncFunctionDef, tasks: ast.Name
) -> tuple[list[Function], set[str]]:
    """What runs in the tasks that a local name holds, as `pending` of `done, pending = wait(x)`."""
    found, texts = run_by_local(context, tasks), {tasks.id}
    for wait in waits(context, function):
        if wait.pending is not None and wait.pending.id == tasks.id:
            for each in wait.tasks:
                found += run_by_local(context, each)
                texts.add(each.id)
    return found, texts


def _attribute_in(node: ast.expr) -> str | None:
    """The attribute of the object that is looped over, copied or not."""
    found = [each.attr for each in all_nodes(node, ast.Attribute) if is_name(each.value, "self")]
    return found[0] if len(found) == 1 else None


def _is_seen_to(
    context: TreeContext, function: ast.AsyncFunctionDef, call: ast.Call, texts: set[str]
) -> bool:
    """Whether somebody waits for the task: this function afterwards, or any method of the class."""
    for node in body_nodes(function):
        if getattr(node, "lineno", 0) > call.lineno and _mentions_use(node, texts):
            return True
    shared = {text for text in texts if text.startswith("self.")}
    cls = class_node(context) if shared else None
    return any(
        (isinstance(node, ast.Await) and _mentions(node, shared)) or hands_on(node, shared)
        for node in (all_nodes(cls) if cls else ())
    )


def _mentions_use(node: ast.AST, texts: set[str]) -> bool:
    """Whether a task is awaited, returned, handed on or put into a collection."""
    if isinstance(node, ast.Await | ast.Return):
        return _mentions(node, texts)
    if isinstance(node, ast.Assign | ast.AugAssign) and isinstance(node.value, _DISPLAYS):
        return _mentions(node.value, texts)
    return isinstance(node, ast.Call) and any(
        _mentions(each, texts) for each in call_arguments(node)
    )


def _mentions(node: ast.AST, texts: set[str]) -> bool:
    return any(
        isinstance(each, ast.Name | ast.Attribute) and ast.unparse(each) in texts
        for each in all_nodes(node)
    )


def _check_gather(context: TreeContext, function: FunctionNode, attempt: ast.Try) -> None:
    handlers = [
        each
        for each in attempt.handlers
        if not _leaves(each.body) and not caught_by(context, each.type).by_name
    ]
    if not handlers:
        return
    for node in body_nodes(attempt):
        if (
            isinstance(node, ast.Await)
            and isinstance(node.value, ast.Call)
            and GATHER & set(context.names(node.value))
            and not any(each.arg in ("return_exceptions", None) for each in node.value.keywords)
            and _starts_several(context, node.value)
            and not is_used_behind(function, node, _task_names(node.value))
        ):
            context.report(
                RULE.code,
                node.value,
                "where one of these fails, the others go on behind the handler in line "
                f"{handlers[0].lineno}, and nobody waits for them: use a `TaskGroup`, or "
                "`return_exceptions=True`",
                profile=Profile.STRICT,
            )


def _task_names(call: ast.Call) -> set[str]:
    given = (each.value if isinstance(each, ast.Starred) else each for each in call.args)
    return {each.id for each in given if isinstance(each, ast.Name)}


def _check_wait(context: TreeContext, function: ast.AsyncFunctionDef) -> None:
    for wait in left_running(context, function):
        context.report(
            RULE.code,
            wait.call,
            "what has not ended by then goes on, and nobody waits for it or cancels it: cancel "
            "the pending tasks, and await them",
            profile=Profile.STRICT,
        )


def _leaves(body: list[ast.stmt]) -> bool:
    """Whether a handler always raises."""
    return any(isinstance(statement, ast.Raise) for statement in body)


def _starts_several(context: TreeContext, call: ast.Call) -> bool:
    """Whether coroutines that may fail are made in the call, one and others, or right before it,
    for tasks that only it is given."""
    made: list[ast.Call] = []
    many: list[ast.Call] = []
    for each in call.args:
        value = each.value if isinstance(each, ast.Starred) else each
        for bound in _bound(context, value):
            match bound:
                case ast.ListComp(ast.Call() as element) | ast.GeneratorExp(ast.Call() as element):
                    many.append(_coroutine(context, element))
                case ast.List(elements) | ast.Tuple(elements):
                    made += [_coroutine(context, e) for e in elements if isinstance(e, ast.Call)]
                case ast.Call():
                    made.append(_coroutine(context, bound))
    # What never suspends is done before a handler comes to its turn.
    made, many = ([each for each in some if _may_go_on(context, each)] for some in (made, many))
    if not many and len(made) < 2:
        return False
    return any(
        not sees_to_failures(context, each.func, context.scopes[each]) for each in (*made, *many)
    )


def _may_go_on(context: TreeContext, call: ast.Call) -> bool:
    """Whether a coroutine may wait for anything, as far as is known."""
    return not calls_that_never_suspend(context.file.summaries, call.func, context.scopes[call])


def _bound(context: TreeContext, value: ast.expr) -> list[ast.expr]:
    """An expression, or what a local name stands for."""
    if not isinstance(value, ast.Name):
        return [value]
    bindings = context.scopes[value].reaching_name(value)
    return [
        each.value
        for each in bindings
        if each.kind == "value" and each.value is not None and each.value in context.scopes
    ]


def _coroutine(context: TreeContext, call: ast.Call) -> ast.Call:
    """The call that a task starter is given; a call itself otherwise."""
    match call.args:
        case [ast.Call() as inner, *_] if Role.TASK_STARTER in context.roles(call):
            return inner
    return call


def screen(unit: Unit) -> bool:
    """Whether something is cancelled, gathered or waited for in an `async def`."""
    text = unit.text
    return "async def" in text and any(each in text for each in (".cancel()", "gather(", "wait("))


RULE = Rule(
    code="LCX308",
    fixes="none",
    screen=screen,
    check=check,
)
