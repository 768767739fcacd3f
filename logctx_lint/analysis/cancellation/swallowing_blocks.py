"""Context managers that swallow a cancellation, as `suppress` does, or that raise it."""

from __future__ import annotations

import ast

from logctx_lint.analysis.cancellation.cancellation_state import (
    Code,
    FlowOf,
    Way,
    key_of,
    of_function,
)
from logctx_lint.analysis.cancellation.exit_methods import ExitMethod
from logctx_lint.analysis.context import arguments
from logctx_lint.analysis.control_flow_graph import FlowNode, expressions
from logctx_lint.analysis.exception_handlers import Cancellation
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.class_members import enclosing_scope
from logctx_lint.inference.known_names import GENERATOR_MANAGERS, RERAISING_MANAGERS
from logctx_lint.inference.types import ClassObject, FunctionType, members_of
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import body_nodes, own_nodes

_CURRENT_EXCEPTION = frozenset({"sys.exc_info", "sys.exception", "exc_info"})


def swallows(code: Code, item: ast.withitem, live: Cancellation, flow_of: FlowOf) -> bool:
    """Whether a context manager does not let a cancellation out."""
    call = item.context_expr
    if not isinstance(call, ast.Call):
        return False
    if Role.SUPPRESSOR in code.roles(call):
        return any(code.caught(each).cancellation & live for each in arguments(call))
    return any(
        _is_swallowing(code.file, member, live, flow_of)
        for member in members_of(code.file.resolver.type_of(call.func, code.scope))
    )


def reraises(code: Code, node: FlowNode) -> bool:
    """Whether leaving a `with` raises what was being handled when it was entered.

    It does not where the block says so: `context.reraise = False`.
    """
    statement = node.code
    if not isinstance(statement, ast.With) or any(map(_is_told_not_to, own_nodes([statement]))):
        return False
    return any(_is_reraising(code, each.context_expr) for each in statement.items)


def _is_told_not_to(node: ast.AST) -> bool:
    match node:
        case ast.Assign([ast.Attribute(_, "reraise")]) | ast.keyword("reraise"):
            return True
    return False


def _is_reraising(code: Code, call: ast.expr) -> bool:
    if not isinstance(call, ast.Call):
        return False
    if not RERAISING_MANAGERS.isdisjoint(code.names(call)):
        return True
    return any(
        isinstance(member, ClassObject)
        and not member.cls.module.is_stub
        and _keeps_and_raises(code, member.cls)
        for member in members_of(code.file.resolver.type_of(call.func, code.scope))
    )


def _keeps_and_raises(code: Code, cls: Class) -> bool:
    """Whether `__enter__` keeps what is being handled, and `__exit__` raises that."""
    entered = [each.tree() for each in cls.function("__enter__")]
    left = [each.tree() for each in cls.function("__exit__")]
    is_kept = any(
        isinstance(each, ast.Call) and key_of(each.func) in _CURRENT_EXCEPTION
        for node in entered
        if node is not None
        for each in body_nodes(node)
    )
    return is_kept and any(
        isinstance(each, ast.Raise) and each.exc is not None
        for node in left
        if node is not None
        for each in body_nodes(node)
    )


def is_async_context_manager(code: Code) -> bool:
    """Whether what is raised in an `async with` comes out of the `yield` of a generator."""
    return isinstance(code.node, ast.AsyncFunctionDef) and any(
        "contextlib.asynccontextmanager" in code.file.resolver.names(each, outer)
        for outer in [code.scope.parent or code.scope]
        for each in code.node.decorator_list
    )


def is_generator_manager(file: File, function: Function) -> bool:
    """Whether a function of the project is a generator that contextlib makes a manager of."""
    scope = enclosing_scope(function)
    return any(
        not GENERATOR_MANAGERS.isdisjoint(file.resolver.names_of_text(text, scope))
        for text in function.facts.decorators
    )


def yields(node: FlowNode) -> ast.Yield | None:
    """The `yield` at a node."""
    return next((each for each in expressions(node) if isinstance(each, ast.Yield)), None)


def _is_swallowing(file: File, member: object, live: Cancellation, flow_of: FlowOf) -> bool:
    """Whether a context manager of the project swallows what is raised inside of its `with`.

    Asynchronous ones of the project are reported where they are defined, once.
    """
    if isinstance(member, FunctionType):
        return _is_swallowing_generator(file, member.function.implementation, flow_of)
    if not isinstance(member, ClassObject) or member.cls.module.is_stub:
        return False
    return any(
        (code := of_function(file, function)) is not None and ExitMethod(code, live).swallowing()
        for name in ("__exit__", "__aexit__")
        for function in member.cls.function(name)
        if not _is_reported_itself(function)
    )


def _is_swallowing_generator(file: File, function: Function, flow_of: FlowOf) -> bool:
    """Whether a generator that contextlib makes a manager of goes on, whichever way it does."""
    if not is_generator_manager(file, function) or _is_reported_itself(function):
        return False
    code = of_function(file, function)
    if code is None or not _has_handler(code.node):
        return False
    flow = flow_of(code)
    return any(
        not ways.isdisjoint({Way.ENDS, Way.RETURNS}) and Way.LETS_OUT not in ways
        for stop in flow.stops_from(yields)
        for ways in [flow.ways(stop).ways.keys()]
    )


def _is_reported_itself(function: Function) -> bool:
    """Whether what an asynchronous manager of the project swallows is reported in its own body."""
    return function.facts.is_async and not function.module.is_foreign


def _has_handler(node: FunctionNode) -> bool:
    return any(body_nodes(node, ast.ExceptHandler))
