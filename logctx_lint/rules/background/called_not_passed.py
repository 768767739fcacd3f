"""A function is called where it should be passed on to be called.

## Why

`run_in_background(f(x))` calls `f` at once, in the foreground, and hands what it gives to a callee
that wants to call a function: it fails, or fails later in the reactor, and a coroutine never runs.

## Bad

```python
from logctx_lint.runtime import run_in_background


async def send(name: str) -> None: ...


def on_join(name: str) -> None:
    run_in_background(send(name))
```

```python
from twisted.internet import reactor


def poll() -> None: ...


def schedule() -> None:
    reactor.callLater(1, poll())
```

## Good

```python
from twisted.internet import reactor

from logctx_lint.runtime import run_in_background


async def send(name: str) -> None: ...


def poll() -> None: ...


def on_join(name: str) -> None:
    run_in_background(send, name)
    reactor.callLater(1, poll)
```

## Fix

Safe: the function and its arguments are passed on. Not offered where the callee has no room for the
arguments, or calls the function with some of its own.

## Settings

`vocabulary` adds the project's own names that take a function: `background-starter`,
`callback-taker`, `result-taker`, `thread-starter`, `driver` and `timer`.

## Use instead

`logctx_lint.runtime.run_in_background`, which takes the function and its arguments.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.callback_arguments import Taken, handed_over, taken
from logctx_lint.analysis.units import File, Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Fix
from logctx_lint.fixes.edits import as_arguments
from logctx_lint.inference.types import NONE, Awaitability
from logctx_lint.rules.rule import Rule, RuleVisitor
from logctx_lint.syntax.lazy_libcst import cst

_TAKERS = frozenset(
    {
        Role.BACKGROUND_STARTER,
        Role.HAND_STARTER,
        Role.CALLBACK_TAKER,
        Role.RESULT_TAKER,
        Role.THREAD_STARTER,
        Role.DRIVER,
        Role.FUNCTION_RUNNER,
        Role.TIMER,
    }
)


class CalledNotPassed(RuleVisitor):
    def visit_Call(self, node: cst.Call) -> None:
        if self.context.roles(node).isdisjoint(_TAKERS):
            return
        for each, value in handed_over(self.context, node):
            if _is_mistaken(self.context.file, each):
                self._report(node, value, each)

    def _report(self, taker: cst.Call, value: cst.BaseExpression, mistake: Taken) -> None:
        by = self.context.callee(taker).label
        what = _described(self.context.awaitability(value))
        if isinstance(value, cst.Call):
            callee = self.context.callee(value)
            function = callee.label.strip("`").removesuffix("()")
            passed = f"{function}, ..." if value.args else function
            what = f"what {callee.label} returns, {what} ({callee.reason})"
            cure = f"pass the function: `{passed}`"
        else:
            what = f"`{self.context.text(value)}`, {what}"
            cure = "pass the function and its arguments"
        self.context.report(
            RULE.code,
            value,
            f"{by} calls the function that it is given, but gets {what}: {cure}",
            self._fixes(taker, value, mistake),
        )

    def _fixes(self, taker: cst.Call, value: cst.BaseExpression, mistake: Taken) -> tuple[Fix, ...]:
        if not isinstance(value, cst.Call) or not isinstance(mistake.node, ast.Call):
            return ()
        if Role.CHAINER in self.context.roles(taker):
            return ()  # It puts the result in front of the arguments.
        if not _fits(mistake, mistake.node):
            return ()
        edits = as_arguments(self.context, value)
        return (Fix("Pass the function", Applicability.SAFE, edits),) if edits else ()


def _described(answer: Awaitability) -> str:
    if not answer.is_certain:
        return "None"
    return answer.kind.with_article + (" that never runs" if answer.kind.is_lazy else "")


def _fits(mistake: Taken, inner: ast.Call) -> bool:
    """Whether the callee hands on all arguments of the inner call, and none of its own."""
    if any(each.parameters for each in mistake.declared):
        return False
    has_arguments = bool(inner.args or inner.keywords)
    if has_arguments and not (mistake.passes_arguments and mistake.call.args[-1] is inner):
        return False
    own = mistake.passes_keywords
    used = {each.arg for each in mistake.call.keywords}
    return all(
        own is not None and each.arg is not None and each.arg not in own | used
        for each in inner.keywords
    )


def _is_mistaken(file: File, argument: Taken) -> bool:
    """Whether an argument, which should be a function, is what one has given."""
    if not isinstance(argument.node, ast.Call | ast.Name | ast.Attribute):
        return False
    type_ = file.resolver.type_of(argument.node, argument.scope)
    is_call = isinstance(argument.node, ast.Call)
    return file.resolver.awaitability(type_).is_certain or (is_call and type_ == NONE)


def screen(unit: Unit) -> bool:
    """Whether the unit hands what a call gives to something that takes a function."""
    file = unit.file
    return unit.may_call(_TAKERS) and any(
        _is_mistaken(file, each)
        for call, scope in unit.nodes(ast.Call)
        if (call.args or call.keywords) and file.may_play(call.func, _TAKERS)
        if not file.roles(call.func, scope).isdisjoint(_TAKERS)
        for each in taken(file, call, scope)
    )


RULE = Rule(
    code="LCX202",
    fixes="`f(x)` -> `f, x` (safe)",
    visitor=CalledNotPassed,
    screen=screen,
)
