"""What differs between two iterations of a loop, and what else runs in one.

while True:
    job = await queue.get()             # `job` varies, `self.name` does not.
    if job.tenant:                      # A choice: not every turn runs this.
        bind_contextvars(tenant=job.tenant)
    await job.run()                     # Runs in every turn.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import takewhile

from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.analysis.log_calls import writes_log
from logctx_lint.analysis.log_contexts.work_loops import Loop
from logctx_lint.analysis.surroundings import outwards
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import body_nodes, own_nodes

_ALTERING = frozenset({"builtins.input", "builtins.iter", "builtins.next", "builtins.object"})
"""Functions of Python itself that give something new for the same arguments."""
_PYTHONS = "builtins."


class Turn:
    """One turn of a loop, as against the others."""

    def __init__(self, context: TreeContext, loop: Loop) -> None:
        self._context = context
        self._loop = loop
        start = [loop.target, loop.iter] if isinstance(loop, ast.AsyncFor) else [loop.test]
        self.nodes = set(own_nodes([*start, *loop.body]))

    # What varies

    @cached_property
    def places(self) -> frozenset[str]:
        """The names and attributes that the loop sets."""
        kinds = (ast.Name, ast.Attribute)
        stored = (each for each in self.nodes if isinstance(each, kinds))
        return frozenset(ast.unparse(e) for e in stored if isinstance(e.ctx, ast.Store))

    def varies(self, nodes: Iterable[ast.AST], scope: Scope | None = None) -> bool:
        """Whether something may be different in each turn; `scope` is that of another function."""
        return any(self._may_alter(each, scope) for each in own_nodes(nodes))

    def _may_alter(self, node: ast.AST, scope: Scope | None) -> bool:
        if isinstance(node, ast.Await | ast.Yield | ast.YieldFrom):
            return True
        if isinstance(node, ast.Call):
            names = self._context.resolver.names(node.func, scope or self._context.scopes[node])
            # `str(x)` is what `x` is; others may count, or look at a clock.
            return not any(each.startswith(_PYTHONS) and each not in _ALTERING for each in names)
        if isinstance(node, ast.Attribute) or (isinstance(node, ast.Name) and scope is None):
            return ast.unparse(node) in self.places
        return False

    # What runs

    def is_chosen(self, call: ast.Call) -> bool:
        """Whether a statement runs in some turns and not in others, as what varies has it."""
        return any(self._is_choice(*each) for each in self._around(call))

    def runs_otherwise(self, call: ast.Call) -> ast.Call | None:
        """What a turn runs in which a statement does not, and not only instead of it."""
        is_chosen = False
        for outer, inner in self._around(call):
            others: list[ast.AST] = []
            if self._is_choice(outer, inner):
                is_chosen = True
                others += _other_branches(outer, inner)
            if is_chosen:
                others += self._context.behind(outer)
            calls = own_nodes(others, ast.Call)
            for found in in_source_order(calls):
                if not self._binds([found]):
                    return found
        return None

    def runs_behind(self, call: ast.Call) -> ast.Call | None:
        """What a turn runs behind a statement."""
        for outer, _ in self._around(call):
            behind = own_nodes(self._context.behind(outer))
            if found := in_source_order(each for each in behind if isinstance(each, ast.Call)):
                return found[0]
        return None

    def _around(self, call: ast.Call) -> Iterator[tuple[ast.AST, ast.AST]]:
        """What is around a call within the loop, each with the part that the call is in."""
        return takewhile(lambda step: step[0] is not self._loop, outwards(self._context, call))

    def _is_choice(self, outer: ast.AST, inner: ast.AST) -> bool:
        """Whether a part of a statement runs in some turns only, and no other part binds, too."""
        match outer:
            case ast.If(test) if inner is not test:
                asked = [test]
            case ast.Match(subject) if inner is not subject:
                asked = [subject]
            case ast.Try() if isinstance(inner, ast.ExceptHandler):
                return True
            case _:
                return False
        return self.varies(asked) and not self._binds(_other_branches(outer, inner))

    def _binds(self, nodes: Iterable[ast.AST]) -> bool:
        calls = own_nodes(nodes, ast.Call)
        return any(Role.CONTEXT_TOKEN in self._context.roles(each) for each in calls)

    def logged_before(self, call: ast.Call) -> ast.Call | None:
        """What is logged in a turn before a statement, or where that is not reached."""
        before = (each for each in self._logs(self.nodes) if each.lineno < call.lineno)
        found = next(iter(in_source_order(before)), None)
        return found or self._logged_on_failure(call)

    def logged_behind(self, call: ast.Call) -> tuple[ast.For | Loop, ast.Call | None]:
        """What is logged when the loop has ended, or one inside of it that a statement is in."""
        inner = (each for each, _ in self._around(call) if isinstance(each, ast.For | Loop))
        for loop in (*inner, self._loop):
            found = self._logged_behind(loop)
            if found is not None:
                return loop, found
        return self._loop, None

    def _logged_behind(self, loop: ast.For | Loop) -> ast.Call | None:
        leaves = any(body_nodes(loop, ast.Break))
        is_endless = isinstance(loop, ast.While) and isinstance(loop.test, ast.Constant)
        ends = leaves or not is_endless
        inner: ast.AST = loop
        for outer in self._context.around(loop):
            behind = self._context.behind(inner) if ends else []
            if isinstance(outer, ast.Try) and inner in outer.body:
                behind = [*behind, *outer.finalbody]
            if found := in_source_order(self._logs(own_nodes(behind))):
                return found[0]
            if isinstance(outer, FunctionNode) or outer is self._loop:
                return None
            inner = outer
        return None

    def _logged_on_failure(self, call: ast.Call) -> ast.Call | None:
        """What a handler logs when something fails that a turn does before a statement."""
        for outer, inner in self._around(call):
            if isinstance(outer, ast.Try) and inner in outer.body:
                before = own_nodes(outer.body[: outer.body.index(inner)])
                if not any(isinstance(each, ast.Call) for each in before):
                    continue
                if found := in_source_order(self._logs(own_nodes(outer.handlers))):
                    return found[0]
        return None

    def _logs(self, nodes: Iterable[ast.AST]) -> Iterator[ast.Call]:
        scopes, file = self._context.scopes, self._context.file
        for each in nodes:
            if isinstance(each, ast.Call) and writes_log(file, each, scopes[each]):
                yield each


def _other_branches(outer: ast.AST, inner: ast.AST) -> list[ast.AST]:
    """What of a statement with branches runs where the branch with `inner` does not."""
    match outer:
        case ast.If(_, body, orelse):
            return [*(orelse if inner in body else body)]
        case ast.Match(_, cases):
            return [each for each in cases if each is not inner]
        case ast.Try(body):
            return [*body]
    return []
