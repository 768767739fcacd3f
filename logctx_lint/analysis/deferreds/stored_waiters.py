"""Deferreds and Futures that a class stores for its waiters and does not complete at its end.

def call(self, name):
    d = self.pending[name] = Deferred()
    self.sendLine(name)
    return d

def connectionLost(self, reason):
    self.pending.clear()            # Whoever waits, waits forever.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.analysis.deferreds.answering_readers import is_answered_by_reader
from logctx_lint.analysis.deferreds.completions import is_own
from logctx_lint.analysis.kept_places import local_values
from logctx_lint.analysis.own_class import class_node
from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import ADDERS
from logctx_lint.inference.types import ClassObject, Kind
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Class
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    is_name,
    last_name,
    mentions_attribute,
    own_attribute,
    own_nodes,
    own_place,
    parents_of,
)

_ENDS = frozenset({Role.CONNECTION_END})
_CLOSING = frozenset({Role.SERVICE_END})
_OF_PROTOCOLS = _ENDS | {Role.PROTOCOL_EVENT}
_SENDING = frozenset({Role.MESSAGE_SENDER})
_ADDING = ADDERS | {"setdefault"}
_FAILING = frozenset({"errback", "cancel", "set_exception", "chainDeferred"})
_WITH_TIME_LIMIT = frozenset({"addTimeout", "callLater", "call_later", "timeout", "wait_for"})


@dataclass(frozen=True, slots=True)
class StoredWaiter:
    """A place that is filled with what others wait for, and not completed at the end."""

    statement: ast.stmt
    attribute: str
    end: ast.AST | None
    """The method that ends the connection, if there is one."""
    is_dropped: bool
    """That method throws away what is kept there."""


def left_waiters(context: TreeContext) -> Iterator[StoredWaiter]:
    """Those that the method which a unit is puts away."""
    method, owner, cls = context.unit.node, context.unit.scope.owner, class_node(context)
    if not isinstance(method, FunctionNode) or owner is None or not isinstance(cls, ast.ClassDef):
        return
    methods = _methods(context, owner, cls)
    stored = _stored(context, method)
    if not stored or any(_has_limit(each) for each in _reached(methods, [method])):
        return
    vocabulary = context.file.vocabulary
    sends = any(_is_sending(vocabulary, each) for each in body_nodes(method))
    is_protocol = bool(_playing(vocabulary, methods, _OF_PROTOCOLS))
    ends = _playing(vocabulary, methods, _ENDS if is_protocol else _CLOSING)
    for attribute, statement in stored.items():
        is_left = _is_left_to_class(context, cls, method, attribute)
        if not is_left or _is_failed(context, owner, methods, attribute):
            continue
        handling, dropping = _at_end(_reached(methods, ends), attribute)
        if handling:
            continue
        # Only what the other side is to answer is lost with the connection. A client that is
        # closed may be opened again; what is thrown away then is lost for sure. Where the end
        # fails others that wait, these have been forgotten.
        by_reader = is_answered_by_reader(methods, attribute) and not _waits_for_more(method)
        is_forgotten = _fails_any(ends) and _is_answered(vocabulary, methods, attribute)
        if (is_protocol and (sends or is_forgotten)) or dropping or by_reader:
            yield StoredWaiter(statement, attribute, ends[0] if ends else None, dropping)


def _waits_for_more(method: FunctionNode) -> bool:
    """Whether a method may wait for something else as well: `asyncio.wait([reply, self.task])`."""
    return any(
        isinstance(each, ast.Attribute) and each.attr == "wait" for each in all_nodes(method)
    )


def _is_left_to_class(
    context: TreeContext, cls: ast.ClassDef, method: FunctionNode, attribute: str
) -> bool:
    """Whether only the class can complete what a method is the first to store for its waiters."""
    return (
        _first_to_fill(context, cls, attribute) is method
        and _is_waited_for(cls, method, attribute)
        and not _is_used_by_others(context, attribute)
    )


def _is_failed(
    context: TreeContext, owner: Class, methods: dict[str, list[ast.AST]], attribute: str
) -> bool:
    """Whether a method fails what is kept, or a class below may see to that."""
    return any(_fails_all(tree, attribute) for trees in methods.values() for tree in trees) or any(
        mentions_attribute(tree, attribute) for tree in _below(context, owner)
    )


def _playing(
    vocabulary: Vocabulary, methods: dict[str, list[ast.AST]], roles: frozenset[Role]
) -> list[ast.AST]:
    """The methods whose names have one of these roles."""
    playing = (trees for name, trees in methods.items() if vocabulary.has_bare_name(name, roles))
    return [tree for trees in playing for tree in trees]


def _methods(context: TreeContext, owner: Class, cls: ast.ClassDef) -> dict[str, list[ast.AST]]:
    """The methods of a class and of its bases in the project, by name."""
    found: dict[str, list[ast.AST]] = {}
    for node in cls.body:
        if isinstance(node, FunctionNode):
            found.setdefault(node.name, []).append(node)
    for ancestor, _ in context.resolver.classes.ancestors(owner):
        if ancestor == owner or ancestor.module.is_stub:
            continue
        for method, tree in ancestor.method_trees():
            found.setdefault(method.name, []).append(tree)
    return found


def _below(context: TreeContext, owner: Class) -> Iterator[ast.AST]:
    """The methods of the classes that inherit a class."""
    for cls in context.resolver.references.subclasses(owner):
        yield from (tree for _, tree in cls.method_trees())


def _stored(context: TreeContext, method: FunctionNode) -> dict[str, ast.stmt]:
    """The attributes of `self` that a method puts something new to wait for into, and where."""
    made: set[str] = set()
    found: dict[str, ast.stmt] = {}
    statements = (each for each in body_nodes(method) if isinstance(each, ast.stmt))
    for statement in in_source_order(statements):
        value = getattr(statement, "value", None)
        targets = _filled(value if isinstance(statement, ast.Expr) else statement)
        if not targets or not isinstance(value, ast.expr) or not _holds_new(context, value, made):
            continue
        if not isinstance(statement, ast.Expr) and isinstance(value, ast.Call):
            made |= {each.id for each in targets if isinstance(each, ast.Name)}
        for target in targets:
            attribute = own_place(target)
            if attribute:
                found.setdefault(attribute, statement)
    return found


def _holds_new(context: TreeContext, value: ast.expr, made: set[str]) -> bool:
    return any(
        (isinstance(each, ast.Name) and each.id in made)
        or (isinstance(each, ast.Call) and _is_new(context, each))
        for each in own_nodes([value])
    )


def _is_new(context: TreeContext, call: ast.Call) -> bool:
    """`Deferred()`, `loop.create_future()`."""
    answer = context.awaitability(call)
    if not answer.is_certain or answer.kind not in (Kind.DEFERRED, Kind.FUTURE):
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return name == "create_future" or isinstance(context.type_of(call.func), ClassObject)


def _first_to_fill(context: TreeContext, cls: ast.ClassDef, attribute: str) -> ast.stmt | None:
    """The method of a class that fills a place first, so that it is reported once."""
    for node in cls.body:
        if isinstance(node, FunctionNode) and node.name != "__init__":
            fills = (
                own_place(target) == attribute
                for each in body_nodes(node)
                for target in _filled(each)
            )
            if any(fills):
                return node
    return None


def _filled(node: ast.AST | None) -> list[ast.expr]:
    match node:
        case ast.Assign(targets):
            return targets
        case ast.AnnAssign(target):
            return [target]
        case ast.Call(ast.Attribute(place, name)) if name in _ADDING:
            return [place]
    return []


def _is_waited_for(cls: ast.ClassDef, method: FunctionNode, attribute: str) -> bool:
    """Whether the method gives away, or waits for, what it stores; or others do."""
    given = {each for function in cls.body for each in _given_or_awaited(function)}
    if any(own_attribute(each) == attribute for each in given):
        return True
    parts = {part for each in _given_or_awaited(method) for part in own_nodes([each])}
    return any(isinstance(each, ast.Name) and each.id in local_values(method) for each in parts)


def _given_or_awaited(function: ast.stmt) -> Iterator[ast.expr]:
    """What a method returns, yields or awaits."""
    for each in body_nodes(function) if isinstance(function, FunctionNode) else ():
        if isinstance(each, ast.Return | ast.Await | ast.Yield) and each.value is not None:
            yield each.value


def _has_limit(method: ast.AST) -> bool:
    """Whether something ends the wait in time."""
    return any(last_name(each) in _WITH_TIME_LIMIT for each in all_nodes(method))


def _is_used_by_others(context: TreeContext, attribute: str) -> bool:
    """Whether code of the file gets at the attribute of an object that is not `self`."""
    return any(
        each.attr == attribute and not is_name(each.value, "self")
        for each in all_nodes(context.file.tree, ast.Attribute)
    )


def _reached(methods: dict[str, list[ast.AST]], starts: list[ast.AST]) -> list[ast.AST]:
    """Some methods, and those that they mention in turn."""
    found = list(starts)
    for node in found:
        for each in all_nodes(node):
            match each:
                case ast.Attribute(ast.Name("self"), name) if name in methods:
                    found += [tree for tree in methods[name] if tree not in found]
    return found


def _is_sending(vocabulary: Vocabulary, node: ast.AST) -> bool:
    """`self.transport.write(x)`, `self.sendLine(x)`."""
    match node:
        case ast.Call(ast.Attribute(receiver, name)):
            return vocabulary.has_bare_name(name.lstrip("_"), _SENDING) and is_own(receiver)
    return False


def _fails_all(tree: ast.AST, attribute: str) -> bool:
    """Whether a method fails what is kept, be it one, or each in a loop."""
    nodes = list(all_nodes(tree))
    fails = any(isinstance(each, ast.Attribute) and each.attr in _FAILING for each in nodes)
    if not fails:
        return False
    for each in nodes:
        match each:
            case ast.Attribute(ast.Attribute(ast.Name("self"), name), method):
                if name == attribute and method in _FAILING:
                    return True
            case ast.For(iter=looped) | ast.comprehension(iter=looped):
                if mentions_attribute(looped, attribute):
                    return True
            case ast.While(test) if mentions_attribute(test, attribute):
                return True
            case ast.Assign(_, value) if _swaps(value, attribute):
                return True
    return False


def _is_answered(vocabulary: Vocabulary, methods: dict[str, list[ast.AST]], attribute: str) -> bool:
    """Whether what comes from the other side leads to what is kept: `recordReceived(record)`."""
    events = _playing(vocabulary, methods, frozenset({Role.PROTOCOL_EVENT}))
    events += [each for name in methods if name.endswith("Received") for each in methods[name]]
    return any(mentions_attribute(tree, attribute) for tree in _reached(methods, events))


def _fails_any(ends: list[ast.AST]) -> bool:
    """Whether the end of a connection fails something that is waited for."""
    return any(
        isinstance(each, ast.Attribute) and each.attr in _FAILING - {"cancel"}
        for tree in ends
        for each in all_nodes(tree)
    )


def _swaps(value: ast.expr, attribute: str) -> bool:
    """`waiters, self.A = self.A, []`."""
    values = value.elts if isinstance(value, ast.Tuple) else [value]
    return any(isinstance(each, ast.Attribute) and each.attr == attribute for each in values)


def _at_end(trees: list[ast.AST], attribute: str) -> tuple[bool, bool]:
    """Whether the end of a connection does something with what is kept; whether it drops it."""
    dropping = False
    for tree in trees:
        parents = parents_of(tree)
        for each in all_nodes(tree):
            if isinstance(each, ast.Attribute) and each.attr == attribute:
                if not _is_drop(each, parents):
                    return True, False
                dropping = True
    return False, dropping


def _is_drop(place: ast.Attribute, parents: dict[ast.AST, ast.AST]) -> bool:
    """`self.A.clear()`, `self.A = {}`, `del self.A`."""
    parent = parents.get(place)
    match parent:
        case ast.Attribute(_, "clear"):
            return True
        case ast.Assign([target], value) | ast.AnnAssign(target, _, value):
            is_new = isinstance(value, ast.Constant | ast.Dict | ast.List | ast.Set | ast.Call)
            return target is place and is_new
        case ast.Delete():
            return True
    return False
