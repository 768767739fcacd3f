"""Where awaitables are dropped: what LCX101 and LCX201 divide between them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import libcst as cst

from logctx_lint.project.facts import own_nodes
from logctx_lint.project.modules import Function
from logctx_lint.project.scopes import Scope
from logctx_lint.project.types import CallableType, Kind, members_of
from logctx_lint.rules.context import RuleContext
from logctx_lint.screen import Unit
from logctx_lint.vocabulary import Role

_COMPREHENSIONS = (cst.ListComp, cst.SetComp)
_DRIVEN_ELSEWHERE = frozenset(
    {Role.BACKGROUND_STARTER, Role.TASK_STARTER, Role.DROPPABLE, Role.FIRED}
)
"""Roles of callees whose awaitable may be left alone, or is another rule's business."""


class How(Enum):
    """In which way an awaitable is dropped."""

    PLAIN = "plain"
    BY_HAND = "by hand"
    """Started by `ensureDeferred` or its kin."""
    CHAIN = "chain"
    """With callbacks added."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """One awaitable that nobody will await."""

    call: cst.Call
    """Whose result is dropped; of a chain of callbacks, the call that it begins with."""
    expression: cst.BaseExpression
    """All of the dropped expression: of a chain, the whole chain."""
    kind: Kind
    how: How


def dropped_by(context: RuleContext, node: cst.Expr | cst.Assign) -> Iterator[Dropped]:
    """The awaitables that a statement drops: `f()`, `_ = f()`, `a or f()`, `[f(x) for x in xs]`."""
    if isinstance(node, cst.Assign):
        targets = [target.target for target in node.targets]
        if not all(isinstance(target, cst.Name) and target.value == "_" for target in targets):
            return
    yield from dropped_in(context, node.value)


def dropped_in(context: RuleContext, node: cst.BaseExpression) -> Iterator[Dropped]:
    """The awaitables among the values of an expression whose own value is thrown away."""
    for call in discarded(node):
        found = _dropped(context, call)
        if found:
            yield found


def discarded(node: cst.BaseExpression) -> Iterator[cst.Call]:
    """The calls whose results are thrown away when the value of `node` is."""
    if isinstance(node, cst.Call):
        yield node
    elif isinstance(node, cst.BooleanOperation):
        yield from discarded(node.left)
        yield from discarded(node.right)
    elif isinstance(node, cst.IfExp):
        yield from discarded(node.body)
        yield from discarded(node.orelse)
    elif isinstance(node, _COMPREHENSIONS):
        yield from discarded(node.elt)
    elif isinstance(node, cst.Tuple):
        for element in node.elements:
            yield from discarded(element.value)


def _dropped(context: RuleContext, call: cst.Call) -> Dropped | None:
    answer = context.awaitability(call)
    if not answer.is_certain:
        return None
    root: cst.BaseExpression = call
    how = How.PLAIN
    while isinstance(root, cst.Call) and Role.CHAINER in context.roles(root):
        how = How.CHAIN
        root = root.func.value if isinstance(root.func, cst.Attribute) else root.func
    if not isinstance(root, cst.Call):
        # Callbacks added to a Deferred that is kept somewhere.
        return None
    roles = context.roles(root)
    if roles & _DRIVEN_ELSEWHERE or _is_safe(context, root) or _is_kept(context, root):
        return None
    if how is How.CHAIN:
        if _is_constructor(context, root):
            return None
        answer = context.awaitability(root)
    elif Role.HAND_STARTER in roles:
        how = How.BY_HAND
    if not answer.kind.is_lazy and context.in_sentinel_guard(call):
        return None
    return Dropped(root, call, answer.kind, how)


def _is_safe(context: RuleContext, call: cst.Call) -> bool:
    """Whether the callee went through a safe decorator: `@wrap(...)`, or `preserve_fn(f)(x)`."""
    if isinstance(call.func, cst.Call) and Role.SAFE_DECORATOR in context.roles(call.func):
        return True
    return any(
        Role.SAFE_DECORATOR in context.decorator_roles(function)
        for function in context.callees(call)
    )


def _is_kept(context: RuleContext, call: cst.Call) -> bool:
    """Whether the callee gives nothing that could be lost: what it stores, or what has fired."""
    functions = context.callees(call)
    return bool(functions) and all(_keeps_what_it_gives(context, each) for each in functions)


def _keeps_what_it_gives(context: RuleContext, function: Function) -> bool:
    facts = function.facts
    if facts.is_async or facts.is_generator or function.module.is_stub:
        return False
    node = function.tree()
    if node is None:
        return False
    scope = Scope(
        function.module, node, function.scope, function, function.owner, is_positioned=True
    )
    inside = list(own_nodes(node.body))
    given = [inner.value for inner in inside if isinstance(inner, ast.Return) and inner.value]
    stored = {
        inner.value.id
        for inner in inside
        if isinstance(inner, ast.Assign)
        and isinstance(inner.value, ast.Name)
        and any(isinstance(target, ast.Attribute | ast.Subscript) for target in inner.targets)
    }
    return bool(given) and all(
        isinstance(value, ast.Attribute | ast.Subscript | ast.Constant)
        or (isinstance(value, ast.Name) and value.id in stored)
        or (isinstance(value, ast.Call) and Role.FIRED in context.file.roles(value.func, scope))
        for value in given
    )


def _is_constructor(context: RuleContext, call: cst.Call) -> bool:
    """`Deferred().addCallback(...)`: nothing has been started."""
    return any(name.endswith(".Deferred") for name in context.names(call))


def screen(unit: Unit) -> bool:
    """Whether a statement of the unit drops the result of a call that gives an awaitable."""
    return any(
        _may_be_awaitable(unit, call, scope)
        for statement, scope in unit.statements
        if isinstance(statement, ast.Expr | ast.Assign)
        for call in _discarded_calls(statement)
    )


def _discarded_calls(statement: ast.Expr | ast.Assign) -> Iterator[ast.expr]:
    if isinstance(statement, ast.Assign) and not all(
        isinstance(target, ast.Name) and target.id == "_" for target in statement.targets
    ):
        return
    stack = [statement.value]
    while stack:
        node = stack.pop()
        match node:
            case ast.Call():
                yield node
            case ast.BoolOp(_, values):
                stack.extend(values)
            case ast.IfExp(_, body, orelse):
                stack += [body, orelse]
            case ast.ListComp(elt) | ast.SetComp(elt):
                if isinstance(elt, ast.Call):
                    yield node
            case ast.Tuple(elements):
                stack.extend(elements)


def _may_be_awaitable(unit: Unit, node: ast.expr, scope: Scope) -> bool:
    if not isinstance(node, ast.Call):
        return True
    resolver = unit.file.resolver
    callee = resolver.type_of(node.func, scope)
    if all(isinstance(member, CallableType) for member in members_of(callee)):
        return True
    return resolver.awaitability(resolver.type_of(node, scope)).is_certain
