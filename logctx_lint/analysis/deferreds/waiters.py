"""How many waiters a shared awaitable may have, as far as its file shows.

Cancelling one waiter harms others only if there are others. There are where a function takes what
is pending instead of starting it again, where several functions wait, or where a public method
gives everybody who calls it the value. A task that one function awaits when it stops everything has
one.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from logctx_lint.analysis.cancellation.completed_awaitables import DoneAwaitables
from logctx_lint.analysis.cancellation.skipped_releases import ONE_AT_A_TIME, is_lock
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.deferreds.lazy_initialization import puts_where_nothing_is
from logctx_lint.analysis.deferreds.sole_waiters import (
    has_key_of_its_own,
    has_put_it_there,
    is_sole_waiter,
)
from logctx_lint.analysis.deferreds.waiting_functions import (
    expects_cancellation,
    is_cancelled_by_waiters,
    is_dropped_by_callers,
    is_given_up,
    is_shielded_by_callers,
    waiting_functions,
)
from logctx_lint.analysis.kept_places import cancelled_in, taken_from
from logctx_lint.analysis.surroundings import attempts_around, within
from logctx_lint.config.settings import Storage
from logctx_lint.findings import Profile
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    declared_outer,
    is_inside,
    last_name,
    own_nodes,
    place_name,
)

_STEP = "__anext__"
"""Whoever iterates waits for one step after the other, and is the only one."""
_TURNS = frozenset({"__aenter__", "__aexit__", _STEP})
"""Methods that one user of an object goes through in turn."""


@dataclass(frozen=True, slots=True)
class Waiters:
    """Counts the waiters of what one unit waits for."""

    context: TreeContext

    def profile(self, node: ast.expr, use: str, *, is_deferred: bool) -> Profile | None:
        """In which profile sharing `node` is reported, if it is; `use` is what is done with it."""
        if expects_cancellation(self.context, node) or is_given_up(self.context, node):
            return None
        if has_put_it_there(self.context, node):
            return None
        traits = self.context.file.traits
        if traits.has_log_contexts or traits.storage is Storage.THREAD_LOCAL:
            return Profile.RECOMMENDED
        function = self.context.function_of(node)
        if not isinstance(function, FunctionNode):
            return None
        place = self._place(node, function)
        if place is None or self._is_ended_by(function, node, use):
            return None
        if function.name == _STEP or is_cancelled_by_waiters(self.context.file, place):
            return None
        if self._is_for_all(place, function, use):
            found: Profile | None = Profile.RECOMMENDED
        else:
            is_left = use == "returned"
            found = None if is_left else self._among_waiters(node, place, use, is_deferred)
        # A test that is cancelled ends, with all that wait in it.
        return Profile.STRICT if found and self.context.file.module.is_test else found

    def _is_ended_by(self, function: FunctionNode, node: ast.expr, use: str) -> bool:
        """Whether nothing is waited for any more, or by one only who may end it."""
        if self._is_done(node) or DoneAwaitables(self.context).is_done(node):
            return True
        if use != "returned" and self._is_replaced_behind(node):
            return True
        match use:
            case "gathered":
                return True  # Who gathers all that there are ends them, as a rule.
            case "returned":
                return is_shielded_by_callers(self.context, function) or is_dropped_by_callers(
                    self.context, function
                )
            case "awaited" if function.name.startswith("_"):
                return is_shielded_by_callers(self.context, function)
            case "waited for":
                return _cancels(function, ast.unparse(node))  # With a time limit.
        return False

    def _is_for_all(self, place: ast.expr, function: FunctionNode, use: str) -> bool:
        """Whether everybody who comes gets what is there, and who comes first starts it."""
        # Of a variable, whoever gets it is near by and knows that others do.
        is_handed_out = isinstance(place, ast.Name) and use == "returned"
        return (
            not is_handed_out
            and self._starts_it(place, function)
            and not self._runs_once(function)
            and not has_key_of_its_own(self.context, place)
        )

    def _among_waiters(
        self, node: ast.expr, place: ast.expr, use: str, is_deferred: bool
    ) -> Profile | None:
        """The profile by how many functions wait, or may be called to."""
        is_name = isinstance(place, ast.Name)
        waiting = self._waiting(place)
        if waiting and all(getattr(each, "name", "") in _TURNS for each in waiting):
            return None
        if self._take_turns(node, waiting, place):
            return None
        if len(waiting) > 1:
            is_sure = use == "awaited" and not is_name
            return Profile.RECOMMENDED if is_sure else Profile.STRICT
        function = self.context.function_of(node)
        if use != "awaited" or not isinstance(function, FunctionNode):
            # With a time limit it is mostly the one who stops everything.
            return None
        # Whoever may call a public method waits; on Twisted it is mostly one who stops everything.
        is_private = is_name or function.name.startswith("_") or self._is_inner(function)
        # Whoever has entered a context manager leaves it.
        is_sole = is_deferred or is_private or self.context.makes_manager(function)
        is_sole = is_sole or _clears_behind(function, place, node)
        is_sole = is_sole or is_sole_waiter(self.context, function, node, place)
        return None if is_sole or _is_guarded(function, node) else Profile.STRICT

    def _take_turns(self, node: ast.expr, waiting: set[ast.AST], place: ast.expr) -> bool:
        """Whether all who wait hold one lock: `async with self._lock: await self._task`.

        Where who comes first starts it, the next one finds what was cancelled before.
        """
        held = {
            ast.unparse(item.context_expr)
            for outer in self.context.around(node)
            if isinstance(outer, ast.AsyncWith)
            for item in outer.items
            if is_lock(self.context, item.context_expr, ONE_AT_A_TIME)
        }
        for each in waiting if held else ():
            held &= _held_around_waits(each, place_name(place))
        return bool(held)

    def _waiting(self, place: ast.expr) -> set[ast.AST]:
        """The functions that wait: of tests, which have objects of their own, one at a time."""
        found = waiting_functions(self.context, place)
        tests = {each for each in found if getattr(each, "name", "").startswith("test")}
        return set(list(tests)[:1]) if tests == found else found

    def _is_inner(self, function: FunctionNode) -> bool:
        """Whether a function stands in another, where nobody else can call it."""
        return any(isinstance(each, FunctionNode) for each in self.context.around(function))

    def _place(self, node: ast.expr, function: FunctionNode) -> ast.expr | None:
        """The attribute, element or outer variable that a value is taken from."""
        place = taken_from(node, function)
        if place is not None or not isinstance(node, ast.Name):
            return place
        is_outer = node.id not in self.context.scopes[node].bindings
        return node if is_outer or node.id in declared_outer(body_nodes(function)) else None

    def _starts_it(self, place: ast.expr, function: FunctionNode) -> bool:
        """Whether the function puts something new there, where there is nothing yet."""
        is_own = isinstance(place, ast.Name) and place.id not in declared_outer(
            body_nodes(function)
        )
        return not is_own and puts_where_nothing_is(place, function)

    def _runs_once(self, function: FunctionNode) -> bool:
        """Whether a private function is only run as the one task that an attribute keeps."""
        if not function.name.startswith("_"):
            return False
        uses = 0
        is_kept = False
        for node in all_nodes(self.context.file.tree):
            match node:
                case ast.Attribute(attr=name) | ast.Name(name) if name == function.name:
                    uses += 1
                case ast.Assign([ast.Attribute()], ast.Call(starter, [ast.Call(called), *_])):
                    is_task = last_name(starter) in ("create_task", "ensure_future")
                    is_kept = is_kept or (is_task and last_name(called) == function.name)
        return is_kept and uses == 1

    def _is_replaced_behind(self, node: ast.expr) -> bool:
        """Whether a `finally` around puts another one there, so that each has one waiter."""
        text = ast.unparse(node)
        return any(
            text in map(ast.unparse, each.targets)
            for attempt in attempts_around(self.context, node)
            for each in own_nodes(attempt.finalbody, ast.Assign)
        )

    def _is_done(self, node: ast.expr) -> bool:
        """Whether the code has made sure that nothing is waited for here: `if x.done():`."""
        text = ast.unparse(node)
        for outer, inner in within(self.context, node):
            if isinstance(outer, ast.If) and any(each is inner for each in outer.body):
                for test in all_nodes(outer.test):
                    match test:
                        case ast.Call(ast.Attribute(receiver, "done" | "called")):
                            if ast.unparse(receiver) == text and not _is_negated(outer.test, test):
                                return True
        return False


def _held_around_waits(function: ast.AST, name: str) -> set[str]:
    """What a function has entered wherever it awaits what is kept under a name."""
    blocks = [
        {
            ast.unparse(item.context_expr)
            for each in all_nodes(function, ast.AsyncWith)
            if is_inside(wait, each.body)
            for item in each.items
        }
        for wait in all_nodes(function, ast.Await)
        if place_name(wait.value) == name
    ]
    return set.intersection(*blocks) if blocks else set()


def _is_guarded(function: FunctionNode, node: ast.expr) -> bool:
    """Whether a function comes to a place once only, as a flag or a state says.

    if self._closed:
        return
    self._closed = True    # Or `if self.state != "closed": self._set_state("closed")`
    await self._task
    """
    before = [each for each in body_nodes(function) if _line(each) < node.lineno]
    asked = [
        each
        for check in before
        if isinstance(check, ast.If)
        and (isinstance(check.body[-1], ast.Return | ast.Raise) or _is_around(check, node))
        for each in all_nodes(check.test)
    ]
    flags = {ast.unparse(each) for each in asked if isinstance(each, ast.Attribute)}
    states: set[object] = {
        each.value for each in asked if isinstance(each, ast.Constant) and each.value
    }
    return any(_changes(each, flags, states) for each in before)


def _clears_behind(function: FunctionNode, place: ast.expr, wait: ast.expr) -> bool:
    """Whether a function empties a place when it has waited, as who ends something does.

    self._stopped.set()
    await self._task
    self._task = None
    """
    text = ast.unparse(place)
    return any(
        isinstance(each, ast.Assign)
        and isinstance(each.value, ast.Constant)
        and each.value.value is None
        and each.lineno > wait.lineno
        and any(ast.unparse(target) == text for target in each.targets)
        for each in body_nodes(function)
    )


def _changes(node: ast.AST, flags: set[str], states: set[object]) -> bool:
    """Whether a flag is set, or a method of `self` is told of a state."""
    match node:
        case ast.Assign(targets, ast.Constant()):
            return any(ast.unparse(target) in flags for target in targets)
        case ast.Call(ast.Attribute(ast.Name("self")), [ast.Constant(value)]):
            return bool(flags) and value in states
    return False


def _is_around(block: ast.stmt, node: ast.expr) -> bool:
    return block.lineno <= node.lineno <= (block.end_lineno or 0)


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def _is_negated(test: ast.expr, call: ast.AST) -> bool:
    return any(
        isinstance(each, ast.UnaryOp)
        and isinstance(each.op, ast.Not)
        and any(inner is call for inner in all_nodes(each))
        for each in all_nodes(test)
    )


def _cancels(function: FunctionNode, text: str) -> bool:
    """Whether a function cancels what it has waited for itself."""
    return any(ast.unparse(each) == text for each in cancelled_in(body_nodes(function)))
