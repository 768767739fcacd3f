"""Context managers that swallow a cancellation: `suppress`, and those of the project."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from logctx_lint.analysis.cancellation.cancellation_state import Code, Way, of_function
from logctx_lint.analysis.cancellation.exit_methods import ExitMethod
from logctx_lint.analysis.context import arguments
from logctx_lint.analysis.control_flow_graph import FlowNode, expressions
from logctx_lint.analysis.exception_handlers import Cancellation
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.class_members import enclosing_scope
from logctx_lint.inference.known_names import GENERATOR_MANAGERS
from logctx_lint.inference.types import ClassObject, FunctionType, members_of
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import own_nodes

if TYPE_CHECKING:
    from logctx_lint.analysis.cancellation.cancellation_flow import CancellationFlow

FlowOf = Callable[[Code], "CancellationFlow"]


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
    return any(isinstance(each, ast.ExceptHandler) for each in own_nodes(node.body))
