"""Deferreds and Futures that two places of one function, or of one class, fire.

d = Deferred()                              def dataReceived(self, data):
reactor.callLater(5, d.errback, late)           self.done.callback(data)
listen(d.callback)  # The timer comes, too.
                                            def connectionLost(self, reason):
                                                self.done.errback(reason)
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext, arguments, as_try, in_source_order
from logctx_lint.analysis.shields import is_shield
from logctx_lint.analysis.started_tasks import class_node
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, last_name, own_nodes

FIRING = frozenset({"callback", "errback", "set_result", "set_exception"})
_SURE = frozenset({"errback", "set_exception"})
"""Methods that nothing else has."""
_ASKING = frozenset(
    {"called", "done", "cancelled", "cancel", "active", "pop", "addTimeout", "discard", "remove"}
)
_LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_TIMERS = frozenset({Role.CALLBACK_TAKER})
_DELAYS = frozenset({"callLater", "call_later", "call_at"})
_ENDING = frozenset({"cancel", "cancelled", "done", "shield", "add_done_callback"})
"""Attributes by which code sees to a timer, or to what becomes of a Future."""
_LIMITS = frozenset({"wait_for", "timeout", "timeout_at"})


@dataclass(frozen=True, slots=True)
class Twice:
    """Two places that fire the same thing."""

    first: ast.expr
    second: ast.expr
    place: str


def fired(node: ast.AST) -> str:
    """The text of what an expression fires, or is the firing of: `d` of `d.callback`."""
    match node:
        case ast.Attribute(receiver, name) if name in FIRING:
            return ast.unparse(receiver)
    return ""


def is_careful(nodes: Iterable[ast.AST], place: str = "") -> bool:
    """Whether code looks whether something was fired, takes it away or stops a timer."""
    return any(
        isinstance(each, ast.Attribute) and each.attr in _ASKING and ast.unparse(each) != place
        for each in nodes
    )


def _fires(statement: ast.stmt) -> ast.Attribute | None:
    match statement:
        case ast.Expr(ast.Call(ast.Attribute() as func)) if fired(func):
            return func
    return None


# On one path of a function


def on_one_path(function: FunctionNode) -> Iterator[Twice]:
    """`if failed: d.errback(e)`, without `return`, and then `d.callback(x)`."""
    for node in all_nodes(function):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and isinstance(node, ast.stmt | ast.ExceptHandler):
                yield from _in_block(block)
        attempt = as_try(node)
        if attempt is not None:
            yield from _in_try(attempt)


def _in_block(block: list[ast.stmt]) -> Iterator[Twice]:
    for position, statement in enumerate(block):
        attempt = as_try(statement)
        if isinstance(statement, ast.If) and not statement.orelse:
            bodies = [statement.body]
        elif attempt is not None:
            bodies = [each.body for each in attempt.handlers]
        else:
            continue
        for body in bodies:
            if not any(isinstance(each, _LEAVING) for each in own_nodes(body)):
                yield from _twice(statement, body, block[position + 1 :])


def _twice(whole: ast.stmt, body: list[ast.stmt], following: list[ast.stmt]) -> Iterator[Twice]:
    """What a body fires, and the statements behind it, too, which it goes on to."""
    for first in filter(None, map(_fires, body)):
        if isinstance(whole, ast.If) and is_careful(all_nodes(whole), fired(first)):
            continue
        for each in following:
            if _rebinds(each, fired(first)) or isinstance(each, _LEAVING):
                break
            second = _fires(each)
            if second and fired(second) == fired(first) and _are_sure(first, second):
                yield Twice(first, second, fired(first))
                break


def _rebinds(statement: ast.stmt, place: str) -> bool:
    return isinstance(statement, ast.Assign) and any(
        ast.unparse(target) == place for target in statement.targets
    )


def _are_sure(first: ast.Attribute, second: ast.Attribute) -> bool:
    """Whether only a Deferred, or a Future, has both of these methods."""
    both = {first.attr, second.attr}
    return bool(both & _SURE) or both == {"set_result"}


def _in_try(attempt: ast.Try) -> Iterator[Twice]:
    """`try: d.callback(x); more()` whose handler calls `d.errback()`, or whose `finally` does."""
    for last in filter(None, map(_fires, attempt.finalbody)):
        fires = (_fires(each) for each in (*attempt.body, *attempt.orelse))
        for earlier in filter(None, fires):
            if fired(earlier) == fired(last) and _are_sure(earlier, last):
                yield Twice(earlier, last, fired(last))
                return
    for position, statement in enumerate(attempt.body):
        first = _fires(statement)
        rest = attempt.body[position + 1 :]
        if first is None or not any(
            isinstance(each, ast.Call | ast.Await) for each in own_nodes(rest)
        ):
            continue
        if any(isinstance(each, _LEAVING) for each in rest[:1]):
            continue
        for handler in attempt.handlers:
            if is_careful(own_nodes(handler.body), fired(first)):
                continue
            for answer in handler.body:
                second = _fires(answer)
                if second and fired(second) == fired(first) and _are_sure(first, second):
                    yield Twice(first, second, fired(first))


# A timer and something else


def by_timer(context: TreeContext, function: FunctionNode) -> Iterator[Twice]:
    """What a function makes, and hands both to a timer that nobody stops and to something else."""
    nodes = list(all_nodes(function))
    if is_careful(nodes):
        return
    made = [
        (target.id, node)
        for node in own_nodes(function.body)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and _is_made(context, node.value)
    ]
    inner = [each for each in nodes if isinstance(each, FunctionNode) and each is not function]
    for name, _ in made:
        timed: list[ast.expr] = []
        others: list[ast.expr] = []
        for node in nodes:
            if fired(node) != name or not isinstance(node, ast.Attribute):
                continue
            around = next((each for each in inner if node in set(all_nodes(each))), None)
            is_timed = _is_given_to_timer(context, node) or (
                around is not None and _is_named_by_timer(context, nodes, around.name)
            )
            if is_timed:
                timed.append(node)
            elif around is not None or context.taker(node) is not None or _in_lambda(context, node):
                others.append(node)
        if timed and others:
            yield Twice(in_source_order(timed)[0], in_source_order(others)[0], name)


def _is_made(context: TreeContext, value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and (
        bool(_MAKERS & set(context.names(value)))
        or (isinstance(value.func, ast.Attribute) and value.func.attr == "create_future")
    )


_MAKERS = frozenset({"twisted.internet.defer.Deferred", "asyncio.Future", "asyncio.futures.Future"})


def _is_given_to_timer(context: TreeContext, node: ast.Attribute) -> bool:
    """`reactor.callLater(5, d.errback, late)`, whose handle nobody keeps; or in a lambda there."""
    outer: ast.AST = node
    for each in context.around(node):
        if isinstance(each, ast.Lambda):
            outer = each
        if isinstance(each, ast.stmt):
            break
    call = context.taker(outer)
    return call is not None and _is_dropped_timer(context, call)


def _is_named_by_timer(context: TreeContext, nodes: list[ast.AST], name: str) -> bool:
    return any(
        isinstance(each, ast.Call)
        and any(isinstance(given, ast.Name) and given.id == name for given in arguments(each))
        and _is_dropped_timer(context, each)
        for each in nodes
    )


def is_timer(context: TreeContext, call: ast.Call) -> bool:
    """`reactor.callLater(...)`, `loop.call_later(...)`."""
    return last_name(call.func) in _DELAYS and context.file.may_play(call.func, _TIMERS)


def _is_dropped_timer(context: TreeContext, call: ast.Call) -> bool:
    return isinstance(context.parent(call), ast.Expr) and is_timer(context, call)


def _in_lambda(context: TreeContext, node: ast.AST) -> bool:
    return any(isinstance(each, ast.Lambda) for each in context.around(node))


# A timer, and a wait that may be cancelled before


def after_the_wait(
    context: TreeContext, function: ast.AsyncFunctionDef
) -> Iterator[tuple[ast.Call, ast.Await, ast.expr]]:
    """A timer that sets the Future that a function waits for, also where that was cancelled.

    What is yielded is the timer, the waiting, and where the Future is set.
    """
    nodes = list(all_nodes(function))
    if any(isinstance(each, ast.Attribute) and each.attr in _ENDING for each in nodes):
        return
    made = {
        ast.unparse(target)
        for node in own_nodes(function.body)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name | ast.Attribute) and _is_future(context, node.value)
    }
    waits = {
        ast.unparse(node.value): node
        for node in own_nodes(function.body)
        if isinstance(node, ast.Await)
    }
    for node in own_nodes(function.body):
        if isinstance(node, ast.Call) and is_timer(context, node):
            for given in arguments(node):
                firing = next(_set_when_called(context, function, given, made), None)
                waiting = waits.get(fired(firing)) if firing is not None else None
                if firing is not None and waiting is not None:
                    yield node, waiting, firing
                    break


def _is_future(context: TreeContext, value: ast.expr) -> bool:
    return _is_made(context, value) and "twisted" not in "".join(
        context.names(value) if isinstance(value, ast.Call) else ()
    )


def _set_when_called(
    context: TreeContext, function: FunctionNode, callback: ast.expr, places: set[str]
) -> Iterator[ast.expr]:
    """Where a callback sets one of some places, and does not look whether it may."""
    if fired(callback) in places:
        yield callback
    tree = _callback(context, function, callback)
    ways = 2
    while tree is not None and ways:
        nodes = list(all_nodes(tree))
        if is_careful(nodes) or any(as_try(each) for each in nodes):
            return
        yield from (
            each for each in nodes if isinstance(each, ast.Attribute) and fired(each) in places
        )
        # `def on_timer(self): self.finish(None)`
        own = [
            each.func
            for each in nodes
            if isinstance(each, ast.Call)
            and isinstance(each.func, ast.Attribute)
            and isinstance(each.func.value, ast.Name)
            and each.func.value.id == "self"
        ]
        found = [each for func in own if (each := _callback(context, function, func))]
        tree = found[0] if len(found) == 1 else None
        ways -= 1


def _callback(
    context: TreeContext, function: FunctionNode, callback: ast.expr
) -> FunctionNode | ast.Lambda | None:
    """The tree of a lambda, of a function inside of another one or of a method of its class."""
    match callback:
        case ast.Lambda():
            return callback
        case ast.Name(name):
            inside: Iterable[ast.AST] = all_nodes(function)
        case ast.Attribute(ast.Name("self"), name):
            cls = class_node(context)
            inside = cls.body if cls else ()
        case _:
            return None
    found = [each for each in inside if isinstance(each, FunctionNode) and each.name == name]
    return found[0] if len(found) == 1 else None


# An event of a connection, and its end


def at_end_too(
    cls: ast.ClassDef,
    end: FunctionNode,
    is_careless: Callable[[FunctionNode, str], bool],
) -> Iterator[Twice]:
    """What the end of a connection fires, which always comes, and another method, too."""
    for statement in end.body:
        second = _fires(statement)
        place = fired(second) if second else ""
        if second is None or not place.startswith("self.") or not is_careless(end, place):
            continue
        for method in cls.body:
            if not isinstance(method, FunctionNode) or method is end:
                continue
            if not is_careless(method, place):
                continue
            first = next((each for each in all_nodes(method) if fired(each) == place), None)
            if isinstance(first, ast.Attribute) and _are_sure(first, second):
                yield Twice(first, second, place)
                break


# A wait in time, and an answer that comes late


def late_answers(context: TreeContext, cls: ast.ClassDef, method: FunctionNode) -> Iterator[Twice]:
    """What a method waits for with a time limit, which cancels it, and leaves where it was kept."""
    for node in own_nodes(method.body):
        match node:
            case ast.Assign(targets, _):
                places = [
                    each.value if isinstance(each, ast.Subscript) else each
                    for each in targets
                    if isinstance(each, ast.Subscript) or _is_new_future(each, node.value)
                ]
            case _:
                continue
        for kept in places:
            place = ast.unparse(kept)
            names = {each.id for each in targets if isinstance(each, ast.Name)}
            if isinstance(node.value, ast.Name):
                names.add(node.value.id)
            if kept in targets:
                names.add(place)
            limited = _limited(method, names)
            if not place.startswith("self.") or limited is None:
                continue
            if _takes_out(context, method, place):
                continue
            answered = _answered(cls, method, place)
            if answered is not None:
                yield Twice(limited, answered, place)


def _is_new_future(target: ast.expr, value: ast.expr) -> bool:
    """`self.answer = loop.create_future()`"""
    return (
        isinstance(target, ast.Attribute)
        and isinstance(value, ast.Call)
        and last_name(value.func) in ("create_future", "Future")
    )


def _limited(method: FunctionNode, names: set[str]) -> ast.expr | None:
    """Where a method waits for one of some local names with a time limit."""
    for node in own_nodes(method.body):
        match node:
            case ast.Await(ast.Call(func, [waited, *_])) if ast.unparse(waited) in names:
                if last_name(func) in _LIMITS:
                    return node
            case ast.AsyncWith(items, body) if any(
                isinstance(item.context_expr, ast.Call)
                and last_name(item.context_expr.func) in _LIMITS
                for item in items
            ):
                for inner in own_nodes(body):
                    match inner:
                        case ast.Await(waited) if ast.unparse(waited) in names:
                            return inner
    return None


def _limits(item: ast.withitem) -> bool:
    call = item.context_expr
    return isinstance(call, ast.Call) and last_name(call.func) in _LIMITS


def _takes_out(context: TreeContext, method: FunctionNode, place: str) -> bool:
    """Whether a method itself takes something out of where it is kept, or keeps it alive."""
    return any(
        (isinstance(each, ast.Delete) and place in ast.unparse(each))
        or (
            isinstance(each, ast.Attribute)
            and each.attr in ("pop", "clear", "discard", "remove")
            and ast.unparse(each.value) == place
        )
        or (isinstance(each, ast.Attribute) and each.attr == "add_done_callback")
        or is_shield(context, each)
        or (isinstance(each, ast.Assign) and _forgets(each, place))
        for each in own_nodes(method.body)
    )


def _forgets(statement: ast.Assign, place: str) -> bool:
    """`self.answer = None`"""
    return isinstance(statement.value, ast.Constant) and any(
        ast.unparse(each) == place for each in statement.targets
    )


def _answered(cls: ast.ClassDef, waiting: FunctionNode, place: str) -> ast.expr | None:
    """Where another method gives a result to what is kept there, whatever became of it."""
    for method in cls.body:
        if not isinstance(method, FunctionNode) or method is waiting:
            continue
        nodes = list(all_nodes(method))
        if any(
            isinstance(each, ast.Attribute) and each.attr in ("done", "cancelled") for each in nodes
        ) or any(as_try(each) for each in nodes):
            continue
        for each in nodes:
            match each:
                case ast.Attribute(ast.Subscript(kept), name) if name in FIRING:
                    pass
                case ast.Attribute(ast.Call(ast.Attribute(kept, "pop")), name) if name in FIRING:
                    pass
                case ast.Attribute(ast.Attribute(ast.Name("self")) as kept, name) if name in FIRING:
                    pass
                case _:
                    continue
            if ast.unparse(kept) == place:
                return each
    return None
