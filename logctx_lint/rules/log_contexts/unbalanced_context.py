"""A context variable, span or log binding is set and not set back.

## Why

What a `ContextVar` is set to stays until its token is used, or its context ends. In a context
manager, in code that others call, and in a task that serves many requests, that is later than
meant: the next request runs with the values of the one before.

Reported are

- a context manager that sets a variable, yields, and never sets it back;
- `opentelemetry.context.attach()` whose token is thrown away, so that nobody can detach it (only
  with the profile `strict` where the function does nothing behind it: it may set the context for
  its caller);
- a token that is used behind an `await` without `finally`: not where that raises;
- a task with an endless loop that reads a context variable, where the task is started by need
  (`if self.worker is None:`) or inside a span or log context: it keeps the values of whoever came
  first, forever;

- a task group or time limit that one method enters by hand and another leaves, as those have to be
  left by the task that entered them ("Attempted to exit cancel scope in a different task").

The last is the shape of
[python-sdk 577](https://github.com/modelcontextprotocol/python-sdk/issues/577), the one before of
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

## Fix

None.

## Settings

`vocabulary` adds the project's own `context-token`, `token-resetter`, `context-reader` and
`task-starter` names.

## When not to use it

A variable that is set for the rest of a request's own task needs no reset: nothing is reported for
`var.set(x)` outside of context managers.

## Use instead

`try` and `finally`; `logctx_lint.runtime.LoggingContext`, which is left as it was entered.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.called_code import Code, code_of, reached
from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.analysis.log_contexts import reads_current
from logctx_lint.analysis.open_contexts import OPENERS, open_around
from logctx_lint.analysis.started_tasks import class_node
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.inference.known_names import GENERATOR_MANAGERS
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import all_nodes, own_nodes

_ENTER, _EXIT = "__aenter__", "__aexit__"
_STACK_METHODS = frozenset({"push_async_callback", "push_async_exit"})
_SET = "contextvars.ContextVar.set"
_TOKENS = frozenset({Role.CONTEXT_TOKEN})
_STARTERS = frozenset({Role.TASK_STARTER})
_BINDING = _TOKENS | OPENERS
_SUSPENSIONS = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield)


def check(context: TreeContext) -> None:
    for call in in_source_order(call for call, _ in context.unit.nodes(ast.Call)):
        if not context.is_placed(call):
            continue
        roles = context.roles(call)
        if Role.CONTEXT_TOKEN in roles:
            _check_change(context, call)
        elif Role.TOKEN_RESETTER in roles:
            _check_reset(context, call)
        elif Role.TASK_STARTER in roles:
            _check_worker(context, call)
        elif isinstance(call.func, ast.Attribute) and call.func.attr == _ENTER:
            _check_entry(context, call, call.func.value)


def _check_change(context: TreeContext, call: ast.Call) -> None:
    if not isinstance(context.parent(call), ast.Expr):
        return
    function = context.function_of(call)
    if Role.CONTEXT_ATTACHER in context.roles(call):
        if isinstance(function, FunctionNode) and _is_put_back(context, function, call):
            return
        context.report(
            RULE.code,
            call,
            f"the token of `{context.line(call.func)}()` is thrown away, so that nobody can detach "
            "what it attached: keep it, and `detach` it in `finally`",
            profile=Profile.RECOMMENDED if _works_on(context, call) else Profile.STRICT,
        )
    elif isinstance(function, FunctionNode) and _SET in context.names(call):
        variable = ast.unparse(call.func.value)  # type: ignore[attr-defined]
        if _is_manager(context, function) and not _is_set_back(context, function, call, variable):
            context.report(
                RULE.code,
                call,
                f"`{function.name}()` leaves `{variable}` as it has set it when its block ends: "
                "keep the token, and reset it in `finally`",
            )


def _is_put_back(context: TreeContext, function: FunctionNode, call: ast.Call) -> bool:
    """Whether a context that the function has looked up is attached again, here or in `finally`.

    previous = get_current()
    attach(other)
    try:
        yield
    finally:
        attach(previous)  # Unlike `detach`, it may be in another task.
    """
    again = [
        each
        for each in _token_calls(context, function)
        if Role.CONTEXT_ATTACHER in context.roles(each) and _is_looked_up(context, each)
    ]
    if call in again:
        return True
    finals = (node.finalbody for node in own_nodes(function.body) if isinstance(node, ast.Try))
    return any(inner in again for block in finals for inner in own_nodes(block))


def _is_looked_up(context: TreeContext, call: ast.Call) -> bool:
    """Whether what is attached is a local name of what `get_current()` gave."""
    match call.args:
        case [ast.Name(name) as given]:
            bindings = context.scopes[given].reaching(name, (given.lineno, given.col_offset))
            return any(
                isinstance(each.value, ast.Call)
                and Role.ATTACHED_CONTEXT in context.roles(each.value)
                for each in bindings
            )
    return False


def _works_on(context: TreeContext, call: ast.Call) -> bool:
    """Whether the function itself does something in what it has attached, and ends.

    One that does nothing else, or attaches a plain value, sets the context for its caller, and may
    mean to.
    """
    if any(
        isinstance(each, ast.Call) and Role.CONTEXT_VALUE in context.roles(each)
        for each in call.args
    ):
        return False
    function = context.function_of(call)
    attached = _token_calls(context, function) if isinstance(function, FunctionNode) else []
    inside = {inner for each in attached for inner in all_nodes(each)}
    return isinstance(function, FunctionNode) and any(
        isinstance(node, ast.Call) and node.lineno > call.lineno and node not in inside
        for node in own_nodes(function.body)
    )


def _token_calls(context: TreeContext, function: FunctionNode) -> list[ast.Call]:
    return [
        node
        for node in own_nodes(function.body)
        if isinstance(node, ast.Call) and Role.CONTEXT_TOKEN in context.roles(node)
    ]


def _is_manager(context: TreeContext, function: FunctionNode) -> bool:
    return any(GENERATOR_MANAGERS & set(context.names(each)) for each in function.decorator_list)


def _is_set_back(
    context: TreeContext, function: FunctionNode, call: ast.Call, variable: str
) -> bool:
    """Whether the variable is changed again once the context manager has yielded."""
    yields = [each.lineno for each in own_nodes(function.body) if isinstance(each, ast.Yield)]
    if not yields or call.lineno > min(yields):
        return True
    return any(
        isinstance(node, ast.Call)
        and node is not call
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == variable
        and node.func.attr in ("set", "reset")
        for node in own_nodes(function.body)
    )


def _check_reset(context: TreeContext, call: ast.Call) -> None:
    """A reset that no `finally` makes sure of, with a suspension point before it."""
    statement = context.parent(call)
    function = context.function_of(call)
    if not isinstance(statement, ast.Expr) or not isinstance(function, FunctionNode):
        return
    block = context.parent(statement)
    body: list[ast.stmt] = getattr(block, "body", [])
    if statement not in body or not isinstance(block, FunctionNode | ast.If | ast.For | ast.While):
        return
    names = [each.id for each in call.args if isinstance(each, ast.Name)]
    before = body[: body.index(statement)]
    for position, each in enumerate(before):
        if _binds_token(context, each, names):
            risks = in_source_order(
                node
                for node in own_nodes(before[position + 1 :])
                if isinstance(node, _SUSPENSIONS) and not isinstance(node, ast.Yield)
            )
            others = [
                node
                for node in own_nodes(function.body)
                if isinstance(node, ast.Call)
                and node is not call
                and node.args
                and ast.unparse(node.args[0]) in names
            ]
            if risks and not others:
                context.report(
                    RULE.code,
                    call,
                    f"this is not reached where line {risks[0].lineno} raises or is cancelled, "
                    f"and what line {each.lineno} has set stays: put it into `finally`",
                )
            return


def _binds_token(context: TreeContext, statement: ast.stmt, names: list[str]) -> bool:
    match statement:
        case ast.Assign([ast.Name(name)], ast.Call() as value):
            return name in names and Role.CONTEXT_TOKEN in context.roles(value)
    return False


def _check_worker(context: TreeContext, call: ast.Call) -> None:
    if not call.args or not isinstance(call.args[0], ast.Call):
        return
    if any(keyword.arg in ("context", None) for keyword in call.keywords):
        return
    functions = context.functions(call.args[0].func)
    if len(functions) != 1 or not _is_endless(functions[0]):
        return
    block = open_around(context, call)
    if block is not None:
        where = f"`with {context.line(block)}` (line {block.lineno})"
        context.report(
            RULE.code,
            call,
            f"`{functions[0].name}()` never ends, and keeps the context of {where} forever: start "
            "it outside, or with `context=contextvars.Context()`",
        )
        return
    code = code_of(functions[0])
    read = _read(context, code) if code and _is_by_need(context, call) else None
    if read is not None:
        context.report(
            RULE.code,
            call,
            f"`{functions[0].name}()` never ends, and `{read}` in it gives what the first caller "
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
    leaves = _left_in(cls, name)
    if leaves is None or leaves in (function.name, _EXIT) or _is_exit(cls, leaves):
        return
    for node in own_nodes(function.body):
        match node:
            case ast.Assign([ast.Attribute(ast.Name("self"), found)], ast.Call() as made):
                what = _task_scope(context, made) if found == name else None
                if what is not None:
                    context.report(
                        RULE.code,
                        call,
                        f"`{context.line(entered)}` holds {what}, which only the task that entered "
                        f"it may leave, but `{leaves}()` leaves it in whatever task calls that: "
                        "use `async with`, in a task of its own",
                    )
                    return


def _left_in(cls: ast.ClassDef, name: str) -> str | None:
    """The method that leaves what an attribute holds, by hand."""
    for method in cls.body:
        if isinstance(method, FunctionNode):
            for node in own_nodes(method.body):
                match node:
                    case ast.Call(ast.Attribute(ast.Attribute(ast.Name("self"), found), exit_)):
                        if found == name and exit_ == _EXIT:
                            return method.name
    return None


def _is_exit(cls: ast.ClassDef, name: str) -> bool:
    """Whether a method is what a context manager does at its end, and so in the task that began.

    `__aexit__` calls it, or a stack has been told of it.
    """
    methods = [each for each in cls.body if isinstance(each, FunctionNode)]
    for method in methods:
        for node in own_nodes(method.body):
            match node:
                case ast.Call(ast.Attribute(ast.Name("self"), called)) if method.name == _EXIT:
                    if called == name:
                        return True
                case ast.Call(ast.Attribute(_, taker), [ast.Attribute(ast.Name("self"), given)]):
                    if given == name and taker in _STACK_METHODS:
                        return True
    return False


def _task_scope(context: TreeContext, made: ast.Call) -> str | None:
    """What of an object binds it to one task: itself, or what its generator yields in."""
    if Role.TASK_SCOPE in context.roles(made):
        return f"`{context.line(made)}`"
    file = context.file
    for function in context.functions(made.func):
        code = code_of(function)
        for node in code.nodes if code else ():
            if not isinstance(node, ast.AsyncWith) or code is None:
                continue
            if not any(isinstance(inner, ast.Yield) for inner in own_nodes(node.body)):
                continue
            for item in node.items:
                value = item.context_expr
                if isinstance(value, ast.Call):
                    names = file.resolver.names(value.func, code.scope)
                    if Role.TASK_SCOPE in file.vocabulary.roles(names):
                        return f"the `{ast.unparse(value)}` of `{function.name}()`"
    return None


def _is_endless(function: Function) -> bool:
    """Whether a coroutine function of the project is a loop without end."""
    code = code_of(function) if function.facts.is_async else None
    return code is not None and any(
        isinstance(node, ast.While)
        and isinstance(node.test, ast.Constant)
        and bool(node.test.value)
        and not any(isinstance(inner, ast.Return | ast.Break) for inner in own_nodes(node.body))
        for node in code.nodes
    )


def _is_by_need(context: TreeContext, call: ast.Call) -> bool:
    """Whether a condition around it asks for what the task is kept in: `if self.worker is None`."""
    kept = {ast.unparse(each) for each in _kept_in(context, call)}
    for outer in context.around(call):
        if isinstance(outer, FunctionNode):
            return False
        if isinstance(outer, ast.If) and any(
            isinstance(each, ast.Name | ast.Attribute) and ast.unparse(each) in kept
            for each in all_nodes(outer.test)
        ):
            return True
    return False


def _kept_in(context: TreeContext, call: ast.Call) -> Iterator[ast.expr]:
    for outer in context.around(call):
        match outer:
            case ast.Assign(targets):
                yield from targets
            case ast.AnnAssign(target):
                yield target
            case ast.Call(ast.Attribute(receiver)):
                yield receiver
            case ast.stmt():
                return


def _read(context: TreeContext, code: Code) -> str | None:
    """What of the context is read; None if the code binds something to the context itself."""
    file = context.file
    found: str | None = None
    for each in reached(file, [code]):
        for node in each.nodes:
            if isinstance(node, ast.Call):
                roles = file.vocabulary.roles(file.resolver.names(node.func, each.scope))
                if roles & _BINDING:
                    return None
                if found is None and reads_current(file, node, each.scope):
                    found = f"{ast.unparse(node.func)}()"
    return found


def screen(unit: Unit) -> bool:
    """Whether the unit changes a context, starts a task or enters something by hand."""
    return unit.may_call(_TOKENS | _STARTERS) or f".{_ENTER}()" in unit.text


RULE = Rule(
    code="LCX407",
    fixes="none",
    screen=screen,
    check=check,
)
