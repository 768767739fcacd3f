"""Futures left in a mapping when their waiter is cancelled, and late answers that complete them.

self.waiting[number] = answer = loop.create_future()
await wait_for(answer, 5)                       # Cancels it when its time is over.
...
self.waiting[number].set_result(text)           # Fails, as it is cancelled.

Without a time limit it is cancelled with whoever waits.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.context import TreeContext, arguments, as_try
from logctx_lint.analysis.deferreds.completion_guards import Guards, Site
from logctx_lint.analysis.deferreds.completions import (
    called_methods,
    held_in,
    is_once,
    is_own,
    makes,
    new_in,
    popped_from,
    takes_away,
)
from logctx_lint.analysis.deferreds.fired_twice import Methods, Twice
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import APPENDERS, COMPLETERS
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, holding, own_nodes

_WAITS = frozenset({Role.TIME_LIMITER})
_SCOPES = frozenset({Role.TIMEOUT_SCOPE, Role.CANCEL_SCOPE})
LIMITS = _WAITS | _SCOPES
"""What limits the time that something is waited for."""
_SHIELDS = frozenset({Role.CANCELLATION_SHIELD})
_ASKING = frozenset({"done", "cancelled"})
_OF_LOOK_UPS = frozenset({"KeyError", "IndexError", "LookupError"})


def late_answers(
    context: TreeContext, methods: Methods, method: ast.AsyncFunctionDef
) -> Iterator[Twice]:
    """What a method waits for with a time limit, which cancels it, and leaves where it was kept."""
    for names, place, value in _kept(method):
        limited = _limited(context, method, names)
        if limited is None or _is_taken_out(context, methods, method, place):
            continue
        answer = _answer(methods, Site(method, limited), place)
        is_known = is_once(context, value) if answer is not None else False
        if answer is not None and is_known is not False:
            yield Twice(limited, answer, place, bool(is_known))


def answers_to_cancelled(
    context: TreeContext, methods: Methods, method: ast.AsyncFunctionDef
) -> Iterator[Twice]:
    """What a method waits for as long as it takes, and leaves where it was kept when cancelled."""
    for names, place, value in _kept(method):
        waiting = _awaited(method, names)
        if waiting is None or _limited(context, method, names) is not None:
            continue
        if not _is_taken_out(context, methods, method, place):
            answer = _answer(methods, Site(method, waiting), place)
            if answer is not None and is_once(context, value):
                yield Twice(waiting, answer, place)


def left_registered(
    context: TreeContext, methods: Methods, method: ast.AsyncFunctionDef
) -> Iterator[tuple[ast.Await, str]]:
    """What a method puts into a mapping for one answer, waits for with a time limit, and leaves.

    Where an answer would fail, that is said of it (`late_answers`).
    """
    for node in body_nodes(method, ast.Assign):
        names = {ast.unparse(each) for each in (*node.targets, node.value)}
        for target in node.targets:
            match target:
                case ast.Subscript(ast.Attribute() as kept, ast.Name()) if is_own(kept):
                    place = ast.unparse(kept)
                case _:
                    continue
            limited = _limited(context, method, names)
            if (
                limited is not None
                and not _is_taken_out(context, methods, method, place)
                and _is_popped(methods, method, place)
                and _answer(methods, Site(method, limited), place) is None
                and is_once(context, node.value)
            ):
                yield limited, place


def _is_popped(methods: Methods, waiting: FunctionNode, place: str) -> bool:
    """Whether the code that answers takes out what has been answered."""
    return any(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr == "pop"
        and ast.unparse(each.func.value) == place
        for method in methods.values()
        if method is not waiting
        for each in all_nodes(method)
    )


def _kept(method: ast.AsyncFunctionDef) -> Iterator[tuple[set[str], str, ast.expr]]:
    """What a method keeps in attributes: the texts that stand for it, the place, and a value."""
    for node in body_nodes(method):
        match node:
            case ast.Assign(targets, value):
                for place in _kept_in(targets):
                    yield {ast.unparse(each) for each in (*targets, value)}, place, value
            case ast.Call(ast.Attribute(ast.Attribute() as kept, adder), [ast.Name() as name]):
                if adder in APPENDERS and is_own(kept):
                    yield {name.id}, ast.unparse(kept), name


def _awaited(method: FunctionNode, names: set[str]) -> ast.Await | None:
    """Where a method waits for what some expressions stand for."""
    for node in body_nodes(method):
        if isinstance(node, ast.Await) and ast.unparse(node.value) in names:
            return node
    return None


def _kept_in(targets: list[ast.expr]) -> Iterator[str]:
    """The attributes of the object that are filled: `self.answer`, `self.waiting[number]`."""
    for each in targets:
        kept = holding(each)
        if isinstance(kept, ast.Attribute) and is_own(kept):
            yield ast.unparse(kept)


def _limited(context: TreeContext, method: FunctionNode, names: set[str]) -> ast.Await | None:
    """Where a method waits for what some expressions stand for with a time limit."""
    for node in body_nodes(method):
        match node:
            case ast.Await(ast.Call() as call) if context.roles(call) & _WAITS:
                given = arguments(call)
                if _is_limit(given[1:]) and ast.unparse(given[0]) in names:
                    return node
            case ast.With(items, body) | ast.AsyncWith(items, body):
                if any(_limits(context, each) for each in items):
                    for inner in own_nodes(body):
                        if isinstance(inner, ast.Await) and ast.unparse(inner.value) in names:
                            return inner
    return None


def _limits(context: TreeContext, item: ast.withitem) -> bool:
    """`timeout(5)`, `move_on_after(5)`"""
    scope = item.context_expr
    return (
        isinstance(scope, ast.Call)
        and bool(context.roles(scope) & _SCOPES)
        and _is_limit(arguments(scope))
    )


def _is_limit(given: list[ast.expr]) -> bool:
    """Whether a time is given: None stands for as long as it takes."""
    return bool(given) and not (isinstance(given[0], ast.Constant) and given[0].value is None)


def _is_taken_out(context: TreeContext, methods: Methods, method: FunctionNode, place: str) -> bool:
    """Whether a method, one that it calls, or one that calls it, takes out what is kept there."""
    own = list(body_nodes(method))
    if any(
        (isinstance(each, ast.Attribute) and each.attr == "add_done_callback")
        or (isinstance(each, ast.Call) and bool(context.roles(each) & _SHIELDS))
        for each in own
    ):
        return True
    scope = context.unit.scopes[method]
    filled = {target for target, _ in new_in(context, method, scope, makes)}
    callers = (each for each in methods.values() if method in _called(methods, each))
    others = (node for each in (*_called(methods, method), *callers) for node in all_nodes(each))
    return takes_away((*(each for each in own if each not in filled), *others), place)


def _called(methods: Methods, method: FunctionNode) -> list[FunctionNode]:
    found = called_methods(methods, all_nodes(method))
    return [each for each in found if each is not method]


def _answer(methods: Methods, waiting: Site, place: str) -> ast.Attribute | None:
    """Where another method gives a result to what is kept there, whatever became of it."""
    for method in methods.values():
        if method is waiting.function:
            continue
        nodes = list(all_nodes(method))
        asked = [inner for each in _called(methods, method) for inner in all_nodes(each)]
        if any(isinstance(each, ast.Attribute) and each.attr in _ASKING for each in nodes + asked):
            continue
        if any(_may_catch(each) for each in nodes):
            continue
        for each in nodes:
            if not isinstance(each, ast.Attribute) or each.attr not in COMPLETERS:
                continue
            if place not in (held_in(method, each), popped_from(method, each)):
                continue
            answer = Site(method, each)
            if not Guards(methods).bars(waiting, answer, by_error=True, filled=place):
                return each
    return None


def _may_catch(node: ast.AST) -> bool:
    """Whether a `try` may be there for what is completed already, as it is not for KeyError."""
    attempt = as_try(node)
    return attempt is not None and not all(
        isinstance(each.type, ast.Name) and each.type.id in _OF_LOOK_UPS
        for each in attempt.handlers
    )
