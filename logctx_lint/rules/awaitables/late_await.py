"""Something else runs between the call that makes an awaitable and its `await`.

## Why

Where each thread has one current log context, a function that returns an awaitable has cleared it
for whoever awaits at once: the `await` puts it back. Whatever runs before that is logged against
nothing, or against a request that is not its own. A coroutine does not even begin until it is
awaited, so that what looks like work at the same time is not.

## Bad

```python
# settings: framework=twisted, storage=thread-local
import logging

logger = logging.getLogger(__name__)


async def fetch(name: str) -> str: ...


async def show(name: str) -> str:
    text = fetch(name)
    logger.debug("fetching %s", name)
    return await text
```

## Good

```python
# settings: framework=twisted, storage=thread-local
import logging

from logctx_lint.runtime import make_deferred_yieldable, run_in_background

logger = logging.getLogger(__name__)


async def fetch(name: str) -> str: ...


async def show(name: str) -> str:
    work = run_in_background(fetch, name)
    logger.debug("fetching %s", name)
    return await make_deferred_yieldable(work)


async def show_at_once(name: str) -> str:
    text = fetch(name)
    return await text
```

## Fix

Unsafe: it starts the work with the background starter, and wraps what is awaited. Where nothing
needs to go on meanwhile, move the `await` up instead.

## Settings

Only with thread-local `storage`. `vocabulary` adds the project's own `background-starter` and
`yieldable-wrapper` names.

## Use instead

`await` at once, or `logctx_lint.runtime.run_in_background` and `make_deferred_yieldable`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from logctx_lint.analysis.awaitables import discarded_awaitables
from logctx_lint.analysis.awaitables.local_awaitables import Named, named_awaitables
from logctx_lint.analysis.awaitables.provenance import FOLLOWS, Origins
from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.analysis.control_flow import Paths
from logctx_lint.analysis.units import File, Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Fix
from logctx_lint.fixes.edits import background_fix, background_starter, helper, wrapped
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Applies, Rule
from logctx_lint.syntax.ast_walk import Position, body_nodes, end_of, is_name, own_nodes, start_of
from logctx_lint.syntax.excerpts import one_line

_PASSERS = frozenset({Role.YIELDABLE_WRAPPER, Role.DEFERRED_PASSER, Role.CANCELLATION_SHIELD})


@dataclass(frozen=True, slots=True)
class Late:
    """An awaitable that is awaited only after something else has run."""

    named: Named
    disturbance: ast.AST
    """What runs in between."""
    awaited: ast.Name


def check(context: TreeContext) -> None:
    waits = bool(context.unit.nodes(ast.Await)) or bool(context.unit.nodes(ast.Yield))
    if waits:
        for late in {each.named.call: each for each in late_in(context.unit)}.values():
            if discarded_awaitables.as_dropped(context, late.named.call):
                _report(context, late)


def _report(context: TreeContext, late: Late) -> None:
    callee = context.callee(late.named.call)
    starter = background_starter(context, late.named.kind)
    name = starter.text if starter else "run_in_background"
    between = one_line(late.disturbance)
    if isinstance(late.disturbance, ast.Call):
        between = f"{ast.unparse(late.disturbance.func)}()"
    context.report(
        RULE.code,
        late.named.call,
        f"{callee.label} returns {late.named.kind.with_article} ({callee.reason}) that is "
        f"awaited in line {late.awaited.lineno} only, after `{between}`: await it at once, or "
        f"start it with `{name}`",
        _fixes(context, late.named),
        callee=callee,
    )


def _fixes(context: TreeContext, named: Named) -> tuple[Fix, ...]:
    starter = background_starter(context, named.kind)
    wrapper = helper(context, Role.YIELDABLE_WRAPPER)
    started = background_fix(context, named.call, starter)
    if wrapper is None or not started or not starter or starter.takes_coroutine:
        return ()
    if len(named.scope.bindings[named.name]) > 1:
        return ()
    uses = [
        inner
        for inner in body_nodes(named.scope.node)  # type: ignore[arg-type]
        if is_name(inner, named.name) and isinstance(inner.ctx, ast.Load)
    ]
    if not all(isinstance(context.parent(each), ast.Await | ast.Yield) for each in uses):
        return ()
    awaited = in_source_order(filter(context.is_placed, uses))
    edits = [edit for each in awaited for edit in wrapped(context, each, wrapper.text)]
    title = f"{started[0].title}, and wrap what is awaited"
    imports = (edit for edit in wrapper.imports if edit not in started[0].edits)
    return (Fix(title, Applicability.UNSAFE, (*started[0].edits, *edits, *imports)),)


@dataclass(frozen=True, slots=True)
class _Held:
    """A name that has not been awaited yet."""

    named: Named
    disturbance: ast.AST | None = None
    """What has run since it was bound."""


def late_in(unit: Unit) -> Iterator[Late]:
    """The named awaitables that follow the log-context rules, and are awaited late."""
    for scope, named in named_awaitables(unit).items():
        node = scope.node
        if isinstance(node, FunctionNode):
            reader = _Waiting(unit.file, scope, named)
            Paths(node.body, reader)
            origins = Origins(unit.file)
            for each in reader.late.values():
                if origins.of(each.named.call, scope) == FOLLOWS:
                    yield each


@dataclass
class _Waiting:
    """Follows each name from where it is bound to its `await`, and sees what runs meanwhile."""

    file: File
    scope: Scope
    named: list[Named]
    late: dict[Named, Late] = field(default_factory=dict)
    _pieces: dict[ast.AST, _Piece] = field(default_factory=dict)

    def after(self, node: ast.AST, items: frozenset[_Held]) -> frozenset[_Held]:
        piece = self._piece(node)
        left = set()
        for item in items:
            name = item.named.name
            uses = piece.uses.get(name)
            if uses:
                use = min(uses, key=start_of)
                since = item.disturbance or piece.disturbance(until=start_of(use))
                if since is not None and use in piece.awaited:
                    self.late.setdefault(item.named, Late(item.named, since, use))
            elif name not in piece.bound:
                left.add(replace(item, disturbance=item.disturbance or piece.disturbance()))
        for each in self._opened.get(node, ()):
            left.add(_Held(each, piece.disturbance(since=end_of(each.call))))
        return frozenset(left)

    def where(self, test: ast.expr, truth: bool, items: frozenset[_Held]) -> frozenset[_Held]:
        return items

    @cached_property
    def _opened(self) -> dict[ast.AST, list[Named]]:
        opened: dict[ast.AST, list[Named]] = {}
        for each in self.named:
            opened.setdefault(each.statement, []).append(each)
        return opened

    def _piece(self, node: ast.AST) -> _Piece:
        if node not in self._pieces:
            self._pieces[node] = self._read(node)
        return self._pieces[node]

    def _read(self, node: ast.AST) -> _Piece:
        piece = _Piece()
        for inner in own_nodes([node]):
            match inner:
                case ast.Name(name, ast.Load()):
                    piece.uses.setdefault(name, []).append(inner)
                case ast.Name(name):
                    piece.bound.add(name)
                case ast.Await(value) | ast.Yield(ast.expr() as value):
                    piece.disturbances.append(inner)
                    piece.awaited.update(self._waited_for(value))
                case ast.Call() if not self._is_builtin(inner):
                    piece.disturbances.append(inner)
        return piece

    def _waited_for(self, node: ast.expr) -> Iterator[ast.Name]:
        """The names that an `await` waits for, whatever wraps them."""
        match node:
            case ast.Name():
                yield node
            case ast.Call(func, arguments) if self.file.roles(func, self.scope) & _PASSERS:
                for argument in arguments:
                    yield from self._waited_for(argument)

    def _is_builtin(self, call: ast.Call) -> bool:
        """`len(x)`, which neither logs nor calls anything of the project."""
        names = self.file.resolver.names(call.func, self.scope)
        return bool(names) and all(name.startswith("builtins.") for name in names)


@dataclass(slots=True)
class _Piece:
    """What happens in one expression or simple statement."""

    uses: dict[str, list[ast.Name]] = field(default_factory=dict)
    awaited: set[ast.Name] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    disturbances: list[ast.AST] = field(default_factory=list)
    """Calls and suspension points."""

    def disturbance(
        self, since: Position = (0, 0), until: Position = (sys.maxsize, 0)
    ) -> ast.AST | None:
        """The first thing that happens between two places."""
        found = [
            each for each in self.disturbances if since <= start_of(each) and end_of(each) <= until
        ]
        return min(found, key=start_of, default=None)


RULE = Rule(
    code="LCX104",
    fixes="run in background + yieldable (unsafe)",
    check=check,
    applies=Applies.THREAD_LOCAL,
)
