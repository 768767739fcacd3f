"""`make_deferred_yieldable` where log contexts are kept in context variables.

## Why

With log contexts in context variables, whatever is awaited leaves them alone, and
`make_deferred_yieldable(x)` does nothing. It is a leftover of thread-local storage that readers
take for something that matters.

## Bad

```python
# settings: framework=twisted, storage=contextvar
from twisted.internet.defer import Deferred

from logctx_lint.runtime import make_deferred_yieldable


async def wait(ready: "Deferred[None]") -> None:
    await make_deferred_yieldable(ready)
```

## Good

```python
# settings: framework=twisted, storage=contextvar
from twisted.internet.defer import Deferred


async def wait(ready: "Deferred[None]") -> None:
    await ready
```

## Fix

Safe: only what is in the parentheses is left. Where it is not known to be an awaitable, the fix is
unsafe. An import that nothing uses any more is left to the linter that finds those.

## Settings

`storage` says where log contexts are kept; `vocabulary` adds the project's own `yieldable-wrapper`
names. While `storage` is unset, code that mentions `make_deferred_yieldable` is taken for
thread-local.

## Use instead

Nothing: await it as it is. What is left of the rules: `logctx_lint.runtime.run_in_background`.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Edit, Fix, Span
from logctx_lint.inference.types import Certainty
from logctx_lint.rules.rule import Applies, Rule

_WRAPPERS = frozenset({Role.YIELDABLE_WRAPPER})


def check(context: TreeContext) -> None:
    for call, _ in context.unit.nodes(ast.Call):
        if context.file.may_play(call.func, _WRAPPERS) and context.is_placed(call):
            _check(context, call)


def _check(context: TreeContext, call: ast.Call) -> None:
    given = arguments(call)
    if len(given) != 1 or Role.YIELDABLE_WRAPPER not in context.roles(call):
        return
    answer = context.awaitability(given[0])
    is_known = answer.certainty is not Certainty.UNKNOWN
    is_eager = answer.certainty is not Certainty.NO and not answer.kind.is_lazy
    if is_known and not is_eager and not _is_awaited(context, call):
        return  # It makes a Deferred of it.
    name = context.callee(call).label
    applicability = Applicability.SAFE if answer.is_certain else Applicability.UNSAFE
    edits = _unwrapped(context, call, given[0])
    context.report(
        RULE.code,
        call,
        f"{name} does nothing where log contexts are kept in context variables: use what it is "
        f"given as it is",
        (Fix(f"Take {name} away", applicability, edits),) if edits else (),
    )


def _is_awaited(context: TreeContext, call: ast.Call) -> bool:
    match context.parent(call):
        case ast.Await():
            return True
        case ast.Yield() as parent:
            return context.awaits_by_yield(context.function_of(parent))
    return False


def _unwrapped(context: TreeContext, call: ast.Call, argument: ast.expr) -> tuple[Edit, ...]:
    """Leave only the argument of a call; in parentheses where it needs them, or has comments."""
    source = context.file.source
    has_star = isinstance(context.parent(argument), ast.Starred) or any(
        each.arg is None for each in call.keywords
    )
    written = context.written(call)
    if has_star or written is None or written.is_function_parenthesized:
        return ()
    whole, func, inner = map(context.span, (call, call.func, argument))
    before = Span(whole.line, whole.column, inner.line, inner.column)
    after = Span(inner.end_line, inner.end_column, whole.end_line, whole.end_column)
    has_comment = "#" in source.at(before) + source.at(after)
    if _stands_alone(context, argument) and not has_comment:
        return Edit(before, ""), Edit(after, "")
    name, comma = Edit(func, ""), written.trailing_comma
    return (name, Edit(comma, "")) if comma else (name,)


def _stands_alone(context: TreeContext, node: ast.expr) -> bool:
    """Whether an expression needs no parentheses, wherever it stands."""
    if isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    elif not isinstance(node, ast.Name | ast.Attribute):
        return False
    span = context.span(node)
    is_dotted = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
    return is_dotted and span.line == span.end_line


RULE = Rule(
    code="LCX108",
    fixes="unwrap (safe)",
    check=check,
    applies=Applies.CONTEXTVAR,
)
