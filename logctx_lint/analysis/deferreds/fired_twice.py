"""Deferreds and Futures that two places of one function, or of one class, fire.

d = Deferred()                              def dataReceived(self, data):
reactor.callLater(5, d.errback, late)           self.done.callback(data)
listen(d.callback)  # The timer comes, too.
                                            def connectionLost(self, reason):
                                                self.done.errback(reason)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from logctx_lint.analysis.callback_arguments import call_made_of
from logctx_lint.analysis.context import TreeContext, arguments, as_try, in_source_order
from logctx_lint.analysis.deferreds.completion_guards import Guards, Site
from logctx_lint.analysis.deferreds.completions import (
    are_sure,
    completed,
    completion,
    held_in,
    holder,
    is_careful,
    is_careless,
    is_once,
    makes,
    new_in,
    popped_from,
)
from logctx_lint.analysis.log_calls import is_named_log
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import DELAYERS, REMOVERS
from logctx_lint.inference.passed_arguments import pairs, written_parameters
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, blocks_of, body_nodes, last_name, own_nodes

_TIMERS = frozenset({Role.CALLBACK_TAKER})
Methods = Mapping[str, FunctionNode]


@dataclass(frozen=True, slots=True)
class Twice:
    """Two places that fire the same thing."""

    first: ast.expr
    second: ast.expr
    place: str
    is_known: bool = True
    """It is known to be a Deferred or a Future."""


# On one path of a function


def on_one_path(context: TreeContext, methods: Methods, function: FunctionNode) -> Iterator[Twice]:
    """`if failed: d.errback(e)`, without `return`, and then `d.callback(x)`."""
    for inner in (each for each in all_nodes(function) if isinstance(each, FunctionNode)):
        for first, second, branch in _on_paths(inner):
            place = completed(first)
            if place != completed(second):
                continue
            is_known = is_once(context, first.value)
            if is_known is False or not (is_known or are_sure(first, second)):
                continue
            if Guards(methods).follows(inner, branch, first, second):
                yield Twice(first, second, place, bool(is_known))


_Found = tuple[ast.Attribute, ast.Attribute, list[ast.stmt]]
"""Two places that complete something, and the block that the first one stands in."""


def _on_paths(function: FunctionNode) -> Iterator[_Found]:
    for block in blocks_of(function):
        yield from _in_block(block)


def _in_block(block: list[ast.stmt]) -> Iterator[_Found]:
    for position, statement in enumerate(block):
        attempt = as_try(statement)
        if isinstance(statement, ast.If) and not statement.orelse:
            bodies = [statement.body]
        elif attempt is not None:
            yield from _in_try(attempt)
            bodies = [each.body for each in attempt.handlers]
        else:
            continue
        for body in bodies:
            for first in filter(None, map(completion, body)):
                following = filter(None, map(completion, block[position + 1 :]))
                same = (each for each in following if completed(each) == completed(first))
                yield from ((first, second, body) for second in list(same)[:1])


def _in_try(attempt: ast.Try) -> Iterator[_Found]:
    """`try: d.callback(x); more()` whose handler calls `d.errback()`, or whose `finally` does."""
    for last in filter(None, map(completion, attempt.finalbody)):
        earlier = filter(None, map(completion, (*attempt.body, *attempt.orelse)))
        first = next((each for each in earlier if completed(each) == completed(last)), None)
        if first is not None:
            yield first, last, attempt.body
            return
    for position, statement in enumerate(attempt.body):
        first = completion(statement)
        if first is None or not _may_fail(attempt.body[position + 1 :]):
            continue
        handling = chain.from_iterable(each.body for each in attempt.handlers)
        found = filter(None, map(completion, handling))
        second = next((each for each in found if completed(each) == completed(first)), None)
        if second is not None:
            yield first, second, attempt.body


def _may_fail(statements: list[ast.stmt]) -> bool:
    """Whether statements do something that a handler is there for; to log is nothing of that."""
    return any(
        isinstance(each, ast.Await) or (isinstance(each, ast.Call) and not is_named_log(each.func))
        for each in own_nodes(statements)
    )


# A timer and something else


@dataclass(frozen=True, slots=True)
class _Way:
    """How something is completed by what a function hands over."""

    node: ast.Attribute
    by: ast.AST
    """What is called for it: an inner function, a lambda, or what completes it itself."""
    site: Site | None
    """The place that completes it; None where no function of this code looks before."""

    @property
    def text(self) -> str:
        """What `by` is called where it is handed over."""
        return self.by.name if isinstance(self.by, FunctionNode) else ast.unparse(self.by)


def by_timer(context: TreeContext, function: FunctionNode) -> Iterator[Twice]:
    """What a function makes, and hands both to a timer that nobody stops and to something else."""
    nodes = list(all_nodes(function))
    made = new_in(context, function, context.unit.scopes[function], makes)
    for name in dict.fromkeys(each.id for each, _ in made if isinstance(each, ast.Name)):
        if is_careful(nodes, name) or _takes_out(nodes):
            continue
        ends = (each for each in nodes if completed(each) == name)
        ways = [_way(context, nodes, each) for each in in_source_order(ends)]
        later = [each for each in ways if each.by is not function]
        timed = [each for each in later if _is_timed(context, nodes, each)]
        unguarded = _unguarded(timed, [each for each in later if each not in timed])
        if unguarded is not None:
            yield Twice(unguarded[0].node, unguarded[1].node, name)


def _unguarded(ways: list[_Way], others: list[_Way]) -> tuple[_Way, _Way] | None:
    """The first two ways of which neither is barred by the other."""
    both = ((first, second) for first in ways for second in others)
    return next((each for each in both if not _are_guarded(*each)), None)


def by_bare_timer(
    context: TreeContext, methods: Methods, function: FunctionNode
) -> Iterator[Twice]:
    """What a function keeps for another method to complete, and hands to a timer as well.

    self.waiting[key] = d
    reactor.callLater(5, d.errback, late)   # It comes, whoever has called `d.callback`.
    """
    for call in body_nodes(function):
        if not isinstance(call, ast.Call) or not isinstance(context.parent(call), ast.Expr):
            continue
        match arguments(call)[1:2]:
            case [ast.Attribute(ast.Name(name)) as firing] if completed(firing):
                pass
            case _:
                continue
        places = _kept_as(function, name) if is_timer(context, call) else set()
        for method in methods.values() if places and is_once(context, firing.value) else ():
            found = in_source_order(
                each
                for each in all_nodes(method)
                if method is not function
                and not places.isdisjoint({held_in(method, each), *_popped(method, each)})
            )
            if found:
                assert isinstance(found[0], ast.Attribute)
                yield Twice(firing, found[0], name)
                break


def _popped(method: FunctionNode, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Attribute):
        yield popped_from(method, node)


def _kept_as(function: FunctionNode, name: str) -> set[str]:
    """The attributes that a function keeps a local name in: `self.waiting[key] = d`."""
    found: set[str] = set()
    for node in body_nodes(function):
        match node:
            case ast.Assign(targets, value):
                texts = {ast.unparse(each) for each in (*targets, value)}
                kept = (each.value if isinstance(each, ast.Subscript) else each for each in targets)
                if name in texts:
                    found |= {ast.unparse(e) for e in kept if not isinstance(e, ast.Name)}
    return found - {""}


def _takes_out(nodes: list[ast.AST]) -> bool:
    """Whether something is taken out of where it is found, as what is to be completed may be."""
    return any(
        isinstance(each, ast.Attribute) and each.attr in REMOVERS - {"clear"} for each in nodes
    )


def _way(context: TreeContext, nodes: list[ast.AST], node: ast.AST) -> _Way:
    assert isinstance(node, ast.Attribute)
    around = context.function_of(node) or context.unit.node
    taker = context.taker(node)
    if taker is None:
        site = Site(around, node) if isinstance(around, FunctionNode) else None
        return _Way(node, around, site)
    is_delayed = is_timer(context, taker) and node in taker.args[2:]
    made = call_made_of(taker, taker.args[1]) if is_delayed else taker
    helper = _inner(nodes, made.func)
    called = _called_parameter(helper, made, node) if helper else None
    if helper is None or called is None:
        return _Way(node, node, None)
    # `settle(d.callback, value)`, which is called here and now, or by a timer.
    return _Way(node, helper if is_delayed else around, Site(helper, called))


def _inner(nodes: list[ast.AST], named: ast.expr) -> FunctionNode | None:
    """The function inside another one that a name means."""
    found = (each for each in nodes if isinstance(each, FunctionNode))
    return next((each for each in found if each.name == getattr(named, "id", "")), None)


def _called_parameter(
    function: FunctionNode, made: ast.Call, argument: ast.expr
) -> ast.expr | None:
    """Where a function calls what a call passes to it."""
    given = pairs(made, written_parameters(function))
    names = {parameter.name for parameter, value in given if value is argument}
    calls = body_nodes(function, ast.Call)
    return next((each.func for each in calls if getattr(each.func, "id", "") in names), None)


def _is_timed(context: TreeContext, nodes: list[ast.AST], way: _Way) -> bool:
    """Whether a timer that nobody can stop calls something, which is a function or a lambda, too.

    `reactor.callLater(5, d.errback, late)`
    """
    return any(
        isinstance(each, ast.Call)
        and isinstance(context.parent(each), ast.Expr)
        and is_timer(context, each)
        and any(_means(given, way) for given in arguments(each)[1:2])
        for each in nodes
    )


def _means(given: ast.expr, way: _Way) -> bool:
    return given is way.by or (
        isinstance(way.by, FunctionNode) and getattr(given, "id", "") == way.by.name
    )


def is_timer(context: TreeContext, call: ast.Call) -> bool:
    """`reactor.callLater(...)`, `loop.call_later(...)`."""
    return last_name(call.func) in DELAYERS and context.file.may_play(call.func, _TIMERS)


def _are_guarded(first: _Way, second: _Way) -> bool:
    """Whether each of two ways is barred where the other has been gone."""
    return _bars(first, second) and _bars(second, first)


def _bars(first: _Way, second: _Way) -> bool:
    if first.site is None:
        return False
    # `event.remove(answered)`: it is not called any more.
    if any(
        ast.unparse(given) == second.text
        for each in body_nodes(first.site.function, ast.Call)
        for given in arguments(each)
    ):
        return True
    return second.site is not None and Guards().bars(first.site, second.site)


# Two methods of a class, of which one comes last, or after a time


def at_end_too(context: TreeContext, methods: Methods, end: FunctionNode) -> Iterator[Twice]:
    """What the end of a connection fires, which always comes, and another method, too."""
    for second in filter(None, map(completion, end.body)):
        place = completed(second)
        if holder(second) != place or not is_careless(methods, end, place):
            continue
        for first, method in _others(methods, end, place):
            is_barred = Guards(methods).bars(Site(method, first), Site(end, second))
            if not is_barred and is_once(context, second.value):
                yield Twice(first, second, place)
                break


def by_timed_method(
    context: TreeContext, methods: Methods, method: FunctionNode
) -> Iterator[Twice]:
    """What a method fires that a timer calls, and another method, too."""
    found = in_source_order(each for each in all_nodes(method) if held_in(method, each))
    if not found or not _is_given_to_timer(context, methods, method.name):
        return
    for first in found:
        assert isinstance(first, ast.Attribute)
        place = held_in(method, first)
        if not is_careless(methods, method, place):
            continue
        guards, site = Guards(methods), Site(method, first)
        for second, other in _others(methods, method, place):
            sites = site, Site(other, second)
            is_guarded = guards.bars(*sites) and guards.bars(*reversed(sites))
            if not is_guarded and is_once(context, first.value):
                yield Twice(first, second, place)
                break


def _others(
    methods: Methods, method: FunctionNode, place: str
) -> Iterator[tuple[ast.Attribute, FunctionNode]]:
    """Where other methods complete what a place is, or holds, without a look at it."""
    for other in methods.values():
        if other is not method and is_careless(methods, other, place):
            nodes = all_nodes(other)
            found = in_source_order(each for each in nodes if held_in(other, each) == place)
            for each in found[:1]:
                assert isinstance(each, ast.Attribute)
                yield each, other


def _is_given_to_timer(context: TreeContext, methods: Methods, name: str) -> bool:
    """Whether a method of the class hands a method of this name to a timer."""
    return any(
        isinstance(each, ast.Attribute) and each.attr == name
        for method in methods.values()
        for call in all_nodes(method, ast.Call)
        if is_timer(context, call)
        for each in call.args
    )
