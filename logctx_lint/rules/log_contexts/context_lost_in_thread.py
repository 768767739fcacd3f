"""Work goes to a thread without the context variables that it reads.

## Why

A new thread, and a worker of a thread pool, has a context of its own: each `ContextVar` has its
default there, or none. `loop.run_in_executor`, `Executor.submit`, `threading.Thread` and
`threading.Timer` hand nothing on (`asyncio.to_thread` does). What runs there logs without its
request, starts a trace of its own, or raises `LookupError`.

`copy_context()` called *inside* the thread copies the thread's empty context. The shape of
[structlog 462](https://github.com/hynek/structlog/issues/462) and, for what is lost without it,
[loguru 792](https://github.com/Delgan/loguru/issues/792) and
[aiosqlite 378](https://github.com/omnilib/aiosqlite/issues/378).

## Bad

```python
import asyncio
from contextvars import ContextVar

request_id: "ContextVar[str]" = ContextVar("request_id", default="-")


def store(text: str) -> None:
    print(request_id.get(), text)


async def handle(text: str) -> None:
    await asyncio.get_running_loop().run_in_executor(None, store, text)
```

```python
import asyncio
import contextvars


def store() -> None: ...


async def handle() -> None:
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, lambda: contextvars.copy_context().run(store))
```

## Good

```python
import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context

request_id: "ContextVar[str]" = ContextVar("request_id", default="-")
pool = ThreadPoolExecutor(2)


def store(text: str) -> None:
    print(request_id.get(), text)


async def handle(text: str) -> None:
    await asyncio.to_thread(store, text)
    pool.submit(copy_context().run, store, text)
```

## Fix

Where the arguments stand behind the function: `copy_context().run` is put before it, with its
import. Unsafe, as an executor may turn out to be one of processes, which cannot take a context.

## Settings

`vocabulary` adds the project's own `bare-thread-starter`, `context-reader` and `context-copier`
names.

## When not to use it

Python 3.14 built without the global lock hands the context to a `threading.Thread` by itself. A
thread of the whole process, which belongs to no request, may want the default: only what is seen
to read a variable, and never to set it, is reported, and what logs where the same function has a
log context open around the start of the thread.

## Use instead

`asyncio.to_thread`, `copy_context().run`; with Twisted `logctx_lint.runtime.defer_to_thread`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.callback_arguments import taken
from logctx_lint.analysis.called_code import Code, code_of, entered, reached
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.log_contexts import reads_current
from logctx_lint.analysis.open_contexts import open_around
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Edit, Fix
from logctx_lint.fixes.edits import before, helper
from logctx_lint.inference.types import ExternalInstance, Instance, Type, members_of
from logctx_lint.rules.rule import Applies, Rule

_STARTERS = frozenset({Role.BARE_THREAD_STARTER})
_BINDING = frozenset({Role.CONTEXT_TOKEN, Role.CONTEXT_BINDING, Role.CONTEXT_MANAGER})
_BASES = ("Executor", "ThreadPoolExecutor")
_PROCESSES = "ProcessPoolExecutor"


def check(context: TreeContext) -> None:
    for call, scope in context.unit.nodes(ast.Call):
        if not context.is_placed(call) or Role.BARE_THREAD_STARTER not in context.roles(call):
            continue
        if _is_of_processes(context, call) or _may_copy_itself(context, call):
            continue
        for each in taken(context.file, call, scope):
            starts = entered(context.file, each.node, scope)
            _check(context, call, each.node, starts, can_fix=each.passes_arguments)


def _executors(context: TreeContext, call: ast.Call) -> Iterator[Type]:
    """What the work is handed to, or may be."""
    nodes = list(call.args[:1])
    if isinstance(call.func, ast.Attribute):
        nodes.append(call.func.value)
    for node in nodes:
        yield from members_of(context.type_of(node))


def _may_copy_itself(context: TreeContext, call: ast.Call) -> bool:
    """Whether it is some executor, and one of the project's copies the context of who submits."""
    references, near = context.resolver.references, context.file.module
    classes = [each.cls for each in _executors(context, call) if isinstance(each, Instance)]
    if any(each.qualified_name.endswith("._base.Executor") for each in classes):
        classes += [
            cls for base in _BASES for cls in references.classes_with("inherited", base, near)
        ]
    return any(
        isinstance(node, ast.Call) and Role.CONTEXT_COPIER in _roles(context, node, code)
        for cls in classes
        for function in cls.function("submit")
        if (code := code_of(function))
        for node in code.nodes
    )


def _is_of_processes(context: TreeContext, call: ast.Call) -> bool:
    """Whether the work goes to another process, which has no context of anybody's."""
    for member in _executors(context, call):
        name = member.cls.name if isinstance(member, Instance) else ""
        if isinstance(member, ExternalInstance):
            name = member.name.rpartition(".")[2]
        if name == _PROCESSES:
            return True
    return False


def _check(
    context: TreeContext, call: ast.Call, node: ast.expr, starts: list[Code], *, can_fix: bool
) -> None:
    codes = list(reached(context.file, starts))
    copier = _copied_inside(context, starts)
    if copier is not None:
        context.report(
            RULE.code,
            node,
            f"`{ast.unparse(copier.func)}()` runs in the thread that "
            f"`{context.line(call.func)}()` uses, and copies that one's empty context: call it "
            "before, and hand on its `run`",
        )
        return
    found = _read(context, codes)
    block = None if found else open_around(context, call)
    if block is not None and (logged := _read(context, codes, Role.CONTEXT_LOGGER)):
        where = logged[1]
        function = f", as by `{where.function.name}()`" if where.function else ""
        context.report(
            RULE.code,
            node,
            f"what this logs{function} is not logged in `{context.line(block)}` (line "
            f"{block.lineno}), as `{context.line(call.func)}()` runs it in a thread with a context "
            "of its own: use `asyncio.to_thread`, or hand on `copy_context().run`",
            _fixes(context, node) if can_fix else (),
        )
    if found is not None:
        what, where = found
        by = f"`{context.line(call.func)}()`"
        function = f", by `{where.function.name}()`" if where.function else ""
        context.report(
            RULE.code,
            node,
            f"{by} runs this in a thread without the caller's context, where `{what}` is read"
            f"{function}: use `asyncio.to_thread`, or hand on `copy_context().run`",
            _fixes(context, node) if can_fix else (),
        )


def _copied_inside(context: TreeContext, starts: list[Code]) -> ast.Call | None:
    """`copy_context()` in what the thread runs itself, to run something else in the copy."""
    for code in starts:
        for node in code.nodes:
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "run"
                and isinstance(node.func.value, ast.Call)
                and Role.CONTEXT_COPIER in _roles(context, node.func.value, code)
            ):
                return node.func.value
    return None


def _read(
    context: TreeContext, codes: list[Code], reader: Role = Role.CONTEXT_READER
) -> tuple[str, Code] | None:
    """What of the context is read; None if the code binds something to the context itself."""
    found: tuple[str, Code] | None = None
    for code in codes:
        for node in code.nodes:
            if not isinstance(node, ast.Call):
                continue
            roles = _roles(context, node, code)
            if roles & _BINDING:
                return None
            if found is None and _is_read(context, node, code, reader):
                found = f"{ast.unparse(node.func)}()", code
    return found


def _is_read(context: TreeContext, call: ast.Call, code: Code, reader: Role) -> bool:
    if reader is Role.CONTEXT_READER:
        return reads_current(context.file, call, code.scope)
    return reader in _roles(context, call, code)


def _roles(context: TreeContext, call: ast.Call, code: Code) -> frozenset[Role]:
    file = context.file
    return file.vocabulary.roles(file.resolver.names(call.func, code.scope))


def _fixes(context: TreeContext, node: ast.expr) -> tuple[Fix, ...]:
    copier = helper(context, Role.CONTEXT_COPIER)
    if copier is None or isinstance(node, ast.Starred):
        return ()
    edits: tuple[Edit, ...] = (before(context, node, f"{copier.text}().run, "), *copier.imports)
    return (Fix("Run it in a copy of the context", Applicability.UNSAFE, edits),)


def screen(unit: Unit) -> bool:
    """Whether the unit starts something in a thread."""
    return unit.may_call(_STARTERS)


RULE = Rule(
    code="LCX406",
    fixes="`copy_context().run` (unsafe)",
    screen=screen,
    check=check,
    applies=Applies.CONTEXTVAR,
)
