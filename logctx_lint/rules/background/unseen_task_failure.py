"""Work is started whose failure nobody will ever see.

## Why

What fails in a thread of an `Executor` is kept in the future that `submit()` gives, and
`concurrent.futures` never reports it: where that future is dropped, so is the failure, without a
line in any log. `gather(..., return_exceptions=True)` gives failures as results; where nobody looks
at the results, they are lost in the same way, and so are those that `consumeErrors=True` takes from
a `DeferredList`. `asyncio.wait(tasks)` raises nothing at all: where nobody looks at the tasks that
it gives, the function goes on as if each had gone well
([llama_deploy 45](https://github.com/run-llama/llama_deploy/pull/45)).

A task that is kept as long as the object lives is not reported by asyncio either, as that happens
when it is collected: a loop in it that has ended by an error is not missed until somebody asks why
nothing happens any more. The same goes for such loops that a list, set or dict of the object or of
the module keeps.

The shape of [cpython 120508](https://github.com/python/cpython/issues/120508), and, for tasks that
are kept, of [aiohttp 6518](https://github.com/aio-libs/aiohttp/issues/6518).

## Bad

```python
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(2)


def store(text: str) -> None:
    if not text:
        raise ValueError("nothing to store")


def on_message(text: str) -> None:
    pool.submit(store, text)
```

## Good

```python
import logging
from concurrent.futures import Future, ThreadPoolExecutor

pool = ThreadPoolExecutor(2)


def store(text: str) -> None:
    if not text:
        raise ValueError("nothing to store")


def ended(future: "Future[None]") -> None:
    if future.exception():
        logging.error("failed", exc_info=future.exception())


def on_message(text: str) -> None:
    pool.submit(store, text).add_done_callback(ended)
```

## Fix

None: what is to be done about a failure is for a person to say.

## Settings

`vocabulary` adds the project's own `task-starter` and `thread-starter` names.

## When not to use it

Functions that handle every error themselves, or are not seen to raise any, are silent. A task that
is dropped, or kept in a set until it is done, is reported by asyncio when it is collected, and
silent here; that nobody keeps it is LCX204's. Results of `gather` and `wait` and kept tasks are
reported with the profile `strict` only, and so are functions that do not raise themselves, but call
what does.

## Use instead

`add_done_callback` with a function that looks at `exception()`, a `TaskGroup`, or
`logctx_lint.runtime.tasks.run_in_background`, which logs what fails.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.awaitables.kept_tasks import (
    is_any_looked_at,
    is_looked_at,
    sets_itself,
)
from logctx_lint.analysis.awaitables.ownership import sees_to_failures
from logctx_lint.analysis.awaitables.unread_outcomes import (
    DEFERRED_LIST,
    unread_pairs,
    unread_results,
    unread_tasks,
)
from logctx_lint.analysis.callback_arguments import taken
from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.analysis.log_contexts.endless_workers import is_endless
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.inference.known_names import APPENDERS, GATHER, MARKS, WAIT
from logctx_lint.inference.raised_errors import (
    Error,
    RaisedErrors,
    guarded,
    takes_every_error,
)
from logctx_lint.inference.types import functions_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import (
    body_nodes,
    is_name,
    last_name,
    own_attribute,
    own_nodes,
)

_SUBMIT = frozenset(
    f"concurrent.futures.{home}.submit"
    for home in ("_base.Executor", "thread.ThreadPoolExecutor", "process.ProcessPoolExecutor")
)
_WORKING = ("gather", "wait_for", "shield", "to_thread", "run_in_executor")
"""What of asyncio fails where what it is given does."""


def check(context: TreeContext) -> None:
    for call, _ in context.unit.nodes(ast.Call):
        if not context.is_placed(call):
            continue
        names = set(context.names(call))
        if _SUBMIT & names:
            _check_submit(context, call)
        elif GATHER & names:
            _check_gather(context, call)
        elif WAIT & names:
            _check_wait(context, call)
        elif DEFERRED_LIST & names:
            _check_pairs(context, call)
        elif Role.TASK_STARTER in context.roles(call):
            _check_kept(context, call)


def _check_submit(context: TreeContext, call: ast.Call) -> None:
    if not _is_dropped(context, call):
        return
    for each in taken(context.file, call, context.scopes[call]):
        functions = context.functions(each.node)
        if len(functions) != 1:
            continue
        fails = _failing(context, functions[0])
        if fails is None or sees_to_failures(context, each.node, context.scopes[each.node]):
            continue
        where, raised = fails
        context.report(
            RULE.code,
            call,
            f"nobody looks at the future that `{context.line(call.func)}()` gives: where "
            f"`{functions[0].name}()` raises (line {raised.lineno} of {where.module.name}), "
            "nothing is logged and nobody knows; add a callback that looks at `exception()`",
            profile=Profile.RECOMMENDED if where == functions[0] else Profile.STRICT,
        )


def _is_dropped(context: TreeContext, call: ast.Call) -> bool:
    """Whether nobody has what a call gives: alone, or in a list that nobody has."""
    parent = context.parent(call)
    if isinstance(parent, ast.ListComp) and parent.elt is call:
        parent = context.parent(parent)
    match parent:
        case ast.Expr():
            return True
        case ast.Assign([ast.Name(name)]):
            function = context.function_of(call)
            return isinstance(function, FunctionNode) and not any(
                is_name(each, name) and isinstance(each.ctx, ast.Load)
                for each in body_nodes(function)
            )
    return False


def _failing(context: TreeContext, function: Function) -> tuple[Function, ast.Raise] | None:
    """What raises out of a plain function: a `raise` of its own, or of what it calls."""
    own = _coming_out(context, function)
    code = code_of(function)
    if own or code is None:
        return (function, own[0][0]) if own else None
    errors = RaisedErrors(context.resolver, code.scope)
    for each in guarded(_plain_body(function)):
        if isinstance(each.node, ast.Call):
            called = functions_of(context.resolver.type_of(each.node.func, code.scope))
            for inner in called if len(called) == 1 else ():
                for raised, error in _coming_out(context, inner):
                    if not errors.is_taken(error, each.around):
                        return inner, raised
    return None


def _coming_out(context: TreeContext, function: Function) -> list[tuple[ast.Raise, Error]]:
    """What a plain function raises and no handler in it takes, the first one first."""
    code = code_of(function)
    if code is None:
        return []
    found = RaisedErrors(context.resolver, code.scope).coming_out(_plain_body(function))
    return sorted(found, key=lambda each: each[0].lineno)


def _plain_body(function: Function) -> list[ast.stmt]:
    """The statements that run when a plain function is called; none of any other function."""
    node = function.tree()
    is_plain = isinstance(node, ast.FunctionDef) and not function.facts.is_generator
    return node.body if is_plain and node else []


def _check_gather(context: TreeContext, call: ast.Call) -> None:
    """`await gather(f(), g(), return_exceptions=True)` as a statement."""
    found = unread_results(context, call)
    if found is not None:
        context.report(
            RULE.code,
            call,
            f"what fails in `{found.function.name}()` is among the results, which nobody looks "
            "at: it is neither raised nor logged; look at them, or leave out "
            "`return_exceptions`",
            profile=Profile.STRICT,
        )


def _check_pairs(context: TreeContext, call: ast.Call) -> None:
    """`yield DeferredList(deferreds, consumeErrors=True)`, and nobody looks at the pairs."""
    found = unread_pairs(context, call)
    if found is not None:
        context.report(
            RULE.code,
            call,
            f"what fails in `{found.function.name}()` is among the results, which nobody looks "
            "at, and `consumeErrors` keeps it out of the log: look at each `success`, or leave "
            "`consumeErrors` out",
            profile=Profile.STRICT,
        )


def _check_wait(context: TreeContext, call: ast.Call) -> None:
    """`await wait(tasks)`, which raises nothing, and a function that goes on behind it."""
    found = unread_tasks(context, call)
    if found is not None:
        context.report(
            RULE.code,
            call,
            f"`{context.line(call.func)}()` does not raise what fails in "
            f"`{found.function.name}()`, and nobody looks at the tasks that are done, so that this "
            "goes on as if all had gone well: call `result()` of each",
            profile=Profile.STRICT,
        )


def _check_kept(context: TreeContext, call: ast.Call) -> None:
    """`self._worker = create_task(self._work())` of an endless loop, which nobody looks at."""
    kept = _place(context, call)
    made = next(iter(call.args), None)
    if kept is None or not isinstance(made, ast.Call):
        return
    place, is_collection = kept
    functions = context.functions(made.func)
    name = last_name(place)
    if not name.startswith("_") or len(functions) != 1 or not is_endless(functions[0]):
        return
    fails = _failing_loop(context, functions[0])
    if fails is None or sets_itself(functions[0], name) or _is_started_anew(context, call, name):
        return
    if _may_be_told(context, functions[0]):
        return
    is_seen = is_any_looked_at(context, place) if is_collection else is_looked_at(context, name)
    if is_seen or sees_to_failures(context, made.func, context.scopes[made]):
        return
    context.report(
        RULE.code,
        call,
        f"`{functions[0].name}()` ends for good when something in it fails, as in line "
        f"{fails.lineno} of {functions[0].module.name}, and nobody learns of that while "
        f"`{ast.unparse(place)}` keeps the task: handle errors in the loop, or add a callback that "
        "looks at `exception()`",
        profile=Profile.STRICT,
    )


def _may_be_told(context: TreeContext, function: Function) -> bool:
    """Whether a decorator may see the failure of the function, as one does that logs errors.

    Or the object is told in a `finally` that the work has ended.
    """
    node = function.source_tree()
    if node is not None and any(map(_tells_its_object, body_nodes(node))):
        return True
    resolver = context.resolver
    scope = resolver.functions.body_scope(function)
    named = [resolver.names_of_text(each, scope) for each in function.facts.decorators]
    if not any(MARKS.isdisjoint(names) for names in named):
        return False
    wrappers = resolver.decorators.wrappers(function)
    return not wrappers or any(_failing_loop(context, each) is None for each in wrappers)


def _tells_its_object(node: ast.AST) -> bool:
    """`finally: self.close()` behind the loop: a method of its own is called as the work ends."""
    tried = as_try(node)
    return (
        tried is not None
        and any(own_nodes(tried.body, ast.While))
        and any(
            isinstance(each, ast.Call) and bool(own_attribute(each.func))
            for each in own_nodes(tried.finalbody)
        )
    )


def _is_started_anew(context: TreeContext, call: ast.Call, name: str) -> bool:
    """Whether a task is started where another one is found to be done, which asyncio reports then.

    if self._worker is None or self._worker.done():
        self._worker = create_task(self._work())
    """
    function = context.function_of(call)
    return isinstance(function, FunctionNode) and any(
        isinstance(each.func, ast.Attribute)
        and each.func.attr == "done"
        and own_attribute(each.func.value) == name
        for each in body_nodes(function, ast.Call)
    )


def _place(context: TreeContext, call: ast.Call) -> tuple[ast.expr, bool] | None:
    """The attribute that keeps a task, or the collection, which may be the module's."""
    match context.parent(call):
        case ast.Assign([ast.Attribute(ast.Name("self")) as place]):
            return place, False
        case ast.Assign([ast.Subscript(place)]):
            pass
        case ast.Call(ast.Attribute(place, adder)) if adder in APPENDERS:
            pass
        case _:
            return None
    is_own = isinstance(place, ast.Attribute) and isinstance(place.value, ast.Name)
    is_shared = isinstance(place, ast.Name) and place.id not in context.scopes[place].bindings
    return (place, True) if is_own or is_shared else None


def _failing_loop(context: TreeContext, function: Function) -> ast.expr | None:
    """What the loop of an endless coroutine function waits for outside of any `try`."""
    node = function.source_tree()
    if node is None:
        return None
    scope = Scope.of_body(function.implementation, node)
    waits = [
        each.node
        for each in guarded(node.body)
        if isinstance(each.node, ast.Await)
        and not any(
            _sees_all(context, handler, scope) for inner in each.around for handler in inner
        )
        and not _cannot_fail(context, each.node.value, scope)
    ]
    return min(waits, key=lambda each: each.lineno, default=None)


def _sees_all(context: TreeContext, handler: ast.ExceptHandler, scope: Scope) -> bool:
    """Whether a handler does something about every error, be it that it logs it and raises."""
    takes_all = takes_every_error(context.resolver, handler.type, scope)
    return takes_all and not isinstance(handler.body[0], ast.Raise)


def _cannot_fail(context: TreeContext, awaited: ast.expr, scope: Scope) -> bool:
    """Whether no failure comes out of an `await`.

    It waits for asyncio itself, as `sleep()` and `queue.get()` do, or for what handles its errors.
    """
    if isinstance(awaited, ast.Call) and len(awaited.args) == 1:
        shields = frozenset({Role.CANCELLATION_SHIELD})
        if context.file.roles(awaited.func, scope) & shields:
            return _cannot_fail(context, awaited.args[0], scope)
    return isinstance(awaited, ast.Call) and (
        any(
            name.startswith("asyncio.") and not name.endswith(_WORKING)
            for name in context.resolver.names(awaited.func, scope)
        )
        or sees_to_failures(context, awaited.func, scope)
    )


def screen(unit: Unit) -> bool:
    """Whether the unit starts work in a thread or task, or gathers with exceptions."""
    text = unit.text
    return (
        ".submit(" in text
        or "wait(" in text
        or "return_exceptions" in text
        or "consumeErrors" in text
        or "create_task(" in text
        or "ensure_future(" in text
    )


RULE = Rule(
    code="LCX208",
    fixes="none",
    screen=screen,
    check=check,
)
