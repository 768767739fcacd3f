"""A local name holds an awaitable that, at least on one path, nobody ever awaits.

## Why

Somebody meant to await it: that is what the name is for. A coroutine that is not awaited never
runs, and a branch or an early `return` that forgets it is easily overlooked, because on the other
paths all is well. A Deferred or a task runs, but nobody sees it fail.

## Bad

```python
async def fetch(name: str) -> str: ...


async def show(name: str) -> None:
    text = fetch(name)
```

```python
async def fetch(name: str) -> str: ...


async def show(name: str, quiet: bool) -> None:
    text = fetch(name)
    if not quiet:
        print(await text)
```

## Good

```python
async def fetch(name: str) -> str: ...


async def show(name: str, quiet: bool) -> None:
    text = await fetch(name)
    if not quiet:
        print(text)
```

An awaitable that is returned, stored or passed on is another's to await:

```python
from typing import Awaitable, List


async def fetch(name: str) -> str: ...


def start(names: List[str]) -> List[Awaitable[str]]:
    started = []
    for name in names:
        work = fetch(name)
        started.append(work)
    return started
```

## Fix

Both fixes are unsafe, because only you know which is meant: `await` waits for the work, and gives
its value to those who use the name; the background starter goes on at once. There is no fix where
another path awaits the name.

## Settings

`vocabulary` adds the project's own `background-starter`, `safe-decorator` and `droppable` names.

## Use instead

`await`, or `logctx_lint.runtime.run_in_background` (`logctx_lint.runtime.tasks.run_in_background`
on asyncio).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set
from dataclasses import dataclass, field

from logctx_lint.analysis.awaitables import discard_consequences, discarded_awaitables
from logctx_lint.analysis.awaitables.discarded_awaitables import DropKind, Dropped
from logctx_lint.analysis.awaitables.expected_types import declared_local, refuses
from logctx_lint.analysis.awaitables.local_awaitables import (
    Named,
    facts_of,
    is_used_as_value,
    named_awaitables,
    uses_in,
)
from logctx_lint.analysis.awaitables.ownership import is_kept_elsewhere
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.control_flow import Branch, Exit, Paths
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Fix, Profile
from logctx_lint.fixes.edits import await_fix, background_fix, background_starter
from logctx_lint.inference import constants
from logctx_lint.inference.types import Kind
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, is_name, own_nodes


@dataclass(frozen=True, slots=True)
class Lost:
    """An awaitable that a local name holds, and that nobody awaits."""

    named: Named
    is_used: bool
    """Something is done with the name, if nothing that would await it."""
    where: str
    """On which path, in words; empty: on every path."""
    mistaken: ast.AST | None
    """Where it is taken for the value that awaiting it would give; or declared to be that."""
    is_deleted: bool = False
    """`del d` says that it is not wanted."""


def check(context: TreeContext) -> None:
    for lost in {each.named.call: each for each in lost_in(context.unit)}.values():
        found = discarded_awaitables.as_dropped(context, lost.named.call)
        if found and found.how is not DropKind.CHAIN and not _is_looked_up(context, found):
            _report(context, lost, found)


def _report(context: TreeContext, lost: Lost, found: Dropped) -> None:
    call = lost.named.call
    callee = context.callee(call)
    name, fixes = lost.named.name, list[Fix]()
    if lost.where:
        what = f"{found.kind.with_article} ({callee.reason})"
        fate = f" that nobody awaits {lost.where}"
        cure = f"await `{name}` there, too, or make it only where it is awaited"
    else:
        what = f"{discard_consequences.fate(context, found)} ({callee.reason})"
        fate = f", as nothing awaits `{name}`"
        cure, fixes = _cure(context, found, lost)
    if lost.mistaken:
        fate = f", but `{name}` is declared to hold something else"
        if isinstance(lost.mistaken, ast.Name):
            fate = f", but `{name}` is taken for its value in line {lost.mistaken.lineno}"
        cure = "yield it" if context.awaits_by_yield(context.function_of(call)) else "await it"
    message = f"{callee.label} returns {what}{fate}: {cure}"
    # What runs by itself and was looked at on another path was not forgotten.
    is_running = found.kind in (Kind.TASK, Kind.FUTURE)
    is_meant = (lost.is_deleted and not found.kind.is_lazy) or (lost.where and is_running)
    profile = Profile.STRICT if is_meant else Profile.RECOMMENDED
    context.report(RULE.code, call, message, tuple(fixes), profile=profile, callee=callee)


def _is_looked_up(context: TreeContext, found: Dropped) -> bool:
    """Whether a call only gives what others have as well."""
    if found.kind.is_lazy or context.file.traits.has_log_contexts:
        return False
    functions = context.functions(found.call.func)
    return bool(functions) and all(is_kept_elsewhere(context, each) for each in functions)


def _cure(context: TreeContext, found: Dropped, lost: Lost) -> tuple[str, list[Fix]]:
    cures, fixes = [], list[Fix]()
    call = lost.named.call
    function = context.function_of(call)
    if context.is_asynchronous(function):
        by_yield = context.awaits_by_yield(function)
        cures.append("yield it" if by_yield else "await it")
        fixes += await_fix(context, call, by_yield=by_yield)
    starter = background_starter(context, found.kind)
    if starter and not lost.is_used:
        cures.append(f"start it with `{starter.text}`")
        fixes += background_fix(context, call, starter)
    return ", or ".join(cures) or "return it, for its caller to await", fixes


def lost_in(unit: Unit) -> Iterator[Lost]:
    """The named awaitables of a unit that are not consumed on some path."""
    for scope, named in named_awaitables(unit).items():
        reader = _Consumption(unit, scope, named)
        if isinstance(scope.node, FunctionNode):
            paths = Paths(scope.node.body, reader)
            for each in named:
                lost = _lost(each, reader, paths)
                if lost and not is_used_as_value(unit, each):
                    yield lost


def _lost(named: Named, reader: _Consumption, paths: Paths[Named]) -> Lost | None:
    is_consumed = named in reader.consumed
    if named.is_added and reader.reads(named.name):
        # There may be nothing in the collection where it is not read, or it has another name.
        return None
    exits = [
        exit_
        for exit_ in paths.exits
        # Where an exception ends the function, what was prepared is not missed.
        if named in exit_.items and not (is_consumed and isinstance(exit_.node, ast.Raise))
    ]
    rebound = None if _is_bound_once(named) else reader.rebound.get(named)
    mistaken = reader.mistaken.get(named)
    if named not in (paths.end or ()) and not exits and not rebound and not mistaken:
        return None
    where = ""
    if is_consumed:
        branch = paths.branches.get(named)
        where = _branch(branch) if branch else _end(exits, rebound, named.name)
    is_deleted = isinstance(getattr(rebound, "ctx", None), ast.Del)
    return Lost(named, named.name in reader.used, where, mistaken, is_deleted)


def _is_bound_once(named: Named) -> bool:
    """Whether a flag lets a loop bind the name in one round only.

    if first:
        first = False
        d = begin()
    """
    function = named.scope.node
    for node in body_nodes(function) if isinstance(function, FunctionNode) else ():
        if isinstance(node, ast.If):
            for truth, block in ((True, node.body), (False, node.orelse)):
                if named.statement not in block:
                    continue
                known: dict[str, ast.Constant] = {}
                for statement in block:
                    match statement:
                        case ast.Assign([ast.Name(name)], ast.Constant() as value):
                            known[name] = value
                if constants.outcome(node.test, known.get) is (not truth):
                    return True
    return False


def _branch(branch: Branch) -> str:
    line = branch.node.lineno if hasattr(branch.node, "lineno") else branch.node.pattern.lineno
    match branch.node:
        case ast.If(test):
            return f"where `{ast.unparse(test)}` (line {line}) is {str(branch.truth).lower()}"
        case ast.ExceptHandler():
            return f"in the handler of line {line}"
    return f"in the case of line {line}"


def _end(exits: list[Exit[Named]], rebound: ast.AST | None, name: str) -> str:
    if exits:
        return f"on the way to the `return` of line {min(each.node.lineno for each in exits)}"
    if rebound:
        return f"before `{name}` is bound again in line {rebound.lineno}"  # type: ignore[attr-defined]
    return "on the way to the end of the function"


@dataclass(frozen=True, slots=True)
class _Events:
    """What a piece of code does with names."""

    consumed: set[str] = field(default_factory=set)
    mistaken: dict[str, ast.Name] = field(default_factory=dict)
    """Where they are taken for the value that an awaitable would give."""
    rebound: dict[str, ast.Name] = field(default_factory=dict)


class _Consumption:
    """Opens a name where it is bound to an awaitable, and closes it where it is consumed."""

    def __init__(self, unit: Unit, scope: Scope, named: list[Named]) -> None:
        self._unit = unit
        self._scope = scope
        self._opened: dict[ast.AST, list[Named]] = {}
        for each in named:
            self._opened.setdefault(each.statement, []).append(each)
        self._names = {each.name for each in named}
        self._uses = uses_in(unit, scope, named)
        self._events: dict[ast.AST, _Events] = {}
        self.consumed: set[Named] = set()
        self.rebound: dict[Named, ast.AST] = {}
        """What gets another value while nobody has consumed the first, and where."""
        self.mistaken: dict[Named, ast.AST] = {}
        """What is taken for the value that awaiting it gives, and where."""
        self.used: set[str] = set()
        for each in named:
            is_declared = not each.is_element and refuses(
                unit, declared_local(unit, each.name, scope)
            )
            if is_declared and each.name not in self._uses.awaited:
                self.mistaken[each] = each.statement

    def after(self, node: ast.AST, items: frozenset[Named]) -> frozenset[Named] | None:
        events = self._events_of(node)
        left = set()
        for item in items:
            name = item.name
            if name in events.mistaken:
                self.mistaken.setdefault(item, events.mistaken[name])
            if name in events.consumed:
                self.consumed.add(item)
            elif name in events.rebound:
                self.rebound.setdefault(item, events.rebound[name])
            else:
                left.add(item)
        return None if self._ends_process(node) else frozenset({*left, *self._opened.get(node, ())})

    def where(self, test: ast.expr, truth: bool, items: frozenset[Named]) -> frozenset[Named]:
        """An awaitable is true, and not None; what held where it was bound holds still."""
        if not items:
            return items
        known = facts_of(test, truth)
        ruled_out = set(_not_awaitable(test, truth, self._uses.told_apart))
        return frozenset(
            item
            for item in items
            if not _contradicts(known, item)
            and item.name not in ruled_out
            and ast.unparse(item.call.func) not in ruled_out
        )

    def reads(self, name: str) -> bool:
        """Whether anything in the function reads a name, but for what consumes nothing."""
        function = self._scope.node
        known = self._uses.idle | self._uses.wrong
        return any(
            is_name(each, name) and isinstance(each.ctx, ast.Load) and each not in known
            for each in own_nodes(function.body if isinstance(function, FunctionNode) else ())
        )

    def _events_of(self, node: ast.AST) -> _Events:
        if node not in self._events:
            inside = list(own_nodes([node]))
            own = {
                name
                for each in inside
                if isinstance(each, ast.comprehension)
                for name in all_nodes(each.target)
            }
            events = self._events[node] = _Events()
            for each in inside:
                if isinstance(each, ast.Name) and each.id in self._names and each not in own:
                    if not isinstance(each.ctx, ast.Load):
                        events.rebound[each.id] = each
                        continue
                    self.used.add(each.id)
                    if each in self._uses.wrong:
                        events.mistaken[each.id] = each
                    elif each not in self._uses.idle:
                        events.consumed.add(each.id)
        return self._events[node]

    def _ends_process(self, node: ast.AST) -> bool:
        exits = frozenset({Role.PROCESS_EXIT})
        return (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and self._unit.file.may_play(node.value.func, exits)
            and bool(self._unit.file.roles(node.value.func, self._scope) & exits)
        )


def _not_awaitable(test: ast.expr, truth: bool, told_apart: Set[ast.Name]) -> Iterator[str]:
    """What a test has just denied something of: `is_async(f)` is false of a plain `f`.

    So has `isinstance(x, tuple)`, where it is true.
    """
    match test:
        case ast.UnaryOp(ast.Not(), operand):
            yield from _not_awaitable(operand, not truth, told_apart)
        case ast.BoolOp(operator, values) if isinstance(operator, ast.And) is truth:
            for value in values:
                yield from _not_awaitable(value, truth, told_apart)
        case ast.Call(_, [ast.Name() | ast.Attribute() as asked]) if not truth:
            yield ast.unparse(asked)
        case ast.Call(_, [ast.Name() as asked, _]) if truth and asked in told_apart:
            yield asked.id


def _contradicts(known: frozenset[tuple[str, bool]], named: Named) -> bool:
    name = named.name
    return any(
        (text, truth) in ((name, False), (f"{name} == None", True))
        or (text, not truth) in named.conditions
        for text, truth in known
    )


RULE = Rule(
    code="LCX102",
    fixes="`await` (unsafe), run in background (unsafe)",
    check=check,
)
