"""A function is marked as cancellable, and something that it waits for is not safe to cancel.

## Why

A function handles cancellation correctly if its own code does and every asynchronous function that
it calls does, too. The mark says that somebody has looked. This rule looks: at all the code of the
project below a marked function, in whatever file it stands, for what LCX205, LCX301, LCX302 and
LCX303 report.

It is reported once, at the mark, with the shortest way to the nearest such place. What is started
in the background or shielded from cancellation does not count. `logctx-lint audit` shows the whole
tree.

## Bad

```python
from twisted.internet.defer import Deferred

from logctx_lint.runtime import cancellable


async def fetch(work: "Deferred[str]") -> str:
    try:
        return await work
    except Exception:
        return ""


class Servlet:
    @cancellable
    async def on_GET(self, work: "Deferred[str]") -> "tuple[int, str]":
        return 200, await fetch(work)
```

## Good

```python
from twisted.internet.defer import CancelledError, Deferred

from logctx_lint.runtime import cancellable


async def fetch(work: "Deferred[str]") -> str:
    try:
        return await work
    except CancelledError:
        raise
    except Exception:
        return ""


class Servlet:
    @cancellable
    async def on_GET(self, work: "Deferred[str]") -> "tuple[int, str]":
        return 200, await fetch(work)
```

## Fix

None here: the findings that it names have theirs. A finding that is silenced by `# noqa` where it
stands does not count.

## Use instead

`logctx_lint.runtime.delay_cancellation` around work that must not be cancelled.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.cancellation import cancellable_marks
from logctx_lint.analysis.context import TreeContext
from logctx_lint.callgraph.graph import Step
from logctx_lint.project.modules import Function
from logctx_lint.rules.rule import Rule

_LONGEST_WAY = 6


def check(context: TreeContext) -> None:
    for decorator, function in cancellable_marks.functions(context):
        _check(context, decorator, function)


def _check(context: TreeContext, decorator: ast.expr, root: Function) -> None:
    auditor = context.file.auditor()
    problems = auditor.nearest_problems(root)
    if not problems:
        return
    nearest, way = problems[0]
    finding = auditor.findings(nearest)[0]
    where = f"{_place(nearest, finding.span.line)}, {finding.code}"
    if way:
        found = f"what it waits for is not: {_shown(way)} ({where})"
    else:
        found = f"its own code is not ({where})"
    more = f", and {len(problems) - 1} more below it" if problems[1:] else ""
    context.report(
        RULE.code,
        decorator,
        f"`{root.name}` is marked as safe to cancel, but {found}{more}: correct it, or remove the "
        f"mark; `logctx-lint audit` shows all",
        span=cancellable_marks.place(context, decorator),
    )


def _place(function: Function, line: int) -> str:
    module = function.module
    return f"{module.path.relative_to(module.root).as_posix()}:{line}"


def _shown(way: list[Step]) -> str:
    names = [way[0].caller.local_name, *(step.call.function.local_name for step in way)]
    if len(names) > _LONGEST_WAY:
        names[2 : 3 - _LONGEST_WAY // 2] = ["…"]
    return " → ".join(f"`{name}`" if name != "…" else name for name in names)


RULE = Rule(
    code="LCX304",
    fixes="none",
    check=check,
    screen=cancellable_marks.screen,
)
