"""Futures that are completed without a check although their waiter may have been cancelled.

async def wait(self):                       def open(self):
    waiter = loop.create_future()               for waiter in self._waiters:
    self._waiters.append(waiter)                    waiter.set_result(None)  # One was cancelled:
    await waiter                                                 # this fails, and the rest waits.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from logctx_lint.analysis.callback_arguments import call_made_of
from logctx_lint.analysis.context import TreeContext, arguments, as_try
from logctx_lint.analysis.deferreds.completions import (
    kept_in,
    makes_future,
    methods_of_class,
    new_in,
)
from logctx_lint.analysis.deferreds.late_answers import LIMITS
from logctx_lint.analysis.possible_values import put_into
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import COMPLETERS, DELAYERS, REMOVERS
from logctx_lint.inference.passed_arguments import parameter_for
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode, parameters_of
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, is_name, last_name, own_nodes

_LOOKING = frozenset({"done", "cancelled", "add_done_callback", "shield", "cancel"})
_THREADSAFE = "call_soon_threadsafe"


@dataclass(frozen=True, slots=True)
class SetAnyway:
    """Where a Future is set, and where somebody who may be cancelled waits for it, or gets it."""

    setting: ast.expr
    waiting: ast.Await | ast.Return
    place: str


def _looks(nodes: Iterator[ast.AST] | list[ast.AST]) -> bool:
    return any(
        (isinstance(each, ast.Attribute) and each.attr in _LOOKING) or as_try(each) is not None
        for each in nodes
    )


def _made_in(
    context: TreeContext, function: FunctionNode, scope: Scope
) -> dict[str, list[ast.expr]]:
    """The local names of new Futures, and what else the same statement puts them into."""
    made = new_in(context, function, scope, makes_future)
    return {
        each.id: [other for other, where in made if where is statement and other is not each]
        for each, statement in made
        if isinstance(each, ast.Name)
    }


def _waits_for(context: TreeContext, function: FunctionNode, name: str) -> ast.Await | None:
    for node in body_nodes(function):
        match node:
            case ast.Await(ast.Name(waited)) if waited == name:
                return node
            case ast.Await(ast.Call(func, [ast.Name(waited), *_])) if waited == name:
                if context.file.may_play(func, LIMITS):
                    return node
    return None


# All waiters at once


def set_in_a_row(context: TreeContext, function: FunctionNode) -> Iterator[SetAnyway]:
    """Loops of a method that set all Futures that an attribute keeps, whoever still waits."""
    for loop in list(body_nodes(function, ast.For)):
        if not isinstance(loop.target, ast.Name) or _looks(list(body_nodes(loop))):
            continue
        setting = _set_in(loop, loop.target.id)
        place = kept_in(loop.iter, function) if setting is not None else ""
        waiting = _kept_waiter(context, place) if place else None
        if setting is not None and waiting is not None:
            yield SetAnyway(setting, waiting, place)


def _set_in(loop: ast.For, name: str) -> ast.expr | None:
    """Where a loop sets its variable, by a statement of its own, whatever that is."""
    for statement in loop.body:
        match statement:
            case ast.Expr(ast.Call(ast.Attribute(ast.Name(held), method) as func)):
                if held == name and method in COMPLETERS:
                    return func
    return None


def _kept_waiter(context: TreeContext, place: str) -> ast.Await | None:
    """Where a method waits for what it has put into an attribute, and leaves it there."""
    for method, scope in methods_of_class(context):
        if not isinstance(method, ast.AsyncFunctionDef):
            continue
        nodes = list(body_nodes(method))
        if _takes_out(nodes, place):
            continue
        for name, others in _made_in(context, method, scope).items():
            if any(_is_put_into(node, name, place) for node in nodes) or any(
                isinstance(each, ast.Subscript) and ast.unparse(each.value) == place
                for each in others
            ):
                waiting = _waits_for(context, method, name)
                if waiting is not None:
                    return waiting
    return None


def _takes_out(nodes: list[ast.AST], place: str) -> bool:
    """Whether a waiter removes its Future again, or looks what becomes of it."""
    for node in nodes:
        match node:
            case ast.Attribute(receiver, name):
                if name in _LOOKING or (name in REMOVERS and ast.unparse(receiver) == place):
                    return True
            case ast.Delete(targets):
                if any(ast.unparse(each).startswith(place) for each in targets):
                    return True
    return False


def _is_put_into(node: ast.AST, name: str, place: str) -> bool:
    put = put_into(node)
    return put is not None and is_name(put[1], name) and ast.unparse(put[0]) == place


# From another thread


def set_from_thread(context: TreeContext, function: FunctionNode) -> Iterator[SetAnyway]:
    """`loop.call_soon_threadsafe(done.set_result, x)` of what the function waits for, or returns.

    What is handed to the loop may also be a function that sets what it is given, or a method, or
    one inside this one.
    """
    attributes = {each.attr for each in all_nodes(function, ast.Attribute)}
    if _THREADSAFE not in attributes or attributes & _LOOKING:
        return
    calls = [e for e in all_nodes(function, ast.Call) if last_name(e.func) == _THREADSAFE]
    for name in _made_in(context, function, context.unit.scopes[function]):
        waiting = _waits_for(context, function, name) or _returned(function, name)
        for call in calls if waiting is not None else ():
            for given in arguments(call):
                is_set = (
                    _sets(given, name)
                    or _is_set_inside(function, given, name)
                    or _is_set_by_helper(context, call, given, name)
                )
                if is_set and waiting is not None:
                    yield SetAnyway(given, waiting, name)


def _sets(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Attribute(ast.Name(held), method):
            return held == name and method in COMPLETERS
    return False


def _is_set_inside(function: FunctionNode, given: ast.expr, name: str) -> bool:
    """Whether a lambda, or a function inside another one, sets what a name means."""
    bodies: list[ast.AST] = [given.body] if isinstance(given, ast.Lambda) else []
    for each in all_nodes(function):
        if isinstance(each, FunctionNode) and is_name(given, each.name):
            if any(as_try(inner) is not None for inner in all_nodes(each)):
                return False
            bodies += each.body
    return any(_sets(inner, name) for body in bodies for inner in all_nodes(body))


def _returned(function: FunctionNode, name: str) -> ast.Return | None:
    """Where a plain function gives a Future to whoever is to wait for it."""
    if isinstance(function, ast.AsyncFunctionDef):
        return None
    for node in body_nodes(function):
        match node:
            case ast.Return(ast.Name(returned)) if returned == name:
                return node
    return None


def _is_set_by_helper(context: TreeContext, call: ast.Call, given: ast.expr, name: str) -> bool:
    """`call_soon_threadsafe(self._settle, future, value)`, and `_settle` sets it without a look."""
    if not isinstance(given, ast.Name) or given.id != name or given in call.args[:1]:
        return False
    if len(functions := context.functions(call.args[0])) != 1:
        return False
    node = functions[0].implementation.tree()
    made = call_made_of(call, call.args[0])
    inside = list(all_nodes(node)) if node else []
    own = parameter_for(context.resolver, made, functions[0], given)
    return any(_sets(each, own) for each in inside) and not _looks(inside)


# From what somebody else calls


def set_by_callback(context: TreeContext, function: ast.AsyncFunctionDef) -> Iterator[SetAnyway]:
    """`link.on_close(lambda: closed.set_result(None))`, and then `await closed`.

    Timers, and other threads, are others' to look at.
    """
    nodes = list(all_nodes(function))
    if any(isinstance(each, ast.Attribute) and each.attr in _NOT_CALLED for each in nodes):
        return
    names = _made_in(context, function, context.unit.scopes[function])
    for waiting, name in _waits_that_leave(context, function, names):
        for given in _handed_over(context, function):
            for node in _set_by(function, given):
                match node:
                    case ast.Attribute(ast.Name(held), method) if method in COMPLETERS:
                        if held == name:
                            yield SetAnyway(node, waiting, name)
                            return


_OPENERS = frozenset(
    {"create_connection", "create_datagram_endpoint", "create_server", "create_unix_connection",
     "create_unix_server", "connect_read_pipe", "connect_write_pipe", "subprocess_exec",
     "subprocess_shell", "start_server"}
)  # fmt: skip
_THREADS = frozenset({Role.THREAD_STARTER, Role.BARE_THREAD_STARTER})
_NOT_CALLED = _LOOKING | DELAYERS | {_THREADSAFE, "call_soon"}


def _waits_that_leave(
    context: TreeContext, function: FunctionNode, names: Iterable[str]
) -> Iterator[tuple[ast.Await, str]]:
    """Where a function waits for a name, and nothing around the waiting says that it has ended."""
    guarded = {
        inner
        for node in body_nodes(function)
        if as_try(node) is not None or isinstance(node, ast.With | ast.AsyncWith)
        for inner in own_nodes([node])
        if not _is_mere_limit(context, node)
    }
    for name in names:
        waiting = _waits_for(context, function, name)
        if waiting is not None and waiting not in guarded:
            yield waiting, name


def _is_mere_limit(context: TreeContext, node: ast.AST) -> bool:
    """`async with timeout(5):`"""
    return isinstance(node, ast.With | ast.AsyncWith) and all(
        isinstance(item.context_expr, ast.Call)
        and context.file.may_play(item.context_expr.func, LIMITS)
        for item in node.items
    )


def _handed_over(context: TreeContext, function: FunctionNode) -> Iterator[ast.expr]:
    """What a function gives to others: arguments, and what it puts into attributes."""
    for node in body_nodes(function):
        match node:
            case ast.Call(func) if not (
                context.file.may_play(func, _THREADS) or _is_opening(context, node)
            ):
                yield from arguments(node)
            case ast.Assign([ast.Attribute() | ast.Subscript()], value):
                yield value


def _is_opening(context: TreeContext, call: ast.Call) -> bool:
    """`await loop.create_connection(lambda: Peer(ready.set_result))`, which calls it itself."""
    around = (call, *context.around(call))
    return any(isinstance(each, ast.Call) and last_name(each.func) in _OPENERS for each in around)


def _set_by(function: FunctionNode, given: ast.expr) -> Iterator[ast.AST]:
    """What a bound method, a lambda or a plain function inside of the function does."""
    match given:
        case ast.Attribute():
            yield given
        case ast.Lambda(_, body):
            yield from all_nodes(body)
        case ast.Name(name):
            for node in body_nodes(function):
                if isinstance(node, ast.FunctionDef) and node.name == name:
                    if any(as_try(each) is not None for each in all_nodes(node)):
                        return
                    taken = {each.arg for each, _, _ in parameters_of(node.args)}
                    yield from (
                        each
                        for each in all_nodes(node)
                        if not isinstance(each, ast.Attribute)
                        or getattr(each.value, "id", "") not in taken
                    )
