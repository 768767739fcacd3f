"""A context variable, span or log binding is set and not set back.

## Why

What a `ContextVar` is set to stays until its token is used, or its context ends. In a context
manager, in code that others call, and in a task that serves many requests, that is later than
meant: the next request runs with the values of the one before.

Reported are

- a default of a variable that is changed in place: all contexts share it
  ([bugbear 475](https://github.com/PyCQA/flake8-bugbear/issues/475));
- a context manager that sets a variable, yields, and never sets it back;
- `opentelemetry.context.attach()` whose token is thrown away, so that nobody can detach it (only
  with the profile `strict` where the function does nothing behind it: it may set the context for
  its caller);
- a token that is used behind an `await` without `finally`: not where that raises;
- a task with an endless loop that reads a context variable, where the task is started by need
  (`if self.worker is None:`) or inside a span or log context: it keeps the values of whoever came
  first, forever;
- what a loop binds for one request (`bind_contextvars`, or a variable set under a condition) and
  does not take out again, where something else finds it there: a turn that binds nothing, what the
  next one logs before it binds its own, or what is logged behind the loop. With the profile
  `strict` also where only the wait for the next request does, and where it is not known whether
  each turn belongs to another request;
- a token that is handed to a task or thread, or to a callback of the event loop, which have another
  context that it is no good for, and, with the profile `strict`, one that an object keeps for
  another of its methods. Where an `async def __call__()` waits between two such methods, as in a
  middleware, it is always reported: one object serves all requests, and each puts its own token
  there ([fastapi-events 5](https://github.com/melvinkcx/fastapi-events/issues/5));
- a task group or time limit that one method enters by hand and another leaves, as those have to be
  left by the task that entered them ("Attempted to exit cancel scope in a different task").

The last is the shape of
[python-sdk 577](https://github.com/modelcontextprotocol/python-sdk/issues/577), the endless task of
[llama-stack 5221](https://github.com/ogx-ai/ogx/issues/5221) and of
[aiojobs 362](https://github.com/aio-libs/aiojobs/issues/362).

## Bad

```python
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

tenant: "ContextVar[str]" = ContextVar("tenant", default="-")


@contextmanager
def working_for(name: str) -> "Iterator[None]":
    tenant.set(name)
    yield
```

```python
import asyncio
from contextvars import ContextVar

request_id: "ContextVar[str]" = ContextVar("request_id", default="-")


class Writer:
    def __init__(self) -> None:
        self.queue: "asyncio.Queue[str]" = asyncio.Queue()
        self.worker: "asyncio.Task[None] | None" = None

    async def put(self, text: str) -> None:
        if self.worker is None:
            self.worker = asyncio.create_task(self.write())
        await self.queue.put(text)

    async def write(self) -> None:
        while True:
            print(request_id.get(), await self.queue.get())
```

```python
import asyncio
from typing import Any

import structlog

log = structlog.get_logger()


async def worker(queue: "asyncio.Queue[Any]") -> None:
    while True:
        job = await queue.get()
        if job.tenant:
            structlog.contextvars.bind_contextvars(tenant=job.tenant)
        await job.run()
        log.info("done")
```

## Good

```python
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

tenant: "ContextVar[str]" = ContextVar("tenant", default="-")


@contextmanager
def working_for(name: str) -> "Iterator[None]":
    token = tenant.set(name)
    try:
        yield
    finally:
        tenant.reset(token)
```

```python
import asyncio
from contextvars import Context, ContextVar

request_id: "ContextVar[str]" = ContextVar("request_id", default="-")


class Writer:
    def __init__(self) -> None:
        self.queue: "asyncio.Queue[tuple[str, str]]" = asyncio.Queue()
        self.worker: "asyncio.Task[None] | None" = None

    async def put(self, text: str) -> None:
        if self.worker is None:
            self.worker = asyncio.create_task(self.write(), context=Context())
        await self.queue.put((request_id.get(), text))

    async def write(self) -> None:
        while True:
            print(*await self.queue.get())
```

```python
import asyncio
from typing import Any

import structlog

log = structlog.get_logger()


async def worker(queue: "asyncio.Queue[Any]") -> None:
    while True:
        job = await queue.get()
        with structlog.contextvars.bound_contextvars(tenant=job.tenant):
            await job.run()
            log.info("done")
```

## Fix

None.

## Settings

`vocabulary` adds the project's own `context-token`, `token-resetter`, `context-unbinder`,
`context-reader`, `task-starter`, `copying-caller`, `work-source`, `connection` and
`connection-server` names.

## When not to use it

A variable that a task sets for the rest of its own work needs no reset: each task has a copy of the
context, which ends with it. So `var.set(x)` whose token is dropped is reported in context managers
only, and in a loop that serves request after request in one task, where some turns set nothing.
What is bound while one connection is served, in a task that ends with it, is silent as well, and so
is what is the same for all requests: in all turns of a loop, or around the start of an endless
task. Methods that set and reset are a pair where only `__enter__` and `__exit__` call them, or one
function that resets in `finally`. A thread of a pool, which keeps for its next job what one job
has set, is not looked at.

## Use instead

`try` and `finally`; `logctx_lint.runtime.LoggingContext`, which is left as it was entered.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.called_code import code_of, reached
from logctx_lint.analysis.cancellation.scopes_entered_by_hand import is_exit, left_in, task_scope
from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.analysis.log_contexts.attached_contexts import (
    is_put_back,
    is_put_back_by_caller,
    works_on,
)
from logctx_lint.analysis.log_contexts.context_reads import first_read
from logctx_lint.analysis.log_contexts.endless_workers import is_by_need, is_endless
from logctx_lint.analysis.log_contexts.kept_tokens import (
    crossed_in_caller,
    is_crossed,
    kept_by_object,
    used_elsewhere,
)
from logctx_lint.analysis.log_contexts.open_contexts import binds_constants, open_around
from logctx_lint.analysis.log_contexts.paired_methods import are_paired
from logctx_lint.analysis.log_contexts.shared_defaults import changed_default
from logctx_lint.analysis.log_contexts.skipped_resets import SET, skipped_reset
from logctx_lint.analysis.log_contexts.worker_bindings import LeftBinding, Remains, left_bindings
from logctx_lint.analysis.own_class import class_node
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import body_nodes

_ENTER, _EXIT = "__aenter__", "__aexit__"
_TOKENS = frozenset({Role.CONTEXT_TOKEN})
_STARTERS = frozenset({Role.TASK_STARTER})
_UNDOING = frozenset({Role.TOKEN_RESETTER, Role.CONTEXT_UNBINDER})


def check(context: TreeContext) -> None:
    for call in in_source_order(call for call, _ in context.unit.nodes(ast.Call)):
        if not context.is_placed(call):
            continue
        roles = context.roles(call)
        _check_given_away(context, call)
        _check_default(context, call)
        if Role.CONTEXT_TOKEN in roles:
            _check_change(context, call)
            _check_kept(context, call)
        elif roles & _UNDOING:
            _check_reset(context, call)
        elif Role.TASK_STARTER in roles:
            _check_worker(context, call)
        elif isinstance(call.func, ast.Attribute) and call.func.attr == _ENTER:
            _check_entry(context, call, call.func.value)
    for function in context.unit.scopes:
        if isinstance(function, FunctionNode):
            _check_loops(context, function)


def _check_loops(context: TreeContext, function: FunctionNode) -> None:
    """What a loop binds for one request is there for the next."""
    for found in left_bindings(context, function):
        if Role.CONTEXT_ATTACHER in context.roles(found.call):
            continue  # Reported wherever its token is thrown away.
        is_seen = found.is_of_requests and found.remains is not Remains.WHILE_WAITING
        cure = (
            "keep the token, and reset it in `finally`"
            if found.is_set
            else "bind it in a `with`, or take it out again in `finally`"
        )
        context.report(
            RULE.code,
            found.call,
            f"what `{ast.unparse(found.binder)}()` {'sets' if found.is_set else 'binds'} in one "
            f"turn of the loop (line {found.loop.lineno}) is still {_when(found)}: {cure}",
            profile=Profile.RECOMMENDED if is_seen else Profile.STRICT,
        )


def _when(left: LeftBinding) -> str:
    """When something is still bound, for a message."""
    line = left.seen_by.lineno if left.seen_by else 0
    match left.remains:
        case Remains.IN_OTHERS if line:
            return f"there when a turn without it runs line {line}"
        case Remains.IN_OTHERS:
            return "bound in turns that bind other names"
        case Remains.BEFORE:
            return f"bound when the next runs line {line}, before it binds its own"
        case Remains.BEHIND:
            return f"bound when line {line} runs behind the loop"
    return "bound while the loop waits for the next, and when it has ended"


def _check_default(context: TreeContext, call: ast.Call) -> None:
    """`ContextVar("tags", default={})`, where something puts its tags into that."""
    found = changed_default(context, call) if call.keywords else None
    if found is not None:
        default, change, is_set = found
        context.report(
            RULE.code,
            default,
            f"all contexts share this default, and line {change.lineno} changes it in place, so "  # type: ignore[attr-defined]
            "that what one request puts there is there for the others: `set()` a new one",
            profile=Profile.STRICT if is_set else Profile.RECOMMENDED,
        )


def _check_kept(context: TreeContext, call: ast.Call) -> None:
    """A token that an object keeps, for another of its methods."""
    crossed = crossed_in_caller(context, call)
    if crossed is not None:
        context.report(
            RULE.code,
            call,
            f"`{crossed.place}` holds the token while `{crossed.caller.name}()` waits (line "
            f"{crossed.waiting}), and another call of the same object puts its own there "
            "meanwhile, so that one of them resets the other's: return it, and keep it in a local "
            "name",
        )
        return
    kept = kept_by_object(context, call)
    if kept is not None:
        context.report(
            RULE.code,
            call,
            f"`{kept.used_in}()` uses the token in `{kept.place}`, which fails where another task "
            "or thread calls it, and is another caller's where several use the object: set and "
            "reset in one function, by `with` or `try`",
            profile=Profile.STRICT,
        )
        return
    place = is_crossed(context, call)
    if place:
        function = context.function_of(call)
        # What is called like a function serves everybody, as middlewares do.
        is_shared = getattr(function, "name", "") == "__call__"
        context.report(
            RULE.code,
            call,
            f"`{place}` holds the token while this waits, and another call of the same object puts "
            "its own there meanwhile, so that one of them resets the other's: keep it in a local "
            "name",
            profile=Profile.RECOMMENDED if is_shared else Profile.STRICT,
        )


def _check_given_away(context: TreeContext, call: ast.Call) -> None:
    """A token that is used in another context, where it is not good for anything."""
    for token, where in used_elsewhere(context, call):
        context.report(
            RULE.code,
            token,
            f"`{ast.unparse(token)}` is used in {where}: the reset fails there, and changes "
            "nothing here; reset it in this function",
        )


def _check_change(context: TreeContext, call: ast.Call) -> None:
    if not isinstance(context.parent(call), ast.Expr):
        return
    function = context.function_of(call)
    if Role.CONTEXT_ATTACHER in context.roles(call):
        if isinstance(function, FunctionNode) and (
            is_put_back(context, function, call) or is_put_back_by_caller(context, function)
        ):
            return
        context.report(
            RULE.code,
            call,
            f"the token of `{context.line(call.func)}()` is thrown away, so that nobody can detach "
            "what it attached: keep it, and `detach` it in `finally`",
            profile=Profile.RECOMMENDED if works_on(context, call) else Profile.STRICT,
        )
    elif isinstance(function, FunctionNode) and SET in context.names(call):
        variable = ast.unparse(call.func.value)  # type: ignore[attr-defined]
        if context.makes_manager(function) and not _is_set_back(context, function, call, variable):
            context.report(
                RULE.code,
                call,
                f"`{function.name}()` leaves `{variable}` as it has set it when its block ends: "
                "keep the token, and reset it in `finally`",
            )


def _is_set_back(
    context: TreeContext, function: FunctionNode, call: ast.Call, variable: str
) -> bool:
    """Whether the variable is changed again once the context manager has yielded."""
    yields = [each.lineno for each in body_nodes(function, ast.Yield)]
    if not yields or call.lineno > min(yields):
        return True
    return any(
        node is not call
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == variable
        and node.func.attr in ("set", "reset")
        for node in body_nodes(function, ast.Call)
    )


def _check_reset(context: TreeContext, call: ast.Call) -> None:
    found = skipped_reset(context, call)
    if found is not None:
        context.report(
            RULE.code,
            call,
            f"this is not reached where line {context.span(found.risk).line} raises or is "
            f"cancelled, and what line {found.bound.lineno} has set stays: put it into `finally`",
            profile=Profile.RECOMMENDED if found.suspends else Profile.STRICT,
        )


def _check_worker(context: TreeContext, call: ast.Call) -> None:
    if not call.args or not isinstance(call.args[0], ast.Call):
        return
    if any(keyword.arg in ("context", None) for keyword in call.keywords):
        return
    functions = context.functions(call.args[0].func)
    if len(functions) != 1 or not is_endless(functions[0]):
        return
    block = open_around(context, call)
    if block is not None and not binds_constants(context, block, call.args[0].func):
        where = f"`with {context.line(block)}` (line {block.lineno})"
        context.report(
            RULE.code,
            call,
            f"`{functions[0].name}()` never ends, and keeps the context of {where} forever: start "
            "it outside, or with `context=contextvars.Context()`",
        )
        return
    code = code_of(functions[0])
    if code is None or not is_by_need(context, call):
        return
    read = first_read(context.file, reached(context.file, [code]))
    if read is not None:
        what, _ = read
        context.report(
            RULE.code,
            call,
            f"`{functions[0].name}()` never ends, and `{what}` in it gives what the first caller "
            "had set, forever: start it with `context=contextvars.Context()`, and hand the value "
            "on with each piece of work",
        )


def _check_entry(context: TreeContext, call: ast.Call, entered: ast.expr) -> None:
    """`self.x.__aenter__()` of what has to be left by the same task, left in another method."""
    function = context.function_of(call)
    cls = class_node(context)
    match entered:
        case ast.Attribute(ast.Name("self"), name):
            pass
        case _:
            return
    if cls is None or not isinstance(function, FunctionNode) or function.name == _ENTER:
        return
    leaves = left_in(cls, name)
    if leaves is None or leaves in (function.name, _EXIT):
        return
    if is_exit(cls, leaves) or are_paired(context, function.name, leaves):
        return
    for node in body_nodes(function):
        match node:
            case ast.Assign([ast.Attribute(ast.Name("self"), found)], ast.Call() as made):
                what = task_scope(context, made) if found == name else None
                if what is not None:
                    context.report(
                        RULE.code,
                        call,
                        f"`{context.line(entered)}` holds {what}, which only the task that entered "
                        f"it may leave, but `{leaves}()` leaves it in whatever task calls that: "
                        "use `async with`, in a task of its own",
                    )
                    return


def screen(unit: Unit) -> bool:
    """Whether the unit changes a context, starts a task or enters something by hand."""
    if unit.may_call(_TOKENS | _STARTERS) or f".{_ENTER}()" in unit.text:
        return True
    if "ContextVar" in unit.text and "default" in unit.text:
        return True
    # A helper may bind what a loop leaves bound.
    has_loop = "while " in unit.text or "async for" in unit.text
    return has_loop and unit.file.source.mentions("contextvars")


RULE = Rule(
    code="LCX407",
    fixes="none",
    screen=screen,
    check=check,
)
