"""The operands of `gather` and its like: each awaitable that such a call waits for."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from logctx_lint.analysis.context import TreeContext, in_source_order, loops
from logctx_lint.analysis.deferreds.shared_state import COPIES, VIEWS
from logctx_lint.analysis.possible_values import put_into_name
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.passed_arguments import passed
from logctx_lint.inference.types import callees_of
from logctx_lint.inference.use_def import Comprehension, Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import assigned_to, body_nodes, is_name, last_name

GATHERERS = frozenset({Role.GATHERER, Role.DEFERRED_LIST, Role.FORWARDING_GATHERER})
OF_DEFERREDS = frozenset({Role.GATHERER, Role.DEFERRED_LIST})


def takes_deferreds(file: File, call: ast.Call, scope: Scope) -> bool:
    """Whether a call hands Deferreds to Twisted to wait for, itself or as a helper."""
    roles = file.roles(call.func, scope)
    if roles & OF_DEFERREDS or roles >= {Role.FORWARDING_GATHERER, Role.RAW_AWAITABLE}:
        return True
    return any(_gathered_parameters(file, each) for each in _helpers(file, call, scope))


def may_gather(
    file: File, call: ast.Call, scope: Scope, wanted: frozenset[Role] = GATHERERS
) -> bool:
    """Whether a gatherer may be called, or a helper that may be one, by names alone."""
    return last_name(call.func) in file.traits.gathering or (
        file.may_play(call.func, wanted) and not file.roles(call.func, scope).isdisjoint(wanted)
    )


def gathered(context: TreeContext, call: ast.Call) -> Iterator[ast.expr]:
    """Each thing that a call is given to wait for, as far as they can be distinguished."""
    if context.roles(call) & GATHERERS:
        yield from _all_parts(context, call.args)
        named = [each.value for each in call.keywords if each.arg in ("deferredList", "ds")]
        yield from _all_parts(context, named)
        return
    for helper in _helpers(context.file, call, context.scopes[call]):
        wanted = _gathered_parameters(context.file, helper)
        given = passed(context.resolver, call, helper)
        yield from _all_parts(context, [value for name, value in given if name in wanted])


def _all_parts(context: TreeContext, nodes: Iterable[ast.expr]) -> Iterator[ast.expr]:
    for node in nodes:
        yield from parts(context, node)


def parts(context: TreeContext, node: ast.expr) -> Iterator[ast.expr]:
    """The elements of a display or comprehension, also through local names; else the whole."""
    yield from _parts(context, node, set())


def _parts(context: TreeContext, node: ast.expr, seen: set[ast.expr]) -> Iterator[ast.expr]:
    if node in seen:
        return
    seen.add(node)
    inner: Sequence[ast.expr | None] = ()
    match node:
        case ast.Starred(value):
            inner = [value]
        case ast.List(elements) | ast.Tuple(elements) | ast.Set(elements):
            inner = elements
        case ast.ListComp(element) | ast.GeneratorExp(element) | ast.SetComp(element):
            inner = [element]
        case ast.DictComp(_, value):
            inner = [value]
        case ast.Dict(_, values):
            inner = values
        case ast.IfExp(_, body, orelse):
            inner = [body, orelse]
        case ast.BinOp(left, ast.Add(), right):
            inner = [left, right]
        case ast.Call(ast.Attribute(holder, name)) if name in VIEWS:
            inner = [holder]
        case ast.Call(ast.Name(name), [argument, *_]) if name in COPIES:
            inner = [argument]
        case ast.Name():
            inner = in_source_order(_bound(context, node))
    if not inner:
        yield node
    for each in filter(None, inner):
        yield from _parts(context, each, seen)


def _bound(context: TreeContext, name: ast.Name) -> Iterator[ast.expr]:
    """What a local name holds: what was assigned to it, put into it, or is looped over."""
    loop = _loop_over(context, name)
    if loop is not None:
        yield loop.iter
        return
    function, scope = context.function_of(name), context.scopes[name]
    while isinstance(scope.node, Comprehension) and scope.parent is not None:
        scope = scope.parent
    if not isinstance(function, FunctionNode):
        return
    reaching = {
        binding.value
        for binding in scope.reaching_name(name)
        if binding.kind in ("value", "annotation") and not binding.path
    }
    # Of what is put in, all counts; of what is assigned, only the last.
    yield from put_into_name(name.id, function)
    values = assigned_to(name.id, body_nodes(function))
    yield from (value for value in values if value in reaching)


def _loop_over(
    context: TreeContext, name: ast.Name
) -> ast.For | ast.AsyncFor | ast.comprehension | None:
    """The innermost loop around a name whose variable it is."""
    for outer in context.around(name):
        for loop in loops(outer):
            to = loop.target
            if is_name(to, name.id) and to is not name:
                return loop
    return None


def _helpers(file: File, call: ast.Call, scope: Scope) -> list[Function]:
    """The plain functions of the project that a call may reach and that mention a gatherer."""
    if last_name(call.func) not in file.traits.gathering:
        return []
    return [
        member.function.implementation
        for member in callees_of(file.resolver.type_of(call.func, scope))
        if not member.function.module.is_stub
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
        for inner in body_nodes(node, ast.Call)
        for argument in inner.args[:1]
        if isinstance(argument, ast.Name) and argument.id in names
        if file.roles(inner.func, scope) & OF_DEFERREDS
    }
