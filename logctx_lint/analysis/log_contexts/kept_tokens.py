"""Tokens of the current context that are used where that context is not the current one.

def start(self):                            async def start():
    self.token = current.set(self)              token = current.set(1)
                                                create_task(finish(token))  # In a copy of it.
def stop(self):                             async def finish(token):
    current.reset(self.token)                   current.reset(token)        # ValueError

async def handle(self, request):
    self.token = current.set(request)       # Another request's, when this one
    await self.next(request)                # has waited here.
    current.reset(self.token)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.analysis.log_contexts.paired_methods import are_paired
from logctx_lint.analysis.own_class import own_methods
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.passed_arguments import parameter_for
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import (
    Suspension,
    assignments,
    body_nodes,
    is_name,
    own_nodes,
    own_place,
)

_RESETTERS = frozenset({Role.TOKEN_RESETTER})
_THREAD_FUTURES = frozenset({"concurrent.futures._base.Future.add_done_callback"})
_COPY, _OWN = "which has a copy of the context", "which has a context of its own"


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token that one method keeps, and another uses."""

    made: ast.Call
    place: str
    used_in: str


def kept_by_object(context: TreeContext, call: ast.Call) -> KeptToken | None:
    """Whether a token goes to an attribute, and another method of the class uses it."""
    function, place = context.function_of(call), _place(context, call)
    if not place or not isinstance(function, FunctionNode):
        return None
    for method in own_methods(context):
        if (
            method.name != function.name
            and _uses(context, method, place)
            and not are_paired(context, function.name, method.name)
        ):
            return KeptToken(call, f"self.{place}", method.name)
    return None


def _place(context: TreeContext, call: ast.Call) -> str:
    """The attribute of the object that what a call gives is put into."""
    match context.parent(call):
        case ast.Assign([target]):
            return own_place(target)
    return ""


def is_crossed(context: TreeContext, call: ast.Call) -> str:
    """The attribute that keeps a token while its function waits, and where it is used again.

    Whoever calls the same method of the same object meanwhile puts another token there.
    """
    function = context.function_of(call)
    match context.parent(call):
        case ast.Assign([ast.Attribute(ast.Name("self"), name)]):
            pass
        case _:
            return ""
    if not isinstance(function, FunctionNode) or not context.is_asynchronous(function):
        return ""
    used = [
        node
        for node in body_nodes(function, ast.Call)
        if node.lineno > call.lineno
        and context.file.may_play(node.func, _RESETTERS)
        and any(_mentions(each, name) for each in arguments(node))
        and _RESETTERS & context.roles(node)
    ]
    waits = [node.lineno for node in body_nodes(function) if isinstance(node, Suspension)]
    is_between = used and any(call.lineno < each <= used[-1].lineno for each in waits)
    return f"self.{name}" if is_between else ""


@dataclass(frozen=True, slots=True)
class CrossedToken:
    """A token in an attribute, and the function that waits between its making and its use."""

    place: str
    caller: ast.AsyncFunctionDef
    waiting: int
    """The line where that waits."""


def crossed_in_caller(context: TreeContext, call: ast.Call) -> CrossedToken | None:
    """As `is_crossed`, where methods of the object set and reset for the one that waits.

    async def __call__(self, scope, receive, send):
        self._begin(scope)
        await self.app(scope, receive, send)
        self._end()
    """
    function, place = context.function_of(call), _place(context, call)
    if not place or not isinstance(function, ast.FunctionDef):
        return None
    methods = own_methods(context)
    resetting = {each.name for each in methods if each is not function}
    resetting &= {each.name for each in methods if _uses(context, each, place)}
    for caller in methods:
        # What is called like a function serves everybody, as middlewares do.
        if not isinstance(caller, ast.AsyncFunctionDef) or caller.name != "__call__":
            continue
        begins = _lines_of_calls(caller, {function.name})
        ends = _lines_of_calls(caller, resetting)
        waits = [node.lineno for node in body_nodes(caller) if isinstance(node, Suspension)]
        for line in waits if begins and ends else ():
            if min(begins) < line < max(ends):
                return CrossedToken(f"self.{place}", caller, line)
    return None


def _lines_of_calls(method: FunctionNode, names: set[str]) -> list[int]:
    """Where a method calls others of its object."""
    found: list[int] = []
    for node in body_nodes(method):
        match node:
            case ast.Call(ast.Attribute(ast.Name("self"), name)) if name in names:
                found.append(node.lineno)
    return found


def _uses(context: TreeContext, method: FunctionNode, place: str) -> bool:
    """Whether a method resets by what an attribute holds, under a local name or not."""
    names = {
        target.id
        for target, value in assignments(body_nodes(method))
        if isinstance(target, ast.Name) and _mentions(value, place)
    }
    return any(
        isinstance(node, ast.Call)
        and context.file.may_play(node.func, _RESETTERS)
        and any(
            _mentions(each, place) or (isinstance(each, ast.Name) and each.id in names)
            for each in arguments(node)
        )
        for node in body_nodes(method)
    )


def _mentions(node: ast.expr, place: str) -> bool:
    return any(own_place(each) == place for each in own_nodes([node], ast.Attribute))


def used_elsewhere(context: TreeContext, call: ast.Call) -> Iterator[tuple[ast.expr, str]]:
    """The arguments of a call that take a token of this function into another context, and which.

    Not every callback has one: that of an exit stack, of a signal or of a widget runs in whatever
    context is the current one then.
    """
    where = _other_context(context, call)
    if where is None:
        return
    is_task = Role.TASK_STARTER in context.roles(call)
    hands_reset = any(_is_reset(context, each) for each in arguments(call))
    for each in arguments(call):
        # `Thread(target=variable.reset, args=(token,))`
        given = each.elts if isinstance(each, ast.Tuple) else [each]
        yield from ((token, where) for token in _tokens(context, given) if hands_reset)
        if isinstance(each, ast.Call) and is_task:
            for token in _tokens(context, arguments(each)):
                if _resets(context, each, token):
                    yield token, f"`{context.line(each.func)}()`, {where}"
        elif isinstance(each, ast.Lambda):
            calls = own_nodes([each.body], ast.Call)
            for inner in calls:
                if _is_reset(context, inner.func):
                    yield from ((token, where) for token in _tokens(context, inner.args, call))


def _other_context(context: TreeContext, call: ast.Call) -> str | None:
    """What runs the arguments of a call in another context than this one, for a message."""
    roles, by = context.roles(call), f"`{context.line(call.func)}()`"
    if Role.TASK_STARTER in roles:
        return f"the task that {by} starts, {_COPY}"
    if Role.BARE_THREAD_STARTER in roles:
        return f"the thread that {by} uses, {_OWN}"
    if Role.THREAD_STARTER in roles:
        return f"the thread that {by} uses, {_COPY}"
    if Role.COPYING_CALLER in roles:
        return f"the callback of {by}, {_COPY}"
    if _THREAD_FUTURES & set(context.names(call)):
        return f"the callback of {by}, most often in a thread of the pool, {_OWN}"
    return None


def _is_reset(context: TreeContext, node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute | ast.Name) and bool(context.roles(node) & _RESETTERS)


def _tokens(
    context: TreeContext, given: list[ast.expr], at: ast.Call | None = None
) -> Iterator[ast.Name]:
    for each in given:
        if isinstance(each, ast.Name) and _is_token(context, each, at):
            yield each


def _is_token(context: TreeContext, name: ast.Name, at: ast.Call | None = None) -> bool:
    """Whether a local name holds a token that the function itself was given."""
    place = at or name
    scope = context.scopes[place]
    bindings = scope.reaching(name.id, (place.lineno, place.col_offset))
    return bool(bindings) and all(
        isinstance(each.value, ast.Call)
        and each.value in context.scopes
        and Role.CONTEXT_TOKEN in context.roles(each.value)
        for each in bindings
    )


def _resets(context: TreeContext, call: ast.Call, given: ast.expr) -> bool:
    """Whether a function of the project resets by the parameter that it is given a token for."""
    for function in context.functions(call.func):
        code = code_of(function)
        own = parameter_for(context.resolver, call, function, given)
        for node in code.nodes if code else ():
            if (
                isinstance(node, ast.Call)
                and code
                and _plays_reset(context, node, code.scope)
                and any(is_name(each, own) for each in arguments(node))
            ):
                return True
    return False


def _plays_reset(context: TreeContext, call: ast.Call, scope: Scope) -> bool:
    return bool(context.file.roles(call.func, scope) & _RESETTERS)
