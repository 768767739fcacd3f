"""Whether a function gives an awaitable is guessed, or not asked at all.

## Why

A function need not be an `async def` to return an awaitable: an object with `async def __call__`,
`lambda: send(x)`, a decorated function, a method that returns a task. For all of these
`iscoroutinefunction` says no; the code calls them, does not look at what comes back, and the
coroutine never runs. What is to be asked is the result: `inspect.isawaitable(result)`.

So it is where a handler is declared to be asynchronous or not, as
`Callable[[str], None | Awaitable[None]]`, and is called as a statement: of an asynchronous one,
which the declaration invites, nothing runs
([e2b 159](https://github.com/e2b-dev/code-interpreter/issues/159)).

The shape of [aioitertools 4](https://github.com/omnilib/aioitertools/issues/4) and
[aiocron 20](https://github.com/gawel/aiocron/pull/20).

## Bad

```python
import inspect
from typing import Any, Callable


async def notify(hook: Callable[[str], Any], name: str) -> None:
    if inspect.iscoroutinefunction(hook):
        await hook(name)
    else:
        hook(name)
```

```python
from typing import Awaitable, Callable, Union

Handler = Callable[[str], Union[None, Awaitable[None]]]


def read(line: str, on_error: Handler) -> None:
    if line.startswith("error"):
        on_error(line)
```

## Good

```python
import inspect
from typing import Any, Callable


async def notify(hook: Callable[[str], Any], name: str) -> None:
    result = hook(name)
    if inspect.isawaitable(result):
        await result
```

## Fix

None.

## When not to use it

Where the plain function is run in a thread, only `iscoroutinefunction` can tell beforehand: such
code is silent. It is reported with the profile `strict` only: most of what was read in public
packages was true, and met by nobody yet.

## Use instead

`inspect.isawaitable` of the result; with Twisted `logctx_lint.runtime.maybe_awaitable`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.awaitables import discarded_awaitables
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.own_class import class_node
from logctx_lint.analysis.run_time_checks import is_asked_for
from logctx_lint.analysis.units import Unit
from logctx_lint.findings import Profile
from logctx_lint.inference.known_names import FUNCTION_TESTS, VALUE_TEST_NAMES
from logctx_lint.inference.types import (
    NONE,
    CallableType,
    Certainty,
    FunctionType,
    Kind,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, last_name, own_nodes

_PREDICATES = frozenset(name for name, kind in FUNCTION_TESTS.items() if kind == "coroutine")
_TASK_STARTERS = frozenset({"create_task", "ensure_future", "run_coroutine_threadsafe"})
_PREDICATE_NAMES = frozenset(name.rpartition(".")[2] for name in _PREDICATES)
_OF_GENERATORS = FUNCTION_TESTS.keys() - _PREDICATES
_LOOKING = VALUE_TEST_NAMES | {"Awaitable", "ensure_future"}

_MAY_BE_LAZY = frozenset({Kind.COROUTINE, Kind.AWAITABLE})


def check(context: TreeContext) -> None:
    for node, _ in context.unit.statements:
        match node:
            case ast.If():
                _check_branches(context, node, node.body, node.orelse or _following(context, node))
            case ast.Expr(ast.Call() as call) if _may_be_either(context, call):
                _report_either(context, call)
    for expression, _ in context.unit.nodes(ast.IfExp):
        _check_branches(context, expression, [expression.body], [expression.orelse])


def _may_be_either(context: TreeContext, call: ast.Call) -> bool:
    """Whether a call drops what a callable gives that is declared to be asynchronous or not."""
    answer = context.awaitability(call)
    # What `register("name")(f)` calls is a decorator, which gives back what it is given.
    is_named = isinstance(call.func, ast.Name | ast.Attribute | ast.Subscript)
    if not is_named or answer.certainty is not Certainty.SOME or answer.kind not in _MAY_BE_LAZY:
        return False
    callees = [each for each in members_of(context.type_of(call.func)) if each != NONE]
    if not all(isinstance(each, CallableType) for each in callees):
        return False
    if is_asked_for(context.unit, call.func) or _has_twin(context, call):
        return False
    # Where the same is called, and looked at, elsewhere, the code knows which one it has.
    text = ast.unparse(call.func)
    return all(
        isinstance(context.parent(each), ast.Expr)
        for each, _ in context.unit.nodes(ast.Call)
        if ast.unparse(each.func) == text
    )


def _has_twin(context: TreeContext, call: ast.Call) -> bool:
    """Whether a plain function has an asynchronous twin, which is for asynchronous handlers."""
    function = context.function_of(call)
    if not isinstance(function, ast.FunctionDef):
        return False
    name = function.name.lstrip("_")
    private = "_" * (len(function.name) - len(name))
    twins = (f"{function.name}_async", f"{private}a{name}", f"{private}async_{name}")
    return any(each in context.file.traits.asynchronous for each in twins)


def _report_either(context: TreeContext, call: ast.Call) -> None:
    text = context.line(call.func)
    can_await = context.is_asynchronous(context.function_of(call))
    treatment = "await" if can_await else "start a task for"
    context.report(
        RULE.code,
        call,
        f"`{text}` may be asynchronous by its declared type, and then nothing of it runs, as "
        f"nobody awaits what it gives: {treatment} the result if `inspect.isawaitable(result)`",
        profile=Profile.STRICT,
    )


def _following(context: TreeContext, node: ast.If) -> list[ast.stmt]:
    """What runs instead of the body of an `if` that returns."""
    return context.behind(node) if isinstance(node.body[-1], ast.Return) else []


def _check_branches(
    context: TreeContext,
    node: ast.If | ast.IfExp,
    chosen: list[ast.stmt] | list[ast.expr],
    other: list[ast.stmt] | list[ast.expr],
) -> None:
    test = node.test
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, chosen, other = test.operand, other, chosen
    text = _asked(context, test, chosen)
    if text is None:
        return
    awaited = any(_is_driven(each, text) for each in own_nodes(chosen))
    plain = next(_calls(context, other, text), None) if awaited else None
    if plain is None or _is_looked_at(other):
        return
    context.report(
        RULE.code,
        test,
        f"`{text}` may return an awaitable without being an `async def`, as a lambda does or an "
        f"object with an async `__call__`; what line {plain.lineno} calls is then never awaited: "
        f"call it first, and {_treatment(chosen)} the result if `inspect.isawaitable(result)`",
        profile=Profile.STRICT,  # Most that was read in public packages was true and harmless.
    )


def _treatment(chosen: list[ast.stmt] | list[ast.expr]) -> str:
    """What is done with what an `async def` gives, which may be in a plain function."""
    awaits = any(own_nodes(chosen, ast.Await))
    return "await" if awaits else "start a task for"


def _is_driven(node: ast.AST, text: str) -> bool:
    """`await callback(x)`, `create_task(callback(x))`"""
    match node:
        case ast.Await(ast.Call(func)):
            return ast.unparse(func) == text
        case ast.Call(starter, [ast.Call(func), *_]) if last_name(starter) in _TASK_STARTERS:
            return ast.unparse(func) == text
    return False


def _asked(
    context: TreeContext, test: ast.expr, chosen: list[ast.stmt] | list[ast.expr]
) -> str | None:
    """The text of the function whose kind a condition asks for, or has asked for before."""
    match test:
        case ast.Call(_, [function]) if _PREDICATES & set(context.names(test)):
            return None if _is_known(context, function) else ast.unparse(function)
        case ast.Attribute(ast.Name("self"), name):
            # `self.is_async = iscoroutinefunction(f)`
            awaited = [each.value for each in own_nodes(chosen, ast.Await)]
            match awaited:
                case [ast.Call(func)] if _is_noted(context, name):
                    return ast.unparse(func)
    return None


def _is_noted(context: TreeContext, name: str) -> bool:
    """Whether the class asks for the kind of a function and keeps the answer there."""
    cls = class_node(context)
    for node in all_nodes(cls) if cls else ():
        match node:
            case ast.Assign([ast.Attribute(ast.Name("self"), kept)], ast.Call(func, [_])):
                if kept == name and last_name(func) in _PREDICATE_NAMES:
                    return True
    return False


def _is_known(context: TreeContext, node: ast.expr) -> bool:
    """Whether it is a function that the project defines, or one of the object's own methods."""
    if isinstance(node, ast.Name):
        bindings = context.scopes[node].reaching_name(node)
        if bindings and all(_is_own_method(context, each.value) for each in bindings):
            return True
    return any(isinstance(each, FunctionType) for each in members_of(context.type_of(node)))


def _is_own_method(context: TreeContext, value: ast.expr | None) -> bool:
    """`getattr(self, f"on_{name}", None)`, in the method or in a function inside of it."""
    match value:
        case ast.Call(ast.Name("getattr"), [ast.Name() as receiver, *_]):
            scope: Scope | None = context.scopes[receiver]
            while scope is not None and receiver.id not in scope.bindings:
                scope = scope.parent
            bindings = scope.bindings[receiver.id] if scope else []
            return any(each.parameter == "self" for each in bindings)
    return False


def _calls(
    context: TreeContext, body: list[ast.stmt] | list[ast.expr], text: str
) -> Iterator[ast.Call]:
    """The calls of a function whose result may be an awaitable that nobody awaits."""
    nodes = list(own_nodes(body))
    known: set[ast.AST] = {each.value for each in nodes if isinstance(each, ast.Await)}
    for node in nodes:
        match node:
            case ast.Await(ast.Call(args=given) as helper) if _looks_for_others(context, helper):
                known.update(given)
        if isinstance(node, ast.If) and _is_of_generator(context, node.test, text):
            known.update(body_nodes(node, ast.Call))
    for node in nodes:
        if isinstance(node, ast.Call) and node not in known and ast.unparse(node.func) == text:
            yield node


def _looks_for_others(context: TreeContext, call: ast.Call) -> bool:
    """`await maybe_await(callback(x))`: whether a helper looks what it has been given."""
    functions = context.functions(call.func)
    trees = [each.tree() for each in functions if not each.module.is_stub]
    return (
        bool(functions)
        and len(trees) == len(functions)
        and all(tree is not None and _is_looked_at(tree.body) for tree in trees)
    )


def _is_of_generator(context: TreeContext, test: ast.expr, text: str) -> bool:
    """Whether a condition says that the function makes generators, which nobody awaits."""
    match test:
        case ast.Call(_, [function]) if ast.unparse(function) == text:
            return not _OF_GENERATORS.isdisjoint(context.names(test))
    return False


def _is_looked_at(body: list[ast.stmt] | list[ast.expr]) -> bool:
    """Whether somebody asks afterwards what came back."""
    return any(last_name(node) in _LOOKING for node in own_nodes(body))


def screen(unit: Unit) -> bool:
    """Whether the file asks what kind a function is of, or drops what may be an awaitable."""
    return unit.file.source.mentions("iscoroutinefunction") or discarded_awaitables.screen(unit)


RULE = Rule(
    code="LCX209",
    fixes="none",
    screen=screen,
    check=check,
)
