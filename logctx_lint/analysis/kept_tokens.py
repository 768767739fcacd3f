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
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.analysis.started_tasks import class_node
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import own_nodes

_RESETTERS = frozenset({Role.TOKEN_RESETTER})
_TAKERS = frozenset(
    {Role.CALLBACK_TAKER, Role.BARE_THREAD_STARTER, Role.THREAD_STARTER, Role.TASK_STARTER}
)
_SUSPENSIONS = (ast.Await, ast.AsyncFor, ast.AsyncWith)
_PAIRS = frozenset(
    {
        *itertools.product(("__enter__", "__aenter__"), ("__exit__", "__aexit__")),
        ("setUp", "tearDown"),
        ("asyncSetUp", "asyncTearDown"),
        ("setup_method", "teardown_method"),
        ("setup", "teardown"),
    }
)
"""Methods that are called in one context, or are the business of LCX404."""


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token that one method keeps, and another uses."""

    made: ast.Call
    place: str
    used_in: str


def kept_by_object(context: TreeContext, call: ast.Call) -> KeptToken | None:
    """Whether a token goes to an attribute, and another method of the class uses it."""
    function, cls = context.function_of(call), class_node(context)
    statement = context.parent(call)
    if cls is None or not isinstance(function, FunctionNode):
        return None
    match statement:
        case ast.Assign([target]):
            place = _attribute(target)
        case _:
            return None
    for method in cls.body if place else ():
        if not isinstance(method, FunctionNode) or method.name == function.name:
            continue
        if (function.name, method.name) not in _PAIRS and _uses(context, method, place):
            return KeptToken(call, f"self.{place}", method.name)
    return None


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
        for node in own_nodes(function.body)
        if isinstance(node, ast.Call)
        and node.lineno > call.lineno
        and context.file.may_play(node.func, _RESETTERS)
        and any(_mentions(each, name) for each in arguments(node))
        and _RESETTERS & context.roles(node)
    ]
    waits = [node.lineno for node in own_nodes(function.body) if isinstance(node, _SUSPENSIONS)]
    is_between = used and any(call.lineno < each <= used[-1].lineno for each in waits)
    return f"self.{name}" if is_between else ""


def _attribute(node: ast.expr) -> str:
    """`A` of `self.A` and `self.A[key]`."""
    if isinstance(node, ast.Subscript):
        node = node.value
    match node:
        case ast.Attribute(ast.Name("self"), name):
            return name
    return ""


def _uses(context: TreeContext, method: FunctionNode, place: str) -> bool:
    """Whether a method resets by what an attribute holds, under a local name or not."""
    names = {
        target.id
        for node in own_nodes(method.body)
        if isinstance(node, ast.Assign | ast.NamedExpr)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and _mentions(node.value, place)
    }
    return any(
        isinstance(node, ast.Call)
        and context.file.may_play(node.func, _RESETTERS)
        and any(
            _mentions(each, place) or (isinstance(each, ast.Name) and each.id in names)
            for each in arguments(node)
        )
        for node in own_nodes(method.body)
    )


def _mentions(node: ast.expr, place: str) -> bool:
    return any(
        isinstance(each, ast.Attribute) and _attribute(each) == place for each in own_nodes([node])
    )


def used_elsewhere(context: TreeContext, call: ast.Call) -> Iterator[tuple[ast.expr, str]]:
    """The arguments of a call that take a token of this function into another context, and how."""
    roles = context.roles(call)
    if roles.isdisjoint(_TAKERS) or any(map(_is_of_exit_stack, context.names(call))):
        return
    where = "a task" if Role.TASK_STARTER in roles else "a callback or thread"
    for each in arguments(call):
        if isinstance(each, ast.Name) and _is_token(context, each):
            if any(_is_reset(context, other) for other in call.args):
                yield each, where
        elif isinstance(each, ast.Call) and Role.TASK_STARTER in roles:
            for given in arguments(each):
                is_token = isinstance(given, ast.Name) and _is_token(context, given)
                if is_token and _resets(context, each, given):
                    yield given, where
        elif isinstance(each, ast.Lambda):
            for inner in own_nodes([each.body]):
                if isinstance(inner, ast.Call) and _is_reset(context, inner.func):
                    for given in inner.args:
                        if isinstance(given, ast.Name) and _is_token(context, given, call):
                            yield given, where


def _is_of_exit_stack(name: str) -> bool:
    """`stack.callback(variable.reset, token)` runs where the block ends, in the same context."""
    return name.startswith("contextlib.")


def _is_reset(context: TreeContext, node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute | ast.Name) and bool(context.roles(node) & _RESETTERS)


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
        parameters = [each.name for each in function.facts.parameters]
        if function.owner is not None and parameters[:1] == ["self"]:
            parameters = parameters[1:]
        named = dict(zip(parameters, call.args, strict=False))
        named |= {each.arg: each.value for each in call.keywords if each.arg}
        own = {name for name, value in named.items() if value is given}
        for node in code.nodes if code else ():
            if (
                isinstance(node, ast.Call)
                and code
                and _plays_reset(context, node, code.scope)
                and any(isinstance(each, ast.Name) and each.id in own for each in arguments(node))
            ):
                return True
    return False


def _plays_reset(context: TreeContext, call: ast.Call, scope: Scope) -> bool:
    return bool(context.file.roles(call.func, scope) & _RESETTERS)
