"""A request starts work that it does not wait for, in its own log context.

## Why

What `run_in_background` starts runs in the log context of its caller. Left alone, it is charged to
the request, and goes on when the request has ended: it then logs and counts in a log context that
is finished. Work that nobody waits for is a process of its own.

The log-context documents allow such a start, so this rule is off until it is enabled. Many bugs of
this kind were fixed in Synapse, each by `run_as_background_process` or by `await`.

## Bad

```python
from logctx_lint.runtime import run_in_background


async def push_to_servers(name: str) -> None: ...


async def on_typing(name: str) -> None:
    run_in_background(push_to_servers, name)
```

## Good

```python
from logctx_lint.runtime import run_as_background_process


async def push_to_servers(name: str) -> None: ...


async def on_typing(name: str) -> None:
    run_as_background_process("push_to_servers", push_to_servers, name)
```

## Fix

Unsafe: the work gets a log context of its own, and its failures are logged.

## Settings

`enable = ["LCX206"]` (`--lcx-enable=LCX206` in flake8) switches the rule on. `vocabulary` adds the
project's own `background-starter` and `background-process` names.

## Use instead

`logctx_lint.runtime.run_as_background_process`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.background_work import Body
from logctx_lint.analysis.base_context import Callee
from logctx_lint.analysis.callback_arguments import handed_over, target
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Edit, Fix
from logctx_lint.fixes.background_starters import Process, is_process, process, process_fix
from logctx_lint.fixes.edits import before
from logctx_lint.rules.rule import Rule, RuleVisitor
from logctx_lint.syntax.lazy_libcst import cst

_STARTERS = frozenset({Role.BACKGROUND_STARTER, Role.SAFE_DECORATOR})


class BackgroundInRequest(RuleVisitor):
    def visit_Module(self, node: cst.Module) -> None:
        starts = set(_left_alone(self.context.unit))
        for found in self.context.nodes_of(starts).values():
            if isinstance(found, cst.Call):
                self._report(found)

    def _report(self, call: cst.Call) -> None:
        by = self.context.callee(call).label
        started = (
            call.args[0].value if Role.BACKGROUND_STARTER in self.context.roles(call) else None
        )
        what = " work"
        known = None
        if isinstance(started, cst.Call) and self.context.awaitability(started).is_certain:
            what = _described(self.context.callee(started))
        elif started:
            what = _described(self.context.called(target(self.context, started)))
            known = process(self.context, started)
        name = known.starter.text if known else "run_as_background_process"
        self.context.report(
            RULE.code,
            call,
            f"{by} starts{what} in the log context of its caller, and nobody waits for it: a "
            f"request may end before; start it with `{name}`, or await it",
            self._fixes(call, started, known),
        )

    def _fixes(
        self, call: cst.Call, function: cst.BaseExpression | None, known: Process | None
    ) -> tuple[Fix, ...]:
        taken = [each for _, each in handed_over(self.context, call)]
        if known is None or known.first is None or call.func.lpar or function not in taken[:1]:
            return ()
        swap = Edit(self.context.span(call.func), known.starter.text)
        edits = (swap, before(self.context, taken[0], known.first))
        return process_fix(known.starter, edits)


def _described(callee: Callee) -> str:
    return f" {callee.label} ({callee.reason})"


def _left_alone(unit: Unit) -> Iterator[ast.Call]:
    """The starts that nothing waits for, in code that may run for a request."""
    for node, scope in unit.scopes.items():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            starts = list(Body(unit.file, node, scope).left_alone())
            if starts and not is_process(unit.file, scope):
                yield from starts


def screen(unit: Unit) -> bool:
    """Whether the unit starts work and leaves it alone."""
    return unit.may_call(_STARTERS) and any(True for _ in _left_alone(unit))


RULE = Rule(
    code="LCX206",
    fixes="`run_as_background_process` (unsafe)",
    visitor=BackgroundInRequest,
    screen=screen,
)
