"""A timer or a hook runs asynchronous work in no log context.

## Why

The reactor calls timers, and what runs at start and stop, under the sentinel: no log context is
current. What the work logs cannot be told from anything else, and what it costs is counted for
nobody. `run_in_background` does not help, for there is no context that it could keep.

Where the project's own clock opens a log context around what it calls, or the function opens one
itself, nothing is missing. The rule reads both in their source. It is off until it is enabled.

## Bad

```python
from twisted.internet.task import LoopingCall


async def prune() -> None: ...


def start() -> None:
    LoopingCall(prune).start(60).addErrback(print)
```

```python
from twisted.internet import reactor

from logctx_lint.runtime import run_in_background


async def prune() -> None: ...


def start() -> None:
    reactor.callLater(60, run_in_background, prune)
```

## Good

```python
from twisted.internet.task import LoopingCall

from logctx_lint.runtime import run_as_background_process


async def prune() -> None: ...


def start() -> None:
    LoopingCall(run_as_background_process, "prune", prune).start(60).addErrback(print)
```

## Fix

Unsafe: the work gets a log context of its own, and its failures are logged, so that a `LoopingCall`
goes on after one.

## Settings

`enable = ["LCX207"]` (`--lcx-enable=LCX207` in flake8) switches the rule on. `vocabulary` adds the
project's own `timer`, `background-process` and `context-manager` names.

## Use instead

`logctx_lint.runtime.run_as_background_process`.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.callback_arguments import (
    Taken,
    body_calls,
    calls_inside,
    given_by,
    handed_over,
    ignored_kind,
    is_partial,
    taken,
    target,
)
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Edit
from logctx_lint.fixes.background_starters import process, process_fix, started_instead
from logctx_lint.fixes.edits import before
from logctx_lint.project.modules import Function
from logctx_lint.rules.rule import Rule, RuleVisitor
from logctx_lint.syntax.lazy_libcst import cst

_TIMERS = frozenset({Role.TIMER})
_OPENING = frozenset({Role.CONTEXT_MANAGER, Role.BACKGROUND_PROCESS})
"""What opens a log context of its own."""


class TimerWithoutContext(RuleVisitor):
    def visit_Call(self, node: cst.Call) -> None:
        roles = self.context.roles(node)
        if Role.TIMER not in roles:
            return
        file = self.context.file
        for each, function in handed_over(self.context, node):
            started = self._started(node, function)
            # What the timer ignores never runs, or is lost: LCX106.
            if not started and ignored_kind(file, each, roles):
                continue
            runs = started or target(self.context, function)
            if self._needs_context(runs) and not calls_inside(file, each, _OPENING):
                self._report(node, each, function, started)

    def _started(self, taker: cst.Call, function: cst.BaseExpression) -> cst.BaseExpression | None:
        """The function that a background starter is to start: `callLater(1, start, f)`."""
        if Role.BACKGROUND_STARTER not in self.context.roles(target(self.context, function)):
            return None
        match function:
            case cst.Lambda(body=cst.Call(args=[first, *_])):
                return first.value
            case cst.Call(args=[_, first, *_]) if is_partial(self.context, function):
                return first.value
        values = [argument.value for argument in taker.args]
        return next(iter(values[values.index(function) + 1 :]), None)

    def _needs_context(self, function: cst.BaseExpression) -> bool:
        """Whether a function of the project is asynchronous, and opens no log context."""
        resolver = self.context.resolver
        given = resolver.awaitability(resolver.call_type(self.context.type_of(function)))
        functions = self.context.functions(function)
        return (
            given.is_certain
            and bool(functions)
            and not any(self._opens_context(each) for each in functions)
        )

    def _opens_context(self, function: Function) -> bool:
        return (
            # What a library does is not logged by the project.
            function.module.is_stub
            or not self.context.decorator_roles(function).isdisjoint(_OPENING)
            or body_calls(self.context.file, function, _OPENING)
        )

    def _report(
        self,
        taker: cst.Call,
        argument: Taken,
        function: cst.BaseExpression,
        started: cst.BaseExpression | None,
    ) -> None:
        by = self.context.callee(taker).label
        runs = started or target(self.context, function)
        callee = self.context.called(runs)
        known = process(self.context, runs)
        name = known.starter.text if known else "run_as_background_process"
        edits: tuple[Edit, ...] | None = None
        if known and known.first is not None:
            if started:
                edits = self._swapped(function, known.starter.text, known.first)
            else:
                edits = started_instead(
                    self.context, taker, argument, function, known.starter.text, known.first
                )
        self.context.report(
            RULE.code,
            function,
            f"{by} has {callee.label} run in no log context ({callee.reason}), so that what it logs"
            f" and costs is nobody's: start it with `{name}`",
            process_fix(known.starter, edits) if known else (),
        )

    def _swapped(
        self, function: cst.BaseExpression, starter: str, first: str
    ) -> tuple[Edit, ...] | None:
        """The process in place of the background starter."""
        match function:
            case cst.Lambda(body=cst.Call(func=func, args=[inner, *_])) if not func.lpar:
                return Edit(self.context.span(func), starter), before(self.context, inner, first)
            case cst.Call(args=[inner, *_]):
                function = inner.value
            case cst.Lambda():
                return None
        if function.lpar:
            return None
        return (Edit(self.context.span(function), f"{starter}, {first.removesuffix(', ')}"),)


def screen(unit: Unit) -> bool:
    """Whether the unit hands an asynchronous function to a timer."""
    file = unit.file
    return any(
        given_by(file, each).is_certain
        for call, scope in unit.nodes(ast.Call)
        if file.may_play(call.func, _TIMERS) and Role.TIMER in file.roles(call.func, scope)
        for each in taken(file, call, scope)
    )


RULE = Rule(
    code="LCX207",
    fixes="wrap in a background process (unsafe)",
    visitor=TimerWithoutContext,
    screen=screen,
)
