"""Which functions of a file wait for what is kept in a place, and how."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from logctx_lint.analysis.awaitables.gathered_operands import GATHERERS
from logctx_lint.analysis.call_sites import call_sites
from logctx_lint.analysis.context import (
    FunctionOrLambda,
    TreeContext,
    arguments,
    as_try,
    contexts_naming,
)
from logctx_lint.analysis.deferreds.shared_state import Sharing
from logctx_lint.analysis.exception_handlers import Cancellation, caught_by
from logctx_lint.analysis.kept_places import cancelled_in
from logctx_lint.analysis.shields import is_shield
from logctx_lint.analysis.surroundings import attempts_around, within
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import WAIT
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Class
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    declared_outer,
    is_name,
    last_name,
    own_nodes,
    place_name,
)

_PASSING = GATHERERS | {Role.DEFERRED_PASSER}
"""Roles of what passes a cancellation on to what it is given."""
"""Waits, and leaves what it waits for alone when it is cancelled itself."""


def waiting_functions(context: TreeContext, place: ast.expr) -> set[ast.AST]:
    """The functions of the file that wait for what is found in a place of this name.

    An attribute of `self` in a class that has nothing to do with this one is another place, and so
    is a variable of another function.
    """
    name, owner = place_name(place), context.unit.scope.owner
    related = related_classes(context.file, owner) if owner and _is_of_self(place, name) else set()
    home = _bound_in(context, place) if isinstance(place, ast.Name) else None
    return {
        function
        for each in ([context] if home else contexts_naming(context.file, name))
        for node in _waits(each)
        if not (isinstance(place, ast.Attribute) and _is_made_there(each, node.value))
        if home is None or (home in each.around(node) and not _is_left_by(each, node, home))
        if (function := _waiter(each, node, name, related)) is not None
    }


def _is_left_by(context: TreeContext, wait: ast.AST, home: ast.AST) -> bool:
    """Whether a function returns what it waits for, before others that stand inside are there.

    if not background:
        return await answer
    async def catch(): await answer
    """
    is_own = context.function_of(wait) is home
    return (
        is_own
        and any(isinstance(each, ast.Return) for each in context.around(wait))
        and all(
            each.lineno > wait.lineno  # type: ignore[attr-defined]
            for each in all_nodes(home)
            if isinstance(each, FunctionOrLambda) and each is not home
        )
    )


def is_shielded_by_callers(context: TreeContext, function: FunctionNode) -> bool:
    """Whether every caller protects, cannot cancel, or means to cancel what a function gives, or
    what it waits for when it is a coroutine."""
    answers = {
        _protects(each, caller, function.name)
        for each in contexts_naming(context.file, function.name)
        for caller in each.unit.scopes
        if isinstance(caller, FunctionNode)
    }
    called = context.unit.scopes[function].function
    if called is not None and False not in answers:
        answers |= {
            _is_shielded_call(context.file, call, scope)
            for call, scope in call_sites(context.resolver, called)
            if scope.module != called.module
        }
    return True in answers and False not in answers


def is_dropped_by_callers(context: TreeContext, function: FunctionNode) -> bool:
    """Whether every call of a function that there is drops what it gives, so that nobody waits."""
    called = context.unit.scopes[function].function
    sites = call_sites(context.resolver, called) if called is not None else []
    return bool(sites) and all(
        isinstance(scope.node, FunctionNode)
        and any(each.value is call for each in body_nodes(scope.node, ast.Expr))
        for call, scope in sites
    )


def _is_shielded_call(file: File, call: ast.Call, scope: Scope) -> bool:
    """`shield(server.register(name))` in another file."""
    return isinstance(scope.node, FunctionNode) and any(
        isinstance(each, ast.Call)
        and call in each.args
        and Role.CANCELLATION_SHIELD in file.roles(each.func, scope)
        for each in body_nodes(scope.node)
    )


def expects_cancellation(context: TreeContext, node: ast.AST) -> bool:
    """Whether code around an `await` catches CancelledError by name: it waits for a task to end.

    try:
        await self._task  # cancelled by `stop()`
    except asyncio.CancelledError:
        pass
    """
    return any(
        caught_by(context, each).by_name
        for outer, inner in within(context, node)
        for each in _caught_around(context, outer, inner)
    )


def is_given_up(context: TreeContext, node: ast.expr) -> bool:
    """Whether a waiter that is cancelled cancels what it waits for, and so needs it alone.

    try:
        return await self.answer
    except BaseException:
        self.answer.cancel()
        raise
    """
    text = ast.unparse(node)
    return any(
        inner in attempt.body
        and Cancellation.ASYNCIO in caught_by(context, handler.type).cancellation
        and any(ast.unparse(each) == text for each in cancelled_in(body_nodes(handler)))
        for outer, inner in within(context, node)
        if (attempt := as_try(outer))
        for handler in attempt.handlers
    )


def is_cancelled_by_waiters(file: File, place: ast.expr) -> bool:
    """Whether a done callback acts on the cancellation of what is kept in a place.

    Then it is provided for that who waits cancels it:

    self.answer.add_done_callback(self._answered)
    ...
    def _answered(self, answer):
        if answer.cancelled():
            self._sender.cancel()
    """
    name = place_name(place)
    handlers = {
        last_name(call.args[0])
        for call in all_nodes(file.tree, ast.Call)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "add_done_callback"
        and call.args
        and place_name(call.func.value) == name
    }
    return any(
        isinstance(each, FunctionNode) and each.name in handlers and _acts_on_cancellation(each)
        for each in (all_nodes(file.tree) if handlers else ())
    )


def _acts_on_cancellation(handler: FunctionNode) -> bool:
    """`if future.cancelled(): self._stop()`; to return, or to log it, is no such act."""
    return any(
        isinstance(each, ast.If)
        and _asks_for_cancellation(each.test)
        and any(_is_end(inner) for inner in body_nodes(each))
        for each in body_nodes(handler)
    )


def _asks_for_cancellation(test: ast.expr) -> bool:
    match test:
        case ast.BoolOp(ast.And(), values):
            return any(_asks_for_cancellation(each) for each in values)
        case ast.Call(ast.Attribute(attr="cancelled"), []):
            return True
    return False


def _is_end(node: ast.AST) -> bool:
    """`self._runner = None`, `self._runner.cancel()`."""
    match node:
        case ast.Assign(value=ast.Constant(None)) | ast.Call(ast.Attribute(attr="cancel")):
            return True
    return False


def _bound_in(context: TreeContext, name: ast.Name) -> ast.AST | None:
    """The function that a variable is local to; None if it is one of the module."""
    scope: Scope | None = context.scopes[name]
    while scope is not None and scope.node is not None:
        node = scope.node
        outer = declared_outer(body_nodes(node)) if isinstance(node, FunctionNode) else set()
        if name.id in scope.bindings and name.id not in outer:
            return node
        scope = scope.parent
    return None


def _waits(context: TreeContext) -> Iterator[ast.Await | ast.Yield]:
    yield from (node for node, _ in context.unit.nodes(ast.Await))
    yield from (node for node, _ in context.unit.nodes(ast.Yield))


def _is_made_there(context: TreeContext, waited: ast.expr | None) -> bool:
    """Whether a variable, of whatever name, holds only what its own function has made."""
    if not isinstance(waited, ast.Name):
        return False
    bindings = context.scopes[waited].reaching_name(waited)
    return bool(bindings) and all(isinstance(each.value, ast.Call) for each in bindings)


def _waiter(
    context: TreeContext, node: ast.Await | ast.Yield, name: str, related: set[str]
) -> ast.AST | None:
    """The function of an `await`, if that is for what is kept under the name."""
    function = context.function_of(node)
    if function is None or node.value is None or not _waits_for(context, node.value, name):
        return None
    if isinstance(node.value, ast.Attribute):
        # Of an object that the function has made itself it is the one who waits.
        receiver = node.value.value
        if Sharing(context.resolver).is_own(receiver, context.scopes[receiver]):
            return None
    if related and _is_of_self(node.value, name) and _class_around(context, node) not in related:
        return None
    # One that cancels a task and waits for its end is not one of those who need what it gives.
    is_expected = expects_cancellation(context, node) or _keeps_failures(context, node.value)
    return None if is_expected and _is_cancelled_in(function, name) else function


def _keeps_failures(context: TreeContext, node: ast.expr) -> bool:
    """`gather(task, ..., return_exceptions=True)`"""
    match node:
        case ast.Call(keywords=options) if Role.FORWARDING_GATHERER in context.roles(node):
            return any(
                each.arg == "return_exceptions" and ast.unparse(each.value) == "True"
                for each in options
            )
    return False


def _is_cancelled_in(function: ast.AST, name: str) -> bool:
    return any(place_name(each) == name for each in cancelled_in(all_nodes(function)))


def _class_around(context: TreeContext, node: ast.AST) -> str:
    owner = context.unit.scope.owner
    inner = (each.name for each in context.around(node) if isinstance(each, ast.ClassDef))
    return next(inner, owner.name if owner else "")


def _caught_around(
    context: TreeContext, outer: ast.AST, inner: ast.AST
) -> Iterator[ast.expr | None]:
    """The exceptions that a statement keeps from going on when they come out of its body."""
    attempt = as_try(outer)
    if attempt and inner in attempt.body:
        yield from (each.type for each in attempt.handlers if not _raises(each))
    elif isinstance(outer, ast.With):
        for item in outer.items:
            call = item.context_expr
            if isinstance(call, ast.Call) and Role.SUPPRESSOR in context.roles(call):
                yield from arguments(call)


def _raises(handler: ast.ExceptHandler) -> bool:
    """Whether a handler raises, other than for the waiter's own cancellation.

    if asyncio.current_task().cancelling():
        raise
    """
    own = {
        inner
        for each in body_nodes(handler, ast.If)
        if _asks_for_own(each.test)
        for inner in body_nodes(each)
    }
    return any(each not in own for each in body_nodes(handler, ast.Raise))


def _asks_for_own(test: ast.expr) -> bool:
    """Whether a test holds only where the running task itself is cancelled."""
    match test:
        case ast.BoolOp(ast.And(), values):
            return any(map(_asks_for_own, values))
        case ast.Compare(counted, [ast.Gt()], [ast.Constant(0)]):
            return _asks_for_own(counted)
        case ast.Call(ast.Attribute(attr="cancelling"), []):
            return True
    return False


def _waits_for(context: TreeContext, node: ast.expr, name: str) -> bool:
    """Whether what is awaited is the place, or a call that passes a cancellation on to it."""
    match node:
        case ast.Attribute() | ast.Name() | ast.Subscript():
            return place_name(node) == name
        case ast.Call(_, args):
            passes = not context.roles(node).isdisjoint(_PASSING)
            return passes and any(_waits_for(context, each, name) for each in args)
        case ast.Starred(value):
            return _waits_for(context, value, name)
        case ast.List(elements) | ast.Tuple(elements):
            return any(_waits_for(context, each, name) for each in elements)
    return False


def _is_of_self(node: ast.AST, name: str) -> bool:
    """Whether what is waited for is an attribute of that name of `self`, and of nothing else."""
    receivers = [each.value for each in own_nodes([node], ast.Attribute) if each.attr == name]
    return bool(receivers) and all(is_name(each, "self") for each in receivers)


def related_classes(file: File, owner: Class) -> set[str]:
    """A class, with those of the file that are above and below; two with one base are apart."""
    bases = {
        node.name: {place_name(base) for base in node.bases}
        for node in all_nodes(file.tree, ast.ClassDef)
    }
    subclasses = {
        base: {name for name in bases if base in bases[name]}
        for base in {each for found in bases.values() for each in found}
    }
    # An `await` outside of classes may be for any.
    return _reached(owner.name, bases) | _reached(owner.name, subclasses) | {""}


def _reached(start: str, steps: dict[str, set[str]]) -> set[str]:
    """All that some steps lead to, with where they start."""
    found, waiting = {start}, [start]
    while waiting:
        for name in steps.get(waiting.pop(), set()) - found:
            found.add(name)
            waiting.append(name)
    return found


def _protects(context: TreeContext, function: FunctionNode, name: str) -> bool | None:
    """Whether a function shields what it gets from calls of `name`; None if it waits for none."""
    all_calls = body_nodes(function, ast.Call)
    calls = {each for each in all_calls if last_name(each.func) == name}
    if not calls:
        return None
    held = set(_held(function, calls))
    names = {each for each in body_nodes(function, ast.Name) if each.id in held}
    taking = (each for each in all_calls if _leaves_alone(context, each))
    protected = _inside(argument for each in taking for argument in each.args)
    values = list(_waited_for(function))
    meant = [each for each in values if _cancels_with_itself(context, each, held)]
    waited_for = _inside(each for each in values if each not in meant)
    if not waited_for & (calls | names) <= protected:
        return False
    return True if calls & protected or held or meant else None


def _waited_for(function: FunctionNode) -> Iterator[ast.expr]:
    """What a function awaits, or gives its caller to wait for."""
    for node in body_nodes(function):
        if isinstance(node, ast.Await | ast.Return | ast.Yield) and node.value:
            yield node.value


def _cancels_with_itself(context: TreeContext, wait: ast.AST, held: set[str]) -> bool:
    """Whether a handler of the waiter's cancellation cancels what it has waited for.

    task = self._start()
    try:
        return await task
    except asyncio.CancelledError:
        task.cancel()
        raise
    """
    return any(
        caught_by(context, handler.type).by_name
        and any(
            isinstance(each, ast.Name) and each.id in held
            for each in cancelled_in(body_nodes(handler))
        )
        for attempt in attempts_around(context, wait)
        for handler in attempt.handlers
    )


def _inside(nodes: Iterable[ast.AST]) -> set[ast.AST]:
    return {inner for node in nodes for inner in all_nodes(node)}


def _held(function: FunctionNode, calls: set[ast.Call]) -> Iterator[str]:
    """The local names that what some calls give is assigned to."""
    for node in body_nodes(function, ast.Assign):
        match node:
            case ast.Assign([ast.Name(name), *_], value) if value in calls:
                yield name


def _leaves_alone(context: TreeContext, call: ast.Call) -> bool:
    return is_shield(context, call) or not WAIT.isdisjoint(context.names(call))
