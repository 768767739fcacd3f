"""A log context is entered again after it was finished.

## Why

`with context:` finishes a `LoggingContext` when the block ends. Entering it a second time is an
error (Synapse warns of it and goes on, and what is counted there is lost).
`PreserveLoggingContext(context)` makes a context the current one without finishing it.

## Bad

```python
from logctx_lint.runtime import LoggingContext


def main() -> None:
    task_context = LoggingContext("task")
    with task_context:
        print("foo")
    with task_context:
        print("bar")
```

```python
from typing import List

from logctx_lint.runtime import LoggingContext


def main(items: List[str]) -> None:
    task_context = LoggingContext("task")
    for item in items:
        with task_context:
            print(item)
```

## Good

```python
from logctx_lint.runtime import LoggingContext, PreserveLoggingContext


def main() -> None:
    task_context = LoggingContext("task")
    with PreserveLoggingContext(task_context):
        print("foo")
    with PreserveLoggingContext(task_context):
        print("bar")
```

```python
from typing import List

from logctx_lint.runtime import LoggingContext


def main(items: List[str]) -> None:
    for item in items:
        with LoggingContext("task"):
            print(item)
```

## Fix

Safe: every `with` of the context gets a `PreserveLoggingContext(...)`, with its import. None where
a `with` says `as`, for there is nothing to bind then.

## Settings

`vocabulary` adds the project's own `context-manager` and `sentinel-guard` names.

## Use instead

`logctx_lint.runtime.PreserveLoggingContext`, or a new context each time.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.log_contexts.log_contexts import plays
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Edit, Fix
from logctx_lint.fixes.edits import helper, wrapped
from logctx_lint.inference.types import Instance, members_of
from logctx_lint.inference.use_def import Position, Scope
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import all_nodes, end_of, own_nodes, start_of

_CONTEXTS = frozenset({Role.CONTEXT_MANAGER})


@dataclass(frozen=True, eq=False)
class _Entry:
    """One `with` that enters a log context by its name."""

    item: ast.withitem
    scope: Scope

    @property
    def name(self) -> str:
        return ast.unparse(self.item.context_expr)

    @property
    def position(self) -> Position:
        return self.item.context_expr.lineno, self.item.context_expr.col_offset


@dataclass(frozen=True)
class _Again:
    """An entry that is not the first of its context; itself, where that is a loop's."""

    first: _Entry
    entry: _Entry


def check(context: TreeContext) -> None:
    again = list(_entered_again(context.unit))
    for each in again:
        _report(context, each, _of_same_context(each, again))


def _report(context: TreeContext, found: _Again, all_: list[ast.expr]) -> None:
    name, line = found.entry.name, found.first.position[0]
    why = (
        f"is entered for each turn of the loop, but made outside of it: `with {name}:` has "
        "finished it after the first"
        if found.entry is found.first
        else f"is entered again: `with {name}:` at line {line} has finished it"
    )
    guard = helper(context, Role.SENTINEL_GUARD, _is_of_its_kind(context, found.entry))
    text = guard.text if guard else "PreserveLoggingContext"
    fixes: tuple[Fix, ...] = ()
    if guard and all_:
        edits: list[Edit] = [*guard.imports]
        for each in all_:
            edits += wrapped(context, each, text)
        fixes = (Fix(f"Use {text}({name})", Applicability.SAFE, tuple(edits)),)
    context.report(
        RULE.code,
        found.entry.item.context_expr,
        f"the log context `{name}` {why}: use `with {text}({name}):`, which does not finish it",
        fixes,
    )


def _is_of_its_kind(context: TreeContext, entry: _Entry) -> Callable[[str], bool]:
    """A runtime's guard is for the contexts of the same runtime only."""
    resolver, vocabulary = context.resolver, context.file.vocabulary
    runtimes = {
        vocabulary.runtime_of(member.cls.qualified_name)
        for member in members_of(resolver.type_of(entry.item.context_expr, entry.scope))
        if isinstance(member, Instance)
    }
    runtime = next(filter(None, runtimes), None)
    return lambda name: vocabulary.runtime_of(name) == runtime


def _of_same_context(found: _Again, again: list[_Again]) -> list[ast.expr]:
    """All the places where this context is entered; none where one of them binds a name."""
    entries = {
        entry: None
        for each in again
        if each.first is found.first
        for entry in (each.first, each.entry)
    }
    if any(entry.item.optional_vars for entry in entries):
        return []
    return [entry.item.context_expr for entry in entries]


def _entered_again(unit: Unit) -> Iterator[_Again]:
    """Every entry of a log context that an earlier one, or an earlier turn, has finished."""
    firsts: list[_Entry] = []
    for entry in _entries(unit):
        if _is_property(entry, unit):
            continue
        first = next((each for each in firsts if _may_be_the_same(each, entry)), None)
        if first is not None:
            yield _Again(first, entry)
        else:
            firsts.append(entry)
            if _is_looped(entry):
                yield _Again(entry, entry)


def _entries(unit: Unit) -> list[_Entry]:
    found = [
        _Entry(item, scope)
        for node, scope in unit.nodes(ast.With)
        for item in node.items
        if isinstance(item.context_expr, ast.Name | ast.Attribute)
        and scope.function is not None
        and plays(unit.file, item.context_expr, scope, _CONTEXTS)
    ]
    return sorted(found, key=lambda entry: entry.position)


def _may_be_the_same(first: _Entry, entry: _Entry) -> bool:
    """Whether one object is entered by both, the first time for certain before the second."""
    return (
        first.name == entry.name
        and first.scope is entry.scope
        and first.scope.may_follow(first.position, entry.position)
        and (_made(first) == _made(entry))
    )


def _made(entry: _Entry) -> list[Position]:
    """The statements that may have made the context that is entered."""
    return [each for each in _assignments(entry) if each <= entry.position][-1:]


def _assignments(entry: _Entry) -> list[Position]:
    """Where a function assigns to the context's name, or to what its attribute is taken from."""
    scope, name = entry.scope, entry.name
    if isinstance(entry.item.context_expr, ast.Name):
        return [binding.position for binding in scope.bindings.get(name, ())]
    return sorted(
        (node.lineno, node.col_offset)
        for node in all_nodes(scope.node or ast.Pass(), ast.Attribute)
        if isinstance(node.ctx, ast.Store) and ast.unparse(node) == name
    )


def _is_looped(entry: _Entry) -> bool:
    """Whether a loop enters a context that was made outside of it, and goes round."""
    loops = [
        node
        for node in own_nodes(getattr(entry.scope.node, "body", ()))
        if isinstance(node, ast.For | ast.AsyncFor | ast.While)
        and start_of(node.body[0]) <= entry.position < end_of(node.body[-1])
    ]
    if not loops:
        return False
    loop = max(loops, key=start_of)
    start, end = start_of(loop.body[0]), end_of(loop.body[-1])
    return not _leaves(loop.body) and not any(start <= made < end for made in _assignments(entry))


def _leaves(body: list[ast.stmt]) -> bool:
    """Whether a block ends by leaving the loop that it is in."""
    last = body[-1]
    if isinstance(last, ast.With | ast.AsyncWith):
        return _leaves(last.body)
    return isinstance(last, ast.Return | ast.Raise | ast.Break)


def _is_property(entry: _Entry, unit: Unit) -> bool:
    """Whether an attribute is computed, so that it may be another context each time."""
    node, resolver = entry.item.context_expr, unit.file.resolver
    return isinstance(node, ast.Attribute) and any(
        ancestor.function(node.attr)
        for ancestor in resolver.classes.owners(resolver.type_of(node.value, entry.scope))
    )


def screen(unit: Unit) -> bool:
    """Whether the unit may enter a log context."""
    return "with " in unit.text


RULE = Rule(
    code="LCX401",
    fixes="`PreserveLoggingContext(ctx)` (safe)",
    check=check,
    screen=screen,
)
