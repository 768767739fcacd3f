"""How many may wait for a shared awaitable, as far as its file shows.

Cancelling one waiter harms others only if there are others. There are where a function takes what
is pending instead of starting it again, where several functions wait, or where a public method
gives everybody who calls it the value. A task that one function awaits when it stops everything has
one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.done_awaitables import DoneAwaitables
from logctx_lint.analysis.lazy_starts import puts_where_nothing_is
from logctx_lint.analysis.shared_state import LOOK_UPS
from logctx_lint.config.settings import Storage
from logctx_lint.findings import Profile
from logctx_lint.inference.known_names import GENERATOR_MANAGERS
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    child_nodes,
    declared_outer,
    last_name,
    own_nodes,
    place_name,
)

_PASSING = ("gather", "wait_for", "cast", "gatherResults", "DeferredList")


@dataclass(frozen=True, slots=True)
class Waiters:
    """Looks for the waiters of what one unit waits for."""

    context: TreeContext

    def profile(self, node: ast.expr, use: str, *, is_deferred: bool) -> Profile | None:
        """In which profile sharing `node` is reported, if it is; `use` is what is done with it."""
        if _expects_cancellation(self.context.around(node)):
            return None
        traits = self.context.file.traits
        if traits.has_log_contexts or traits.storage is Storage.THREAD_LOCAL:
            return Profile.RECOMMENDED
        function = self.context.function_of(node)
        if not isinstance(function, FunctionNode):
            return None
        place = self._place(node, function)
        if place is None:
            return None
        if self._is_done(node) or DoneAwaitables(self.context).is_done(node):
            return None
        if use == "gathered" or (use == "returned" and self._is_shielded_by_callers(function)):
            # Who gathers all that there are ends them, as a rule.
            return None
        if use == "waited for" and _cancels(function, ast.unparse(node)):
            return None  # With a time limit, by the one who ends it.
        is_handed_out = isinstance(place, ast.Name) and use == "returned"
        if (
            self._starts_it(place, function)
            and not self._runs_once(function)
            # Of a variable, whoever gets it is near by and knows that others do.
            and not is_handed_out
        ):
            return Profile.RECOMMENDED
        if use == "returned":
            return None
        is_name = isinstance(place, ast.Name)
        waiting = self._waiting(place)
        if len(waiting) > 1:
            is_sure = use == "awaited" and not is_name
            return Profile.RECOMMENDED if is_sure else Profile.STRICT
        if use != "awaited":
            # With a time limit it is mostly the one who stops everything.
            return None
        # Whoever may call a public method waits; on Twisted it is mostly one who stops everything.
        is_private = is_name or function.name.startswith("_")
        is_sole = is_deferred or is_private or self._is_left_once(function)
        return None if is_sole or _is_guarded(function, node) else Profile.STRICT

    def _is_left_once(self, function: FunctionNode) -> bool:
        """Whether a function is a context manager, which whoever has entered it leaves."""
        return any(
            name in GENERATOR_MANAGERS
            for decorator in function.decorator_list
            for name in self.context.names(decorator)
        )

    def _place(self, node: ast.expr, function: FunctionNode) -> ast.expr | None:
        """The attribute, element or outer variable that a value is taken from."""
        match node:
            case ast.Attribute() | ast.Subscript():
                return node
            case ast.Call(ast.Attribute(holder, name)) if name in LOOK_UPS:
                return ast.Subscript(holder, ast.Constant(None), ast.Load())
            case ast.NamedExpr(_, value) | ast.IfExp(_, value, _):
                return self._place(value, function)
            case ast.BoolOp(_, [value, *_]):
                return self._place(value, function)
            case ast.Name(name):
                for inner in own_nodes(function.body):
                    match inner:
                        case ast.Assign([ast.Name(target)], value) | ast.NamedExpr(
                            ast.Name(target), value
                        ) if target == name and not isinstance(value, ast.Name):
                            place = self._place(value, function)
                            if place is not None:
                                return place
                scope = self.context.scopes[node]
                is_outer = name not in scope.bindings or name in declared_outer(
                    own_nodes(function.body)
                )
                return node if is_outer else None
        return None

    def _starts_it(self, place: ast.expr, function: FunctionNode) -> bool:
        """Whether the function puts something new there, where there is nothing yet."""
        is_own = isinstance(place, ast.Name) and place.id not in declared_outer(
            own_nodes(function.body)
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

    def _is_shielded_by_callers(self, function: FunctionNode) -> bool:
        """Whether every caller in the file protects, or cannot cancel, what the function gives."""
        calls = False
        for caller in all_nodes(self.context.file.tree):
            if not isinstance(caller, FunctionNode):
                continue
            protects = _protects(list(own_nodes(caller.body)), function.name)
            if protects is False:
                return False
            calls = calls or protects is True
        return calls

    def _is_done(self, node: ast.expr) -> bool:
        """Whether the code has made sure that nothing is waited for here: `if x.done():`."""
        text = ast.unparse(node)
        inner: ast.AST = node
        for outer in self.context.around(node):
            if isinstance(outer, FunctionNode):
                break
            if isinstance(outer, ast.If) and any(each is inner for each in outer.body):
                for test in all_nodes(outer.test):
                    match test:
                        case ast.Call(ast.Attribute(receiver, "done" | "called")):
                            if ast.unparse(receiver) == text and not _is_negated(outer.test, test):
                                return True
            inner = outer
        return False

    def _waiting(self, place: ast.expr) -> set[ast.AST]:
        """The functions of the file that wait for what is found in a place of this name.

        An attribute of `self` in a class that has nothing to do with this one is another place,
        and so is a variable of another function.
        """
        name = place_name(place)
        own = self._class_of(place)
        found: set[ast.AST] = set()
        within = self._bound_in(place) if isinstance(place, ast.Name) else self.context.file.tree
        stack: list[tuple[ast.AST, ast.AST | None, str]] = [(within, None, "")]
        while stack:
            node, function, cls = stack.pop()
            if isinstance(node, ast.ClassDef):
                cls = node.name
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                function = node
            if function and isinstance(node, ast.Await | ast.Yield) and node.value:
                is_same = not own or not cls or cls in own or not _is_of_self(node.value, name)
                is_waiter = is_same and _waits_for(node.value, name)
                if is_waiter and not _expects_cancellation(self.context.around(node)):
                    found.add(function)
            stack += [(each, function, cls) for each in child_nodes(node)]
        return found

    def _bound_in(self, name: ast.Name) -> ast.AST:
        """What a variable is local to: a function, or the file."""
        scope: Scope | None = self.context.scopes[name]
        while scope is not None and scope.node is not None:
            node = scope.node
            is_outer = isinstance(node, FunctionNode) and _is_outer(name.id, node)
            if name.id in scope.bindings and not is_outer:
                return node
            scope = scope.parent
        return self.context.file.tree

    def _class_of(self, place: ast.expr) -> set[str]:
        """The class that `self` is of in a place, with those of the file that are above and below.

        Two classes with one base are those of two objects.
        """
        owner = self.context.unit.scope.owner if _is_of_self(place, place_name(place)) else None
        if owner is None:
            return set()
        bases = {
            node.name: {place_name(base) for base in node.bases}
            for node in all_nodes(self.context.file.tree)
            if isinstance(node, ast.ClassDef)
        }
        subclasses = {
            base: {name for name in bases if base in bases[name]}
            for base in {each for found in bases.values() for each in found}
        }
        return _reached(owner.name, bases) | _reached(owner.name, subclasses)


def _reached(start: str, steps: dict[str, set[str]]) -> set[str]:
    """All that some steps lead to, with where they start."""
    found, waiting = {start}, [start]
    while waiting:
        for name in steps.get(waiting.pop(), set()) - found:
            found.add(name)
            waiting.append(name)
    return found


def _expects_cancellation(around: Iterable[ast.AST]) -> bool:
    """Whether code around an `await` catches CancelledError by name: it waits for a task to end.

    try:
        await self._task  # cancelled by `stop()`
    except asyncio.CancelledError:
        pass
    """
    inner: ast.AST | None = None
    for outer in around:
        before, inner = inner, outer
        match outer:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return False
            case ast.Try(body, handlers) if before in body:
                caught = [each.type for each in handlers if each.type and not _raises(each)]
            case ast.With(items):
                calls = (each.context_expr for each in items)
                caught = [
                    argument
                    for each in calls
                    if isinstance(each, ast.Call) and last_name(each.func) == "suppress"
                    for argument in each.args
                ]
            case _:
                continue
        names = {last_name(each) for type_ in caught for each in getattr(type_, "elts", [type_])}
        if "CancelledError" in names:
            return True
    return False


def _is_guarded(function: FunctionNode, node: ast.expr) -> bool:
    """Whether a function comes to a place once only, as a flag or a state says.

    if self._closed:
        return
    self._closed = True    # Or `if self.state != "closed": self._set_state("closed")`
    await self._task
    """
    before = [each for each in own_nodes(function.body) if _line(each) < node.lineno]
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


def _raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(each, ast.Raise) for each in own_nodes(handler.body))


def _protects(nodes: list[ast.AST], name: str) -> bool | None:
    """Whether a function shields what it gets from calls of `name`; None if it waits for none."""
    calls = {each for each in nodes if isinstance(each, ast.Call) and last_name(each.func) == name}
    if not calls:
        return None
    held = {
        each.targets[0].id
        for each in nodes
        if isinstance(each, ast.Assign)
        and each.value in calls
        and isinstance(each.targets[0], ast.Name)
    }
    protected = {
        inner
        for each in nodes
        if isinstance(each, ast.Call) and last_name(each.func) in ("shield", "wait")
        for argument in each.args
        for inner in all_nodes(argument)
    }
    waited_for = {
        inner
        for each in nodes
        if isinstance(each, ast.Await | ast.Return | ast.Yield) and each.value
        for inner in all_nodes(each.value)
        if inner in calls or (isinstance(inner, ast.Name) and inner.id in held)
    }
    if not waited_for <= protected:
        return False
    return True if calls & protected or held else None


def _is_negated(test: ast.expr, call: ast.AST) -> bool:
    return any(
        isinstance(each, ast.UnaryOp)
        and isinstance(each.op, ast.Not)
        and any(inner is call for inner in all_nodes(each))
        for each in all_nodes(test)
    )


def _waits_for(node: ast.expr, name: str) -> bool:
    """Whether what is awaited is the place, or a call that passes a cancellation on to it."""
    match node:
        case ast.Attribute(attr=attr):
            return attr == name
        case ast.Name(id_):
            return id_ == name
        case ast.Subscript(value):
            return place_name(value) == name
        case ast.Call(func, args):
            passes = last_name(func) in (
                "gather",
                "wait_for",
                "cast",
                "gatherResults",
                "DeferredList",
            )
            return passes and any(_waits_for(each, name) for each in args)
        case ast.Starred(value):
            return _waits_for(value, name)
        case ast.List(elements) | ast.Tuple(elements):
            return any(_waits_for(each, name) for each in elements)
    return False


def _is_of_self(node: ast.AST, name: str) -> bool:
    """Whether what is waited for is an attribute of that name of `self`, and of nothing else."""
    receivers = [
        each.value
        for each in own_nodes([node])
        if isinstance(each, ast.Attribute) and each.attr == name
    ]
    return bool(receivers) and all(
        isinstance(each, ast.Name) and each.id == "self" for each in receivers
    )


def _is_outer(name: str, function: FunctionNode) -> bool:
    return name in declared_outer(own_nodes(function.body))


def _cancels(function: FunctionNode, text: str) -> bool:
    """Whether a function cancels what it has waited for itself."""
    return any(
        isinstance(each, ast.Attribute)
        and each.attr == "cancel"
        and ast.unparse(each.value) == text
        for each in own_nodes(function.body)
    )
