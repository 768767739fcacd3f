"""Context variables that are set in a copied context and read outside of it.

await asyncio.gather(load_user(), load_rights())    # Each runs in a copy, where it sets `user`.
return page(user.get())                             # Not set here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.callback_arguments import taken
from logctx_lint.analysis.called_code import Code, code_of, entered, reached
from logctx_lint.analysis.context import TreeContext, arguments, in_source_order
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.types import functions_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, is_name, last_name

_MIDDLEWARE = "starlette.middleware.base.BaseHTTPMiddleware"
_SETTING = "contextvars.ContextVar.set"
_GETTING = "contextvars.ContextVar.get"
_RESETTING = frozenset({Role.TOKEN_RESETTER, Role.CONTEXT_UNBINDER})
_TASKS = frozenset({Role.TASK_STARTER, Role.ARGUMENT_GATHERER})
_THREADS = frozenset({Role.THREAD_STARTER})
COPYING = _TASKS | _THREADS


@dataclass(frozen=True, slots=True)
class LostBinding:
    """What is started in a copy, where it sets a variable, and where that is read without it."""

    started: ast.expr
    setting: ast.Call
    code: Code
    reading: ast.Call
    is_own: bool
    """The variable is the module's own, so that all that sets it is likely seen."""


def lost_bindings(context: TreeContext, function: FunctionNode) -> Iterator[LostBinding]:
    """Those that a function reads behind what it has waited for."""
    reads = list(_reads(context, function))
    if not reads:
        return
    for call in in_source_order(body_nodes(function, ast.Call)):
        if not context.file.may_play(call.func, COPYING):
            continue
        for node, codes in _started(context, call):
            for variable, setting, code in _sets(context, codes):
                read = next((r for v, r in reads if v == variable and _is_behind(r, call)), None)
                if read is None or not _is_waited_for(context, function, call):
                    continue
                if not _is_set_by_others(context, setting):
                    is_own = variable.startswith(f"{context.file.module.name}.")
                    yield LostBinding(node, setting, code, read, is_own)


def lost_in_middleware(
    context: TreeContext, function: FunctionNode
) -> tuple[ast.Call, ast.Call] | None:
    """Where a middleware reads what only those set that it has called in a task of their own, and
    where that is set.

    response = await call_next(request)     # Starlette runs it in a copy of the context.
    log.info("%s", user.get())
    """
    waiting = next((e for e in body_nodes(function, ast.Await) if _calls_next(e, function)), None)
    if waiting is None or not _is_middleware(context, function):
        return None
    for variable, read in _reads(context, function):
        setting = _set_by_routes(context, variable) if _is_behind(read, waiting.value) else None
        if setting is not None:
            return read, setting
    return None


def _calls_next(node: ast.Await, function: FunctionNode) -> bool:
    parameters = [each.arg for each in function.args.args]
    match node.value:
        case ast.Call(ast.Name(name), [_]):
            return name in parameters[1:]
    return False


def _is_middleware(context: TreeContext, function: FunctionNode) -> bool:
    owner = context.unit.scope.owner
    if owner is not None:
        return function.name == "dispatch" and _MIDDLEWARE in context.resolver.classes.names(owner)
    decorators = (e.func for e in function.decorator_list if isinstance(e, ast.Call))
    return any(last_name(each) == "middleware" for each in decorators)


def _set_by_routes(context: TreeContext, variable: str) -> ast.Call | None:
    """Where functions of the file set a variable, if no method of a class does."""
    name = variable.rpartition(".")[2]
    functions = [e for e in context.file.tree.body if isinstance(e, FunctionNode)]
    outside = [call for each in functions for call in all_nodes(each, ast.Call)]
    found = [call for call in outside if _variable(call) == name]
    everywhere = [e for e in all_nodes(context.file.tree, ast.Call) if _variable(e) == name]
    is_elsewhere = len(everywhere) > len(found)
    return found[0] if found and not is_elsewhere else None


def _reads(context: TreeContext, function: FunctionNode) -> Iterator[tuple[str, ast.Call]]:
    for call in in_source_order(body_nodes(function, ast.Call)):
        if isinstance(call.func, ast.Attribute) and _GETTING in context.names(call):
            yield _name(context, call.func.value, context.scopes[call]), call


def _name(context: TreeContext, variable: ast.expr, scope: Scope) -> str:
    """The qualified name of a variable of a module; empty where it is none."""
    return next(iter(context.resolver.names(variable, scope)), "")


def _started(context: TreeContext, call: ast.Call) -> Iterator[tuple[ast.expr, list[Code]]]:
    """What a call runs in copies of the context: calls of coroutine functions, and functions."""
    roles = context.roles(call)
    scope = context.scopes[call]
    if roles & _THREADS:
        for each in taken(context.file, call, scope):
            yield each.node, list(reached(context.file, entered(context.file, each.node, scope)))
    elif roles & _TASKS:
        for given in arguments(call):
            if isinstance(given, ast.Call):
                functions = functions_of(context.type_of(given.func))
                codes = [code for each in functions if (code := code_of(each))]
                if len(codes) == 1 and functions[0].facts.is_async:
                    yield given, list(reached(context.file, codes))


def _sets(context: TreeContext, codes: list[Code]) -> Iterator[tuple[str, ast.Call, Code]]:
    """The variables that some code sets, and leaves set."""
    for code in codes:
        calls = in_source_order(each for each in code.nodes if isinstance(each, ast.Call))
        roles = [context.file.roles(each.func, code.scope) for each in calls]
        if any(each & _RESETTING for each in roles):
            return
    for code in codes:
        for call in in_source_order(each for each in code.nodes if isinstance(each, ast.Call)):
            names = context.resolver.names(call.func, code.scope) if _variable(call) else ()
            if isinstance(call.func, ast.Attribute) and _SETTING in names:
                variable = _name(context, call.func.value, code.scope)
                if variable:
                    yield variable, call, code


def _is_behind(reading: ast.Call, call: ast.expr) -> bool:
    return reading.lineno > (call.end_lineno or call.lineno)


def _is_waited_for(context: TreeContext, function: FunctionNode, call: ast.Call) -> bool:
    """Whether the function waits for what it has started, so that it may count on what that did."""
    match context.parent(call):
        case ast.Await():
            return True
        case ast.Assign([ast.Name(name)]):
            return any(is_name(each.value, name) for each in body_nodes(function, ast.Await))
    return False


def _is_set_by_others(context: TreeContext, setting: ast.Call) -> bool:
    """Whether other code of the file sets the variable, so that it may be read for that."""
    name = _variable(setting)
    places = {
        (each.lineno, each.col_offset)
        for each in all_nodes(context.file.tree, ast.Call)
        if _variable(each) == name
    }
    return bool(places - {(setting.lineno, setting.col_offset)})


def _variable(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(holder, "set"):
            return last_name(holder)
    return ""
