"""A generator stands where an asynchronous function is meant, or the other way round.

## Why

To call a generator function runs nothing of it: it only makes the generator, for a loop to run. So
where `@inlineCallbacks` is missing above a `def` that yields Deferreds, or an `async def` yields
where it should return, the call looks like that of an asynchronous function, and the work is never
done. Nothing fails, and nothing is logged. As a condition a generator is always true
([llvm-zorg 720](https://github.com/llvm/llvm-zorg/pull/720)).

The other way round, `@inlineCallbacks` above a function without any `yield` raises TypeError at
each call, also where the last `yield` has only been commented out.

## Bad

```python
from twisted.internet.defer import inlineCallbacks, returnValue


class Meter:
    def __init__(self, link):
        self.link = link

    def write(self, text):
        answer = yield self.link.send(text)
        returnValue(answer)


@inlineCallbacks
def reset(meter: Meter):
    yield meter.write("*RST")
```

```python
from twisted.internet.defer import inlineCallbacks


class Greeter:
    @inlineCallbacks
    def on_join(self, details):
        print("joined", details)
        # yield self.subscribe()
```

```python
from twisted.internet.threads import deferToThread


async def chunks(text: str):
    for start in range(0, len(text), 10):
        yield text[start : start + 10]


async def store(text: str) -> None:
    for chunk in await deferToThread(chunks, text):
        print(chunk)
```

## Good

```python
from twisted.internet.defer import inlineCallbacks, returnValue


class Meter:
    def __init__(self, link):
        self.link = link

    @inlineCallbacks
    def write(self, text):
        answer = yield self.link.send(text)
        returnValue(answer)


@inlineCallbacks
def reset(meter: Meter):
    yield meter.write("*RST")
```

```python
class Greeter:
    def on_join(self, details):
        print("joined", details)
```

Silent is a generator that something else may drive: one that is decorated, handed on, or given to
another call.

## Fix

None: whether the decorator or the `yield` is missing is for a person to decide.

## When not to use it

Where a framework of your own calls generators by name and runs them: decorate them, if only with a
mark, and the rule is silent.

## Use instead

An `async def`; `logctx_lint.runtime.run_in_background` takes one, or a function under
`@inlineCallbacks`, and starts it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.assertions import is_expected_to_raise
from logctx_lint.analysis.awaitables.discarded_values import discarded
from logctx_lint.analysis.awaitables.generator_functions import (
    generators,
    is_asynchronous,
    made_by,
    waits,
)
from logctx_lint.analysis.callback_arguments import is_called_by
from logctx_lint.analysis.context import TreeContext, arguments, in_source_order, loops
from logctx_lint.analysis.unit_tests import is_run_by_unittest
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.inference.calls import CHAINERS
from logctx_lint.inference.known_names import RETURN_VALUE
from logctx_lint.inference.types import Certainty, Instance, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, last_name, own_nodes, returned_values
from logctx_lint.syntax.excerpts import excerpt

_INLINE_CALLBACKS = "twisted.internet.defer.inlineCallbacks"
_CALLERS = frozenset({Role.CALLBACK_TAKER, Role.THREAD_STARTER, Role.TIMER})
"""Call a function they are given, and do not iterate over what that gives."""
_CONSUMERS = frozenset({"all", "any", "enumerate", "list", "max", "min", "set", "sorted", "sum",
                        "tuple", "zip"})  # fmt: skip
"""Built-in functions that loop over their first argument."""
_ITERATED = frozenset({"Generator", "Iterable", "Iterator"})
_NOTHING_RUNS = "of which nothing runs"


def check(context: TreeContext) -> None:
    for statement, _ in context.unit.statements:
        if isinstance(statement, ast.Expr):
            _check_dropped(context, statement.value)
    for awaited, _ in context.unit.nodes(ast.Await):
        _check_awaited(context, awaited)
    for yielded, _ in context.unit.nodes(ast.Yield):
        _check_awaited(context, yielded)
    for attribute, scope in context.unit.nodes(ast.Attribute):
        if attribute.attr in CHAINERS:
            _report_made(context, attribute.value, scope, "has no callbacks")
    for node, scope in _looped_over(context):
        if is_asynchronous(context.file, node, scope):
            context.report(
                RULE.code,
                node,
                f"`{excerpt(node)}` is an asynchronous generator, which a plain loop cannot "
                "iterate over: use `async for`, or a plain generator",
            )
    for test in _tested(context):
        _report_made(context, test, context.scopes[test], "is always true")
    for call, _ in context.unit.nodes(ast.Call):
        _check_handed_over(context, call)
    for function, scope in context.unit.scopes.items():
        assert isinstance(function, FunctionNode)
        _check_definition(context, function, scope)


def _check_dropped(context: TreeContext, value: ast.expr) -> None:
    """`write(x)`, as a statement."""
    for call in discarded(value):
        found = generators(context.file, call.func, context.scopes[call.func])
        if found and not is_expected_to_raise(context, call):
            what = "makes a generator " + _NOTHING_RUNS
            _report(context, call, found[0], what)


def _check_awaited(context: TreeContext, node: ast.Await | ast.Yield) -> None:
    """`await write(x)`, and `yield write(x)` under `@inlineCallbacks`, which gives it back."""
    call = node.value
    if not isinstance(call, ast.Call):
        return
    by_yield = isinstance(node, ast.Yield)
    if by_yield and not context.awaits_by_yield(context.function_of(node)):
        return
    found = generators(context.file, call.func, context.scopes[call.func])
    # What is yielded need not be a Deferred, and a loop may be about to run it.
    is_dropped = isinstance(context.parent(node), ast.Expr)
    if not found or (by_yield and not is_dropped and not waits(context.file, found[0])):
        return
    if not any(_is_told_where_defined(context, each) for each in found):
        _report(context, call, found[0], f"makes a generator {_NOTHING_RUNS}: nothing is awaited")


def _report_made(context: TreeContext, node: ast.expr, scope: Scope, what: str) -> None:
    found = made_by(context.file, node, scope)
    if found:
        _report(context, node, found[0], f"makes a generator, which {what}")


def _report(context: TreeContext, node: ast.expr, function: Function, what: str) -> None:
    label = f"`{excerpt(node.func)}()`" if isinstance(node, ast.Call) else f"`{excerpt(node)}`"
    if not isinstance(node, ast.Call):
        what = what.replace("makes a", "is a")
    context.report(
        RULE.code,
        node,
        f"{label} {what} ({function.module.place_of(function)}): {_cure(context, function)}",
        profile=Profile.STRICT if context.file.module.is_test else Profile.RECOMMENDED,
    )


def _cure(context: TreeContext, function: Function, otherwise: str = "") -> str:
    if waits(context.file, function):
        return f"put `@inlineCallbacks` above `{function.name}`"
    if otherwise:
        return otherwise
    return "iterate over it with `async for`" if function.facts.is_async else "iterate over it"


def _tested(context: TreeContext) -> Iterator[ast.Call]:
    """The calls whose values are tested for truth, as in `if self.is_allowed(user):`."""
    choices: list[ast.If | ast.While | ast.IfExp | ast.Assert] = [
        *(node for node, _ in context.unit.nodes(ast.If)),
        *(node for node, _ in context.unit.nodes(ast.While)),
        *(node for node, _ in context.unit.nodes(ast.IfExp)),
        *(node for node, _ in context.unit.nodes(ast.Assert)),
    ]
    for node in choices:
        yield from _conditions(node.test)


def _conditions(test: ast.expr) -> Iterator[ast.Call]:
    match test:
        case ast.Call():
            yield test
        case ast.UnaryOp(ast.Not(), operand):
            yield from _conditions(operand)
        case ast.BoolOp(_, values):
            for each in values:
                yield from _conditions(each)


def _looped_over(context: TreeContext) -> Iterator[tuple[ast.expr, Scope]]:
    """What plain loops, comprehensions and built-in functions iterate over."""
    for kind in (ast.For, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp):
        for node, _ in context.unit.nodes(kind):
            for loop in loops(node):
                if isinstance(loop, ast.For) or (
                    isinstance(loop, ast.comprehension) and not loop.is_async
                ):
                    yield loop.iter, context.scopes[loop.iter]
    for call, scope in context.unit.nodes(ast.Call):
        match call:
            case ast.Call(ast.Name(name), [given, *_]) if name in _CONSUMERS:
                if f"builtins.{name}" in context.names(call):
                    yield given, scope


def _check_handed_over(context: TreeContext, call: ast.Call) -> None:
    """`callLater(1, poll)`, `LoopingCall(poll)`, `deferToThread(chunks)`."""
    for argument in arguments(call):
        if not isinstance(argument, ast.Name | ast.Attribute):
            continue
        found = generators(context.file, argument, context.scopes[argument])
        if found and is_called_by(context.file, call, argument, context.scopes[call], _CALLERS):
            context.report(
                RULE.code,
                argument,
                f"`{excerpt(call.func)}()` calls `{excerpt(argument)}`, which makes a generator "
                f"{_NOTHING_RUNS} ({found[0].module.place_of(found[0])}): "
                f"{_cure(context, found[0], 'hand over a plain function')}",
            )


# Definitions


def _check_definition(context: TreeContext, function: FunctionNode, scope: Scope) -> None:
    facts = scope.function.facts if scope.function else None
    if facts is None:
        return
    if facts.is_generator and not function.decorator_list:
        place = _returning(context, function, scope)
        if place is not None and not _is_handed_on(context, function.name):
            context.report(
                RULE.code,
                place,
                f"`{function.name}()` returns by `returnValue`, but is not under "
                "`@inlineCallbacks`: its calls only make a generator, and nothing runs",
            )
        elif _is_test(context, function, scope):
            is_async = isinstance(function, ast.AsyncFunctionDef)
            cure = "await instead" if is_async else "put `@inlineCallbacks` above it"
            yielded = next(each for each in _own(function) if isinstance(each, ast.Yield))
            context.report(
                RULE.code,
                yielded,
                f"`{function.name}()` is a generator, which the test runner calls but does not "
                f"iterate over, so that nothing of it runs: {cure}",
            )
    elif not facts.is_generator and function.decorator_list:
        decorator = function.decorator_list[-1]
        if _INLINE_CALLBACKS in context.names(decorator):
            _check_driven(context, function, scope, decorator)


def _own(function: FunctionNode) -> list[ast.expr]:
    return in_source_order(each for each in body_nodes(function) if isinstance(each, ast.expr))


def _returning(context: TreeContext, function: FunctionNode, scope: Scope) -> ast.Call | None:
    """A call of `returnValue` in a function."""
    if "returnValue" not in context.unit.text:
        return None
    for node in _own(function):
        if isinstance(node, ast.Call) and RETURN_VALUE in context.names(node):
            return node
    return None


def _is_told_where_defined(context: TreeContext, function: Function) -> bool:
    """Whether the call of `returnValue` in a generator's own body is reported already."""
    node = function.tree()
    if function.module.path != context.file.module.path or node is None:
        return False
    scope = Scope.of_body(function, node)
    return not _is_handed_on(context, function.name) and any(
        RETURN_VALUE in context.resolver.names(each.func, scope)
        for each in body_nodes(node, ast.Call)
    )


def _is_handed_on(context: TreeContext, name: str) -> bool:
    """Whether the file hands a function, or what it makes, to something that may drive it."""
    used_alone: set[ast.AST] = set()
    called: set[ast.AST] = set()
    for node in all_nodes(context.file.tree):
        match node:
            case ast.Call(func):
                called.add(func)
                for given in arguments(node):
                    if isinstance(given, ast.Call) and last_name(given.func) == name:
                        return True
            case ast.YieldFrom(ast.Call(func)) | ast.For(iter=ast.Call(func)):
                if last_name(func) == name:
                    return True
            case ast.Name(found, ast.Load()) | ast.Attribute(_, found, ast.Load()):
                if found == name:
                    used_alone.add(node)
    return bool(used_alone - called)


def _is_test(context: TreeContext, function: FunctionNode, scope: Scope) -> bool:
    """Whether a function is a method that unittest or trial calls."""
    owner = scope.function.owner if scope.function else None
    if owner is None or function is not context.unit.node:
        return False  # One inside another test, which tries what becomes of it, is none.
    is_awaiting = any(body_nodes(function, ast.Yield))
    return is_awaiting and is_run_by_unittest(context.file, function.name, owner)


def _check_driven(
    context: TreeContext, function: FunctionNode, scope: Scope, decorator: ast.expr
) -> None:
    """A function under `@inlineCallbacks` that is no generator."""
    what = "an `async def`" if isinstance(function, ast.AsyncFunctionDef) else "without a `yield`"
    cure = "take the decorator away"
    if isinstance(function, ast.FunctionDef):
        if _is_no_body(function.body) or not _ends_plainly(context, function, scope):
            return
        cure += ", or yield what it should wait for"
    context.report(
        RULE.code,
        decorator,
        f"`{function.name}()` is {what}, and `@inlineCallbacks` takes generators only, so that "
        f"each call raises TypeError: {cure}",
        profile=Profile.STRICT if context.file.module.is_test else Profile.RECOMMENDED,
    )


def _is_no_body(body: list[ast.stmt]) -> bool:
    """Whether a function is a mere declaration, or always raises."""
    last = body[-1]
    if isinstance(last, ast.Raise) and not any(own_nodes(body, ast.Return)):
        return True
    return all(isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) for each in body)


def _ends_plainly(context: TreeContext, function: ast.FunctionDef, scope: Scope) -> bool:
    """Whether what a function returns is no generator, and no lost `yield` is reported anyway."""
    resolver = context.resolver
    returned = list(returned_values(function))
    for value in returned:
        type_ = resolver.type_of(value, scope)
        answer = resolver.awaitability(type_)
        is_known = answer.is_certain or answer.certainty is Certainty.NO
        is_iterated = any(
            isinstance(each, Instance) and each.cls.name in _ITERATED for each in members_of(type_)
        )
        if not is_known or is_iterated:
            return False
    # Work that the function starts and does not wait for is another rule's business.
    given = {*returned, *_bound_and_returned(function, returned)}
    return not any(
        each not in given and _is_awaitable(context, each, scope)
        for each in body_nodes(function, ast.Call)
    )


def _bound_and_returned(function: ast.FunctionDef, returned: list[ast.expr]) -> Iterator[ast.expr]:
    """What names that are returned are bound to: `d = f()`, and behind that `return d`."""
    names = {each.id for each in returned if isinstance(each, ast.Name)}
    for node in own_nodes(function.body):
        match node:
            case ast.Assign([ast.Name(name)], value) if name in names:
                yield value


def _is_awaitable(context: TreeContext, call: ast.Call, scope: Scope) -> bool:
    if not context.file.prefilter.may_give_awaitable(call, scope):
        return False
    return context.resolver.awaitability(context.resolver.type_of(call, scope)).is_certain


def screen(unit: Unit) -> bool:
    """Whether the unit may call a generator function, or define what is mistaken for one."""
    traits = unit.file.traits
    text = unit.text
    if "inlineCallbacks" in text or "returnValue" in text or "yield" in text:
        return True
    names = {
        last_name(node)
        for kind in (ast.Call, ast.Attribute)
        for node, _ in unit.nodes(kind)
        for node in ([node.func, *arguments(node)] if isinstance(node, ast.Call) else [node])
    }
    return any(name in traits.generating or name in traits.asynchronous for name in names if name)


RULE = Rule(
    code="LCX113",
    fixes="none",
    check=check,
    screen=screen,
)
