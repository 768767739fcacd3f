"""Whether the function that attaches a context detaches it again, or does its work in it."""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.log_contexts.paired_methods import is_made_sure, sole_caller
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, own_nodes


def is_put_back(context: TreeContext, function: FunctionNode, call: ast.Call) -> bool:
    """Whether a context that the function has looked up is attached again, here or in `finally`.

    previous = get_current()
    attach(other)
    try:
        yield
    finally:
        attach(previous)  # Unlike `detach`, it may be in another task.
    """
    again = [
        each
        for each in _token_calls(context, function)
        if Role.CONTEXT_ATTACHER in context.roles(each) and _is_looked_up(context, each)
    ]
    if call in again:
        return True
    finals = (node.finalbody for node in body_nodes(function, ast.Try))
    return any(inner in again for block in finals for inner in own_nodes(block))


def is_put_back_by_caller(context: TreeContext, function: FunctionNode) -> bool:
    """The same where a private function attaches for the one that calls it."""
    found = sole_caller(context, function.name)
    if found is None:
        return False
    outer, caller, call = found
    return any(
        Role.CONTEXT_ATTACHER in outer.roles(each)
        and _is_looked_up(outer, each)
        and is_made_sure(caller, call, each)
        for each in _token_calls(outer, caller)
    )


def _is_looked_up(context: TreeContext, call: ast.Call) -> bool:
    """Whether what is attached is a local name of what `get_current()` gave."""
    match call.args:
        case [ast.Name() as given]:
            bindings = context.scopes[given].reaching_name(given)
            return any(
                isinstance(each.value, ast.Call)
                and Role.ATTACHED_CONTEXT in context.roles(each.value)
                for each in bindings
            )
    return False


def works_on(context: TreeContext, call: ast.Call) -> bool:
    """Whether the function itself does something in what it has attached, and ends.

    One that does nothing else, or attaches a plain value, sets the context for its caller, and may
    mean to.
    """
    if any(
        isinstance(each, ast.Call) and Role.CONTEXT_VALUE in context.roles(each)
        for each in call.args
    ):
        return False
    function = context.function_of(call)
    attached = _token_calls(context, function) if isinstance(function, FunctionNode) else []
    inside = {inner for each in attached for inner in all_nodes(each)}
    return isinstance(function, FunctionNode) and any(
        node.lineno > call.lineno and node not in inside for node in body_nodes(function, ast.Call)
    )


def _token_calls(context: TreeContext, function: FunctionNode) -> list[ast.Call]:
    return [
        node for node in body_nodes(function, ast.Call) if Role.CONTEXT_TOKEN in context.roles(node)
    ]
