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

from logctx_lint.analysis.cst_context import RuleContext
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Edit, Fix, Span
from logctx_lint.inference.types import Certainty
from logctx_lint.rules.rule import Applies, Rule, RuleVisitor
from logctx_lint.syntax.lazy_libcst import cst

_WRAPPERS = frozenset({Role.YIELDABLE_WRAPPER})


class RedundantYieldable(RuleVisitor):
    def visit_Call(self, node: cst.Call) -> None:
        context = self.context
        if Role.YIELDABLE_WRAPPER not in context.roles(node) or len(node.args) != 1:
            return
        argument = node.args[0]
        answer = context.awaitability(argument.value)
        is_known = answer.certainty is not Certainty.UNKNOWN
        is_eager = answer.certainty is not Certainty.NO and not answer.kind.is_lazy
        if is_known and not is_eager and not self._is_awaited(node):
            return  # It makes a Deferred of it.
        name = context.callee(node).label
        applicability = Applicability.SAFE if answer.is_certain else Applicability.UNSAFE
        edits = () if argument.star else _unwrapped(context, node, argument)
        context.report(
            RULE.code,
            node,
            f"{name} does nothing where log contexts are kept in context variables: use what it is "
            f"given as it is",
            (Fix(f"Take {name} away", applicability, edits),) if edits else (),
        )

    def _is_awaited(self, node: cst.Call) -> bool:
        match self.context.parent(node):
            case cst.Await():
                return True
            case cst.Yield() as parent:
                return self.context.awaits_by_yield(self.context.function_of(parent))
        return False


def _unwrapped(context: RuleContext, call: cst.Call, argument: cst.Arg) -> tuple[Edit, ...]:
    """Leave only the argument of a call; in parentheses where it needs them, or has comments."""
    if call.func.lpar:
        return ()
    whole, func, inner = map(context.span, (call, call.func, argument.value))
    before = Span(whole.line, whole.column, inner.line, inner.column)
    after = Span(inner.end_line, inner.end_column, whole.end_line, whole.end_column)
    has_comment = "#" in context.file.source.at(before) + context.file.source.at(after)
    if _stands_alone(context, argument.value) and not has_comment:
        return Edit(before, ""), Edit(after, "")
    name = Edit(func, "")
    if isinstance(argument.comma, cst.Comma):
        return name, Edit(context.span(argument.comma), "")
    return (name,)


def _stands_alone(context: RuleContext, node: cst.BaseExpression) -> bool:
    """Whether an expression needs no parentheses, wherever it stands."""
    if isinstance(node, cst.Call | cst.Subscript):
        node = node.func if isinstance(node, cst.Call) else node.value
    elif not isinstance(node, cst.Name | cst.Attribute):
        return False
    span = context.span(node)
    is_dotted = isinstance(node, cst.Name | cst.Attribute | cst.Call | cst.Subscript)
    return is_dotted and span.line == span.end_line


def screen(unit: Unit) -> bool:
    """Whether the unit calls the wrapper."""
    return any(
        unit.file.may_play(call.func, _WRAPPERS)
        and Role.YIELDABLE_WRAPPER in unit.file.roles(call.func, scope)
        for call, scope in unit.nodes(ast.Call)
    )


RULE = Rule(
    code="LCX108",
    fixes="unwrap (safe)",
    visitor=RedundantYieldable,
    screen=screen,
    applies=Applies.CONTEXTVAR,
)
