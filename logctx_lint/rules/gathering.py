"""What a call that waits for several awaitables at once is given to wait for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import libcst as cst

from logctx_lint.project.modules import Function
from logctx_lint.project.scopes import Scope
from logctx_lint.project.types import FunctionType, members_of
from logctx_lint.project.walk import own_nodes
from logctx_lint.rules.context import RuleContext
from logctx_lint.rules.nodes import own_code
from logctx_lint.rules.sharing import COPIES, VIEWS
from logctx_lint.screen import File
from logctx_lint.vocabulary import Role

GATHERERS = frozenset({Role.GATHERER, Role.DEFERRED_LIST, Role.FORWARDING_GATHERER})
OF_DEFERREDS = frozenset({Role.GATHERER, Role.DEFERRED_LIST})
_PUTS = frozenset({"append", "add", "appendleft"})


def takes_deferreds(file: File, call: ast.Call, scope: Scope) -> bool:
    """Whether a call hands Deferreds to Twisted to wait for, itself or as a helper."""
    roles = file.roles(call.func, scope)
    if roles & OF_DEFERREDS or roles >= {Role.FORWARDING_GATHERER, Role.RAW_AWAITABLE}:
        return True
    return any(_gathered_parameters(file, each) for each in _helpers(file, call, scope))


def may_gather(
    file: File, call: ast.Call, scope: Scope, wanted: frozenset[Role] = GATHERERS
) -> bool:
    """A cheap look: is a gatherer called, or a helper that may be one?"""
    func = call.func
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    return name in file.traits.gathering or (
        file.may_play(func, wanted) and not file.roles(func, scope).isdisjoint(wanted)
    )


def gathered(context: RuleContext, call: cst.Call) -> Iterator[cst.BaseExpression]:
    """Each thing that a call is given to wait for, as far as it can be told apart."""
    found = context.expression(call)
    if not found or not isinstance(found[0], ast.Call):
        return
    if context.roles(call) & GATHERERS:
        names = {"deferredList", "ds"}
        for argument in call.args:
            if argument.keyword is None or argument.keyword.value in names:
                yield from parts(context, argument.value)
        return
    for helper in _helpers(context.file, found[0], found[1]):
        parameters = [each.name for each in helper.facts.parameters]
        skipped = 1 if context.resolver.bindings.first_parameter(helper) else 0
        wanted = _gathered_parameters(context.file, helper)
        for index, argument in enumerate(call.args, skipped):
            place = [argument.keyword.value] if argument.keyword else parameters[index : index + 1]
            if wanted.intersection(place):
                yield from parts(context, argument.value)


def parts(context: RuleContext, node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """The elements of a display or comprehension, also through local names; else the whole."""
    yield from _parts(context, node, set())


def _parts(
    context: RuleContext, node: cst.BaseExpression, seen: set[cst.CSTNode]
) -> Iterator[cst.BaseExpression]:
    if node in seen:
        return
    seen.add(node)
    inner: list[cst.BaseExpression] = []
    match node:
        case cst.List() | cst.Tuple() | cst.Set():
            inner = [element.value for element in node.elements]
        case cst.ListComp() | cst.GeneratorExp() | cst.SetComp():
            inner = [node.elt]
        case cst.DictComp():
            inner = [node.value]
        case cst.Dict():
            inner = [element.value for element in node.elements]
        case cst.IfExp():
            inner = [node.body, node.orelse]
        case cst.BinaryOperation(operator=cst.Add()):
            inner = [node.left, node.right]
        case cst.Call(func=cst.Attribute(value=holder, attr=cst.Name(value=name))) if name in VIEWS:
            inner = [holder]
        case cst.Call(func=cst.Name(value=name), args=[argument, *_]) if name in COPIES:
            inner = [argument.value]
        case cst.Name():
            inner = list(_bound(context, node))
    if not inner:
        yield node
    for each in inner:
        yield from _parts(context, each, seen)


def _bound(context: RuleContext, name: cst.Name) -> Iterator[cst.BaseExpression]:
    """What a local name holds: what was assigned to it, put into it, or is looped over."""
    for outer in context.around(name):
        if isinstance(outer, cst.For) and _is_target(outer.target, name):
            yield outer.iter
            return
        if isinstance(outer, cst.BaseSimpleComp | cst.DictComp):
            loop: cst.CompFor | None = outer.for_in
            while loop:
                if _is_target(loop.target, name):
                    yield loop.iter
                    return
                loop = loop.inner_for_in
    function, found = context.function_of(name), context.expression(name)
    if not isinstance(function, cst.FunctionDef) or not found:
        return
    node, scope = found
    while isinstance(scope.node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        if scope.parent is None:
            return
        scope = scope.parent
    reaching = {
        binding.value
        for binding in scope.reaching(name.value, (node.lineno, node.col_offset))
        if binding.kind in ("value", "annotation") and not binding.path
    }
    for inner in own_code(function.body):
        match inner:
            case (
                cst.Assign(value=value, targets=[cst.AssignTarget(target=cst.Name(value=target))])
                | cst.AnnAssign(value=cst.BaseExpression() as value, target=cst.Name(value=target))
                | cst.NamedExpr(value=value, target=cst.Name(value=target))
            ):
                assigned = context.expression(value)
                if target == name.value and assigned and assigned[0] in reaching:
                    yield value
            case cst.Call(
                func=cst.Attribute(value=cst.Name(value=target), attr=cst.Name(value=method)),
                args=[argument],
            ):
                if target == name.value and method in _PUTS:
                    yield argument.value
            case cst.Assign(
                value=value,
                targets=[cst.AssignTarget(target=cst.Subscript(value=cst.Name(value=target)))],
            ):
                if target == name.value:
                    yield value


def _is_target(target: cst.BaseExpression, name: cst.Name) -> bool:
    return isinstance(target, cst.Name) and target.value == name.value and target is not name


def _helpers(file: File, call: ast.Call, scope: Scope) -> list[Function]:
    """The plain functions of the project that a call may reach and that mention a gatherer."""
    func = call.func
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    if name not in file.traits.gathering:
        return []
    return [
        member.function.implementation
        for member in members_of(file.resolver.type_of(func, scope))
        if isinstance(member, FunctionType) and not member.function.module.is_stub
    ]


def _gathered_parameters(file: File, function: Function) -> set[str]:
    """The parameters that a function hands to a gatherer of Deferreds."""
    node = function.tree()
    if node is None:
        return set()
    scope = Scope.of_body(function, node)
    names = {parameter.name for parameter in function.facts.parameters}
    return {
        argument.id
        for inner in own_nodes(node.body)
        if isinstance(inner, ast.Call) and file.roles(inner.func, scope) & OF_DEFERREDS
        for argument in inner.args[:1]
        if isinstance(argument, ast.Name) and argument.id in names
    }
