"""A Deferred is fired or cancelled in a log context that others then run in.

## Why

`d.callback(...)`, `d.errback(...)` and `d.cancel()` run at once whatever waits for `d`. With log
contexts in thread-local storage that code finds the context of whoever fires `d`, and leaves its
own behind when it is done: the code after the call logs to the wrong request, or to one that is
over.

## Bad

```python
# settings: framework=twisted, storage=thread-local
from twisted.internet.defer import Deferred


class Lock:
    def __init__(self) -> None:
        self._released: "Deferred[None]" = Deferred()

    def release(self) -> None:
        self._released.callback(None)
        print("released")
```

## Good

```python
# settings: framework=twisted, storage=thread-local
from twisted.internet.defer import Deferred

from logctx_lint.runtime import PreserveLoggingContext


class Lock:
    def __init__(self) -> None:
        self._released: "Deferred[None]" = Deferred()

    def release(self) -> None:
        with PreserveLoggingContext():
            self._released.callback(None)
        print("released")
```

## Fix

Unsafe: `with PreserveLoggingContext():` is put around the statement, with its import. It changes
the log context that the waiters start in.

## Settings

`vocabulary` adds the project's own `sentinel-guard` names.

## Use instead

`logctx_lint.runtime.PreserveLoggingContext`; or `run_in_background(d.callback, result)`, with
`logctx_lint.runtime.run_in_background`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.analysis.surroundings import outwards
from logctx_lint.analysis.units import File, units
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Edit, Fix
from logctx_lint.fixes.edits import helper
from logctx_lint.fixes.import_edits import insertion
from logctx_lint.inference.types import (
    ClassObject,
    Kind,
    callees_of,
    without_none,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.rules.rule import Applies, Rule
from logctx_lint.syntax.ast_walk import all_nodes, call_arguments, is_name

_FIRING = frozenset({"callback", "errback", "cancel"})
_FROM_REACTOR = frozenset({Role.TIMER, Role.CALLBACK_TAKER})


def check(context: TreeContext) -> None:
    for call, scope in context.unit.nodes(ast.Call):
        func = call.func
        if (
            isinstance(func, ast.Attribute)
            and func.attr in _FIRING
            and _is_deferred(context.file, func.value, scope)
            and context.is_placed(call)
            and not context.in_sentinel_guard(call)
            and not _has_no_waiters(context, func.value, call)
            and not _ends_the_work(context, call)
            and not _runs_outside(context, call)
        ):
            _report(context, call, func)


def _report(context: TreeContext, call: ast.Call, func: ast.Attribute) -> None:
    guard = helper(context, Role.SENTINEL_GUARD)
    name = guard.text if guard else "PreserveLoggingContext"
    edits = _guarded(context, call, name) if guard else None
    fixes: tuple[Fix, ...] = ()
    if guard and edits:
        title = f"Do it in `with {name}():`"
        fixes = (Fix(title, Applicability.UNSAFE, (*edits, *guard.imports)),)
    context.report(
        RULE.code,
        call,
        f"`{context.line(func)}()` runs what waits for the Deferred in this log context, and may "
        f"come back in another one: do it in `with {name}():`",
        fixes,
    )


def _ends_the_work(context: TreeContext, node: ast.Call) -> bool:
    """Whether it is the last thing that an asynchronous function does: nothing goes on."""
    function = context.function_of(node)
    if not context.is_asynchronous(function):
        return False
    for outer, inner in outwards(context, node):
        if not all(_says_nothing(each) for each in context.behind(inner)):
            return False
        if outer is function:
            return True
        if isinstance(outer, ast.With | ast.AsyncWith | ast.For | ast.AsyncFor | ast.While):
            return False
        attempt = as_try(outer)
        if attempt:
            is_last = inner in attempt.finalbody or not attempt.finalbody
            if not is_last or (attempt.orelse and inner in attempt.body):
                return False
    return False


# Who waits


def _has_no_waiters(context: TreeContext, deferred: ast.expr, fired: ast.Call) -> bool:
    """Whether a Deferred was made in this function, and nobody else has got it yet."""
    function = context.function_of(fired)
    if not isinstance(deferred, ast.Name) or not isinstance(function, FunctionNode):
        return False
    return _is_made_here(context, deferred) and not any(
        is_name(inner, deferred.id)
        and (inner.lineno, inner.col_offset) < (fired.lineno, fired.col_offset)
        and _gets_out(context, inner)
        for statement in function.body
        for inner in all_nodes(statement)
    )


def _is_made_here(context: TreeContext, name: ast.Name) -> bool:
    scope, resolver = context.scopes[name], context.resolver
    bindings = scope.reaching_name(name)
    return bool(bindings) and all(
        binding.kind in ("value", "annotation")
        and isinstance(binding.value, ast.Call)
        and isinstance(resolver.type_of(binding.value.func, scope), ClassObject)
        for binding in bindings
    )


def _gets_out(context: TreeContext, name: ast.Name) -> bool:
    """Whether a use of a name lets somebody else have what it holds."""
    is_target = isinstance(name.ctx, ast.Store)
    return not is_target and not isinstance(context.parent(name), ast.Attribute)


# Who calls


def _runs_outside(context: TreeContext, node: ast.Call) -> bool:
    """Whether the function is a Deferred's callback, or is called by Twisted itself."""
    function = context.function_of(node)
    if isinstance(function, ast.Lambda):
        call = context.taker(function)
        return call is not None and _calls_outside(context.roles(call))
    found = context.unit.scopes[function].function if function else None
    return found is not None and (
        _overrides_foreign(context.file, found) or _is_handed_outside(context.file, found)
    )


# The fix


def _guarded(context: TreeContext, node: ast.Call, name: str) -> tuple[Edit, ...] | None:
    """Put the statement into a `with` block; None where it is only a part of its line."""
    statement = context.parent(node)
    if not isinstance(statement, ast.Expr):
        return None
    span = context.span(statement)
    lines = context.file.source.lines
    indent = lines[span.line - 1][: span.column]
    behind = lines[span.end_line - 1][span.end_column :].strip()
    if indent.strip() or behind.partition("#")[0]:
        return None
    # A text of several lines would change when it is indented.
    if any(quote in context.text(statement) for quote in ('"""', "'''")):
        return None
    step = "\t" if indent.endswith("\t") else "    "
    opening = insertion(span.line, span.column, f"with {name}():\n{indent}{step}")
    rest = range(span.line + 1, span.end_line + 1)
    return (opening, *(insertion(each, 0, step) for each in rest if lines[each - 1].strip()))


def _says_nothing(node: ast.stmt) -> bool:
    """`return`, `pass`."""
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Return) and node.value is None)


def _is_deferred(file: File, node: ast.expr, scope: Scope) -> bool:
    answer = file.resolver.awaitability(without_none(file.resolver.type_of(node, scope)))
    return answer.is_certain and answer.kind is Kind.DEFERRED


def _calls_outside(roles: frozenset[Role]) -> bool:
    """Whether a callee adds callbacks, or is Twisted's own way to have something called."""
    return Role.CHAINER in roles or (Role.RAW_AWAITABLE in roles and bool(roles & _FROM_REACTOR))


def _overrides_foreign(file: File, function: Function) -> bool:
    """Whether a method is one of those that a class of another library calls."""
    owner = function.owner
    return owner is not None and any(
        ancestor.module.is_stub and function.name in ancestor.facts.functions
        for ancestor, _ in file.resolver.classes.ancestors(owner)
    )


def _is_handed_outside(file: File, function: Function) -> bool:
    """Whether the function is added as a callback, or handed to the reactor, in this file."""
    return any(
        _is_named(file, argument, scope, function)
        for unit in units(file, file.tree)
        if function.name in unit.text
        for call, scope in unit.nodes(ast.Call)
        for argument in _handed(call)
        if function.name == getattr(argument, "attr", getattr(argument, "id", ""))
        if _calls_outside(file.roles(call.func, scope))
    )


def _handed(call: ast.Call) -> Iterator[ast.expr]:
    """The arguments of a call; of a lambda, what it calls."""
    for argument in call_arguments(call):
        match argument:
            case ast.Lambda(_, ast.Call(func)):
                yield func
            case _:
                yield argument


def _is_named(file: File, node: ast.expr, scope: Scope, function: Function) -> bool:
    return any(
        member.function == function for member in callees_of(file.resolver.type_of(node, scope))
    )


RULE = Rule(
    code="LCX403",
    fixes="`with PreserveLoggingContext():` (unsafe)",
    check=check,
    applies=Applies.THREAD_LOCAL,
)
