"""Changes of state that outlives the function, and the statements that undo them.

self.active.add(job)         # undone by `self.active.discard(job)`
self.waiting[key] = future   # `del self.waiting[key]`, `self.waiting.pop(key)`
self.busy = True             # `self.busy = False`
self.count += 1              # `self.count -= 1`
await self.slots.acquire()   # `self.slots.release()`
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.context import arguments
from logctx_lint.inference.use_def import Scope
from logctx_lint.syntax.ast_walk import body_nodes, child_blocks, own_nodes

_ADDING = frozenset({"add", "append", "appendleft"})
_REMOVING = frozenset({"remove", "discard"})
_LEAVING = (ast.Return, ast.Raise, ast.Continue)
_OPPOSITE: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}


@dataclass(frozen=True, slots=True)
class Change:
    """A change of something, or the undoing of one: both look alike."""

    place: str
    """The text of what is changed: `self.active`, `self.waiting[key]`."""
    kind: str
    detail: str = ""
    """What is added, set or taken, where only the same may undo it."""


def changes(statement: ast.stmt) -> Iterator[Change]:
    """What a statement itself changes."""
    match statement:
        case ast.Assign([target], value):
            if isinstance(target, ast.Subscript):
                yield Change(ast.unparse(target), "item")
            elif isinstance(value, ast.Constant) and isinstance(value.value, bool):
                yield Change(ast.unparse(target), "flag", str(value.value))
        case ast.AugAssign(target, operator, value) if type(operator) in _OPPOSITE:
            yield Change(ast.unparse(target), type(operator).__name__, ast.unparse(value))
    call = called(statement)
    match call:
        case ast.Call(ast.Attribute(receiver, name), [added]) if name in _ADDING:
            yield Change(ast.unparse(receiver), "member", ast.unparse(added))
        case ast.Call(ast.Attribute(receiver, "setdefault"), [key, *_]):
            yield Change(f"{ast.unparse(receiver)}[{ast.unparse(key)}]", "item")
        case ast.Call(ast.Attribute(receiver, "acquire"), [] | [_]):
            yield Change(ast.unparse(receiver), "lock")


def undone(statement: ast.stmt) -> Iterator[Change]:
    """The changes that a statement undoes, if they were made before."""
    match statement:
        case ast.Delete(targets):
            for target in targets:
                if isinstance(target, ast.Subscript):
                    yield Change(ast.unparse(target), "item")
        case ast.Assign([target], ast.Constant(bool() as value)):
            yield Change(ast.unparse(target), "flag", str(not value))
        case ast.AugAssign(target, operator, value) if type(operator) in _OPPOSITE:
            yield Change(
                ast.unparse(target), _OPPOSITE[type(operator)].__name__, ast.unparse(value)
            )
    call = called(statement)
    match call:
        case ast.Call(ast.Attribute(receiver, name), [removed]) if name in _REMOVING:
            yield Change(ast.unparse(receiver), "member", ast.unparse(removed))
        case ast.Call(ast.Attribute(receiver, "pop"), [key, *_]) | ast.Call(
            ast.Attribute(ast.Call(ast.Attribute(receiver, "pop"), [key, *_]))
        ):
            yield Change(f"{ast.unparse(receiver)}[{ast.unparse(key)}]", "item")
        case ast.Call(ast.Attribute(receiver, "release"), [] | [_]):
            yield Change(ast.unparse(receiver), "lock")


def called(statement: ast.stmt) -> ast.Call | None:
    """The call that a statement is, awaited or not, or whose value it binds."""
    value = getattr(statement, "value", None)
    if not isinstance(statement, ast.Expr | ast.Assign) or value is None:
        return None
    value = value.value if isinstance(value, ast.Await) else value
    return value if isinstance(value, ast.Call) else None


def given_back(call: ast.Call) -> list[ast.expr]:
    """What a call that releases something may release: `conn` of `pool.release(conn)`."""
    given: list[ast.expr] = [
        each for each in arguments(call) if isinstance(each, ast.Name | ast.Attribute)
    ]
    if not given and isinstance(call.func, ast.Attribute):
        given.append(call.func.value)
    return given


def undone_in(body: list[ast.stmt]) -> dict[Change, ast.stmt]:
    """What the statements of a block undo, those under conditions too, and where."""
    found: dict[Change, ast.stmt] = {}
    for node in own_nodes(body):
        if isinstance(node, ast.stmt):
            for change in undone(node):
                found.setdefault(change, node)
    return found


def surely_undone_in(body: list[ast.stmt]) -> dict[Change, ast.stmt]:
    """What the statements of a block undo whatever else holds, and where.

    if job in self.active:          # Whether there is anything to undo is no such condition,
        self.active.remove(job)
    if self.closing:                # but this one is.
        self.waiting.pop(key)
    """
    found: dict[Change, ast.stmt] = {}
    for statement in body:
        for change in undone(statement):
            found.setdefault(change, statement)
        if isinstance(statement, ast.If):
            then, otherwise = (surely_undone_in(e) for e in (statement.body, statement.orelse))
            for change, node in (*then.items(), *otherwise.items()):
                if (change in then and change in otherwise) or _asks_for(statement.test, change):
                    found.setdefault(change, node)
        else:
            for block in child_blocks(statement):
                for change, node in surely_undone_in(block).items():
                    found.setdefault(change, node)
    return found


def _asks_for(test: ast.expr, change: Change) -> bool:
    """Whether a condition is about what is changed, or what is put there."""
    place: ast.expr = ast.parse(change.place, mode="eval").body
    about = {change.place, change.detail}
    while isinstance(place, ast.Subscript):
        about.add(ast.unparse(place.slice))
        place = place.value
        about.add(ast.unparse(place))
    return any(
        isinstance(each, ast.Name | ast.Attribute | ast.Subscript) and ast.unparse(each) in about
        for each in own_nodes([test])
    )


def outlives(change: Change, scope: Scope) -> bool:
    """Whether what is changed is there when the function has ended: no local name of its own."""
    root = change.place.partition(".")[0].partition("[")[0].partition("(")[0]
    bindings = scope.bindings.get(root, ())
    return all(each.kind == "parameter" for each in bindings)


def is_refused(body: list[ast.stmt], change: Change, made: ast.stmt) -> bool:
    """Whether a function leaves or waits where it finds the change: `if self.busy: return`, or does
    something only where it does not: `if not self.busy:`."""
    for node in own_nodes(body):
        if not isinstance(node, ast.If | ast.While) or node.lineno >= made.lineno:
            continue
        if isinstance(node, ast.While):
            if _may_find(node.test, change) and made not in body_nodes(node):
                return True
        elif _leaves_where_found(node, change) or (
            _misses(node.test, change) and made in body_nodes(node)
        ):
            return True
    return False


def refuses(body: list[ast.stmt], change: Change) -> bool:
    """Whether another function than the one that makes a change leaves where it finds it, or does
    all that it does only where it does not."""
    last = body[-1]
    return (isinstance(last, ast.If) and _misses(last.test, change)) or any(
        _leaves_where_found(node, change) for node in own_nodes(body, ast.If)
    )


def _leaves_where_found(node: ast.If, change: Change) -> bool:
    return _may_find(node.test, change) and isinstance(node.body[-1], _LEAVING)


def _may_find(test: ast.expr, change: Change) -> bool:
    return any(_finds(each, change) for each in _alternatives(test))


def _misses(test: ast.expr, change: Change) -> bool:
    """Whether a test holds only where a change is not there: `not self.busy`, `x not in jobs`."""
    parts = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    for part in parts:
        match part:
            case ast.UnaryOp(ast.Not(), operand):
                if _finds(operand, change):
                    return True
            case ast.Compare(left, [ast.NotIn()], [container]):
                if _finds(ast.Compare(left, [ast.In()], [container]), change):
                    return True
            case _ if (change.kind, change.detail) == ("flag", "False"):
                if ast.unparse(part) == change.place:
                    return True
    return False


def _alternatives(test: ast.expr) -> list[ast.expr]:
    return test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or) else [test]


def _finds(test: ast.expr, change: Change) -> bool:
    match test:
        case ast.UnaryOp(ast.Not(), operand):
            return (change.kind, change.detail) == ("flag", "False") and (
                ast.unparse(operand) == change.place
            )
        case ast.Compare(left, [ast.In()], [container]):
            place = ast.unparse(container)
            item = f"{place}[{ast.unparse(left)}]"
            is_member = (change.kind, change.place) == ("member", place)
            return (is_member and ast.unparse(left) == change.detail) or (
                (change.kind, change.place) == ("item", item)
            )
    return change.kind == "flag" and change.detail == "True" and ast.unparse(test) == change.place
