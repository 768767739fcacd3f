"""Work goes to a thread without the context variables that it reads.

## Why

A new thread, and a worker of a thread pool, has a context of its own: each `ContextVar` has its
default there, or none. `loop.run_in_executor`, `Executor.submit`, `threading.Thread` and
`threading.Timer` hand nothing on (`asyncio.to_thread` does). What runs there logs without its
request, starts a trace of its own, or raises `LookupError`.

FastAPI calls a dependency that is a plain function in a thread, with a copy of the context: what it
binds is not bound while the request is served
([structlog 491](https://github.com/hynek/structlog/issues/491)). So it is with what a task sets, as
each that `gather` starts: it is set in that task's copy, and nowhere else. What a Starlette
`BaseHTTPMiddleware` calls runs in such a task
([starlette 1525](https://github.com/Kludex/starlette/pull/1525)).

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
to read a variable, and never to set it, is reported, and what logs, or begins a span, where the
same function has a log context or span open around the start of the thread, or has bound something
that its log records show.

## Use instead

`asyncio.to_thread`, `copy_context().run`; with Twisted `logctx_lint.runtime.defer_to_thread`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.callback_arguments import taken
from logctx_lint.analysis.called_code import Code, code_of, entered, reached
from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.analysis.log_contexts.bound_in_copies import (
    COPYING,
    lost_bindings,
    lost_in_middleware,
)
from logctx_lint.analysis.log_contexts.context_reads import first_read
from logctx_lint.analysis.log_contexts.executors import (
    is_of_processes,
    is_prepared,
    may_copy_itself,
)
from logctx_lint.analysis.log_contexts.handed_to_threads import (
    logged_with_context,
    reads_of_callers,
)
from logctx_lint.analysis.log_contexts.open_contexts import (
    OPENERS,
    bound_before,
    open_around,
    open_around_callers,
)
from logctx_lint.analysis.thread_classes import run_of, thread_body
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Edit, Fix, Profile
from logctx_lint.fixes.edits import before, helper
from logctx_lint.inference.types import (
    ClassObject,
    functions_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode, parameters_of
from logctx_lint.rules.rule import Applies, Rule
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, last_name

_STARTERS = frozenset({Role.BARE_THREAD_STARTER})
_DEPENDS = frozenset({"Depends", "Security"})
_INJECTED = frozenset(
    f"fastapi.{home}{name}" for home in ("", "param_functions.", "params.") for name in _DEPENDS
)
_OPENING = OPENERS | {Role.CONTEXT_TOKEN}
_STRUCTLOG = frozenset({"structlog.contextvars.bind_contextvars"})
_SHOWING = frozenset({"filter", "format", "emit", "makeRecord"})
"""Methods of logging's classes that may add the current context to a record."""


def check(context: TreeContext) -> None:
    for call, scope in _annotated(context):
        _check_dependency(context, call, scope)
    for call, scope in context.unit.nodes(ast.Call):
        if not context.is_placed(call):
            continue
        _check_dependency(context, call, scope)
        if Role.BARE_THREAD_STARTER not in context.roles(call):
            _check_thread_object(context, call)
            continue
        if is_of_processes(context, call) or may_copy_itself(context, call):
            continue
        if is_prepared(context, call):
            continue
        # Each call of `map` needs a copy of its own.
        is_map = isinstance(call.func, ast.Attribute) and call.func.attr == "map"
        for each in taken(context.file, call, scope):
            starts = entered(context.file, each.node, scope)
            _check(context, call, each.node, starts, can_fix=each.passes_arguments and not is_map)
    _check_run(context)
    for function in context.unit.scopes:
        if isinstance(function, FunctionNode) and ".get()" in context.unit.text:
            _check_lost(context, function)


def _check_lost(context: TreeContext, function: FunctionNode) -> None:
    """What a thread or task sets in its copy of the context, and this reads behind it."""
    for found in lost_bindings(context, function):
        context.report(
            RULE.code,
            found.started,
            f"this runs in a copy of the context, so that what `{ast.unparse(found.setting.func)}()"
            f"` sets there (line {found.setting.lineno} of {found.code.scope.module.name}) is not "
            f"set in line {found.reading.lineno}, which reads it: `await` it here, or return it",
            profile=Profile.RECOMMENDED if found.is_own else Profile.STRICT,
        )
    middle = lost_in_middleware(context, function)
    if middle is not None:
        read, setting = middle
        context.report(
            RULE.code,
            read,
            f"`{ast.unparse(setting.func)}()` in line {setting.lineno} sets it in the copy of the "
            "context that Starlette runs the rest in, and not here: keep it in `request.state`",
        )


def _annotated(context: TreeContext) -> Iterator[tuple[ast.Call, Scope]]:
    """The calls in the annotations of parameters: `tenant: Annotated[str, Depends(bind)]`."""
    if not any(f"{name}(" in context.unit.text for name in _DEPENDS):
        return
    functions = (each for each, _ in context.unit.statements if isinstance(each, FunctionNode))
    for function in functions:
        for parameter, _, _ in parameters_of(function.args):
            for node in all_nodes(parameter):
                if isinstance(node, ast.Call):
                    yield node, context.unit.scope


def _check_dependency(context: TreeContext, call: ast.Call, scope: Scope) -> None:
    """`Depends(bind)` of a plain function, which FastAPI calls in a thread with a copy."""
    if last_name(call.func) not in _DEPENDS or not call.args:
        return
    if _INJECTED.isdisjoint(context.resolver.names(call.func, scope)):
        return
    functions = functions_of(context.resolver.type_of(call.args[0], scope))
    code = code_of(functions[0]) if len(functions) == 1 else None
    if code is None or functions[0].facts.is_async:
        return
    roles = {
        node: context.file.roles(node.func, code.scope)
        for node in code.nodes
        if isinstance(node, ast.Call)
    }
    binds = in_source_order(node for node, each in roles.items() if Role.CONTEXT_TOKEN in each)
    if not binds or any(Role.TOKEN_RESETTER in each for each in roles.values()):
        return
    bound = binds[0]
    assert isinstance(bound, ast.Call)
    context.report(
        RULE.code,
        call.args[0],
        f"FastAPI calls `{functions[0].name}()`, a plain function, in a thread with a copy of the "
        f"context, so that what `{ast.unparse(bound.func)}()` binds there (line {bound.lineno} of "
        f"{functions[0].module.name}) is not bound while the request is served: make it an "
        "`async def`",
    )


def _check_run(context: TreeContext) -> None:
    """`run()` of a class of threads, which is what the thread does."""
    code = thread_body(context)
    if code is None:
        return
    found = first_read(context.file, reached(context.file, [code]))
    if found is not None:
        what, where = found
        node = context.unit.node
        assert isinstance(node, ast.FunctionDef)
        function = where.function.name if where.function and where is not code else ""
        by = f", by `{function}()`" if function else ""
        context.report(
            RULE.code,
            node,
            f"`run()` has a thread of its own, without the context of whoever starts it, where "
            f"`{what}` is read{by}: keep `copy_context()` when the thread is made, and call its "
            "`run`",
            span=context.name_span(node),
        )


def _check_thread_object(context: TreeContext, call: ast.Call) -> None:
    """A thread of a class of its own that is made where something is bound: `Worker(job)`."""
    if not context.unit.may_call(_OPENING):
        return
    made = context.type_of(call.func)
    code = run_of(context, made.cls) if isinstance(made, ClassObject) else None
    block = (open_around(context, call) or bound_before(context, call)) if code else None
    if code is not None and block is not None:
        codes = list(reached(context.file, [code]))
        if first_read(context.file, codes) is None:  # That is told where it is read.
            _check_in_block(context, call, call, [code], block, can_fix=False)


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
    found = first_read(context.file, codes)
    block = None if found else open_around(context, call) or bound_before(context, call)
    if block is None and found is None:
        _check_callers(context, call, node, codes, can_fix=can_fix)
    if block is not None:
        _check_in_block(context, call, node, codes, block, can_fix=can_fix)
    if found is not None:
        what, where = found
        by = f"`{context.line(call.func)}()`"
        function = f", by `{where.function.name}()`" if where.function else ""
        context.report(
            RULE.code,
            node,
            f"{by} runs this in a thread without the caller's context, where `{what}` is read"
            f"{function}: {_cure(call)}",
            _fixes(context, node) if can_fix else (),
            profile=Profile.STRICT,  # Whether anybody has set it is not known.
        )
    elif block is None:
        _check_handed(context, call, node, codes)


def _check_handed(context: TreeContext, call: ast.Call, node: ast.expr, codes: list[Code]) -> None:
    """What callers hand over, and what is logged with a filter that shows the caller's context."""
    read = reads_of_callers(context, node)
    if read is not None:
        name, what, where = read
        context.report(
            RULE.code,
            node,
            f"`{context.line(call.func)}()` runs what it is given in a thread without the caller's "
            f"context: `{name}` reads `{what}` there (in {where.scope.module.name}): {_cure(call)}",
            profile=Profile.STRICT,
        )
        return
    logged = None if _is_thread(context, call) else logged_with_context(context, codes)
    if logged is not None:
        context.report(
            RULE.code,
            node,
            f"`{context.line(call.func)}()` runs this in a thread without the caller's context, "
            f"which the filter adds to what `{logged[0]}` logs: {_cure(call)}",
            profile=Profile.STRICT,
        )


def _is_thread(context: TreeContext, call: ast.Call) -> bool:
    """Whether it is a thread of its own, which may be there for the whole program."""
    return any(name.startswith("threading.") for name in context.names(call))


def _check_callers(
    context: TreeContext, call: ast.Call, node: ast.expr, codes: list[Code], *, can_fix: bool
) -> None:
    """What is logged elsewhere than in the context that a caller of the function has opened."""
    function = context.scopes[call].function
    used = first_read(context.file, codes, Role.CONTEXT_LOGGER) if function else None
    block = open_around_callers(context, function) if used and function else None
    if block is not None:
        context.report(
            RULE.code,
            node,
            f"what this logs is not logged in `{ast.unparse(block)}`, in which "
            f"`{function.name if function else ''}()` is called, as `{context.line(call.func)}()` "
            f"runs it in a thread with a context of its own: {_cure(call)}",
            _fixes(context, node) if can_fix else (),
        )


def _check_in_block(
    context: TreeContext,
    call: ast.Call,
    node: ast.expr,
    codes: list[Code],
    block: ast.expr,
    *,
    can_fix: bool,
) -> None:
    """What is logged or traced elsewhere than in the context that the caller has opened."""
    if used := first_read(context.file, codes, Role.CONTEXT_LOGGER):
        what = "what this logs{} is not logged"
        if Role.CONTEXT_TOKEN in context.roles(block) and not _shows(context, block, used[0]):
            return
    elif Role.TRACING_SPAN in context.roles(block):
        used = first_read(context.file, codes, Role.TRACING_SPAN)
        what = "the span that this begins{} is not"
    if not used:
        return
    where = used[1]
    function = f", as by `{where.function.name}()`," if where.function else ""
    place = "with what" if Role.CONTEXT_TOKEN in context.roles(block) else "in"
    has_set = " has set" if place != "in" else ""
    context.report(
        RULE.code,
        node,
        f"{what.format(function)} {place} `{context.line(block)}` (line {block.lineno}){has_set}, "
        f"as `{context.line(call.func)}()` runs it in a thread with a context of its own: "
        f"{_cure(call)}",
        _fixes(context, node) if can_fix else (),
    )


def _cure(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute) and call.func.attr == "map":
        return "`submit` each with the `run` of a `copy_context()` of its own"
    return "use `asyncio.to_thread`, or hand on `copy_context().run`"


def _shows(context: TreeContext, bound: ast.expr, logger: str) -> bool:
    """Whether what is bound appears in the records of a logger: structlog's own, or by a filter."""
    if _STRUCTLOG & set(context.names(bound)):
        return True
    return any(
        isinstance(cls, ast.ClassDef) and _is_filter(context, cls, bound)
        for cls in context.file.tree.body
    )


def _is_filter(context: TreeContext, cls: ast.ClassDef, bound: ast.expr) -> bool:
    """Whether a class reads, in a method of logging's filters and the like, what is bound."""
    variable = bound.func.value if isinstance(bound, ast.Call) else bound  # type: ignore[attr-defined]
    text = ast.unparse(variable)
    return any(
        isinstance(method, ast.FunctionDef)
        and method.name in _SHOWING
        and any(
            node.attr == "get" and ast.unparse(node.value) == text
            for node in body_nodes(method, ast.Attribute)
        )
        for method in cls.body
    )


def _copied_inside(context: TreeContext, starts: list[Code]) -> ast.Call | None:
    """`copy_context()` in what the thread runs itself, to run something else in the copy."""
    for code in starts:
        for node in code.nodes:
            made: ast.Call | None
            match node:
                case ast.Call(ast.Attribute(ast.Call() as made, "run")):
                    pass
                case ast.Call(ast.Attribute(ast.Name() as name, "run")):
                    made = _made(code, name)
                case _:
                    continue
            roles = context.file.roles(made.func, code.scope) if made else frozenset()
            if Role.CONTEXT_COPIER in roles:
                return made
    return None


def _made(code: Code, name: ast.Name) -> ast.Call | None:
    """The call that a local name of some code was bound to."""
    bindings = code.scope.reaching_name(name)
    values = [each.value for each in bindings if each.kind == "value"]
    return values[0] if len(values) == 1 and isinstance(values[0], ast.Call) else None


def _fixes(context: TreeContext, node: ast.expr) -> tuple[Fix, ...]:
    copier = helper(context, Role.CONTEXT_COPIER)
    if copier is None or isinstance(node, ast.Starred):
        return ()
    edits: tuple[Edit, ...] = (before(context, node, f"{copier.text}().run, "), *copier.imports)
    return (Fix("Run it in a copy of the context", Applicability.UNSAFE, edits),)


def _is_dispatch(unit: Unit) -> bool:
    return getattr(unit.node, "name", "") == "dispatch"


def screen(unit: Unit) -> bool:
    """Whether the unit starts something in a thread, or is what one does."""
    if any(f"{name}(" in unit.text for name in _DEPENDS):
        return True
    if unit.file.source.mentions("Thread") and unit.may_call(_OPENING):
        return True
    if ".get()" in unit.text and ("middleware" in unit.text or _is_dispatch(unit)):
        return True
    if ".get()" in unit.text and unit.may_call(COPYING):
        return True
    return unit.may_call(_STARTERS) or getattr(unit.node, "name", "") == "run"


RULE = Rule(
    code="LCX406",
    fixes="`copy_context().run` (unsafe)",
    screen=screen,
    check=check,
    applies=Applies.CONTEXTVAR,
)
