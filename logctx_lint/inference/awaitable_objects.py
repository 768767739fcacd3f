"""Classes of the project with `__await__`: must their objects be awaited?

    class Mounting:                        # Mounted already: awaiting only waits.
        def __await__(self):
            return self._mounted.wait().__await__()

    class Request:                         # Nothing is sent until it is awaited.
        def __init__(self, work: Coroutine[Any, Any, Response]) -> None:
            self._work = work

        def __await__(self):
            return self._work.__await__()

Only of the second sort does it matter that nobody awaits it.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from logctx_lint.inference.types import FunctionType, Instance, Kind, Type, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.syntax.ast_walk import body_nodes

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver


def need_not_be_awaited(resolver: Resolver, type_: Type, *, is_used: bool = False) -> bool:
    """Whether all that is awaitable in a type is an object which has done its work already.

    One that is used in another way is an object of its own, whatever awaiting it would start.
    """
    awaitable = [each for each in members_of(type_) if resolver.awaitability(each).is_certain]
    return bool(awaitable) and all(
        _is_finished(resolver, each, is_used=is_used) for each in awaitable
    )


def _is_finished(resolver: Resolver, type_: Type, *, is_used: bool) -> bool:
    if not isinstance(type_, Instance) or type_.cls.module.is_stub:
        return False
    if resolver.awaitability(type_).kind is not Kind.AWAITABLE:
        return False
    return not _starts_when_awaited(resolver, type_, by_method=not is_used)


def _starts_when_awaited(resolver: Resolver, type_: Instance, *, by_method: bool) -> bool:
    """Whether `__await__` drives a coroutine that the object holds, or that a method makes."""
    method = resolver.classes.member(type_, "__await__")
    for each in members_of(method) if method else ():
        if not isinstance(each, FunctionType):
            return True
        node = each.function.source_tree()
        if node is None:
            return True
        scope = Scope.of_body(each.function, node)
        for inner in body_nodes(node):
            driven = _driven(inner)
            if driven is None or _root(driven) != "self":
                continue
            answer = resolver.awaitability(resolver.type_of(driven, scope))
            if answer.is_certain and (answer.kind.is_lazy or answer.kind is Kind.AWAITABLE):
                if isinstance(driven, ast.Call):
                    # `self._done.wait()` only waits for what somebody else does.
                    return by_method and not _is_of_an_attribute(driven)
                return True
    return False


def _driven(node: ast.AST) -> ast.expr | None:
    """What `__await__` is called of, or what is yielded from."""
    match node:
        case ast.Call(ast.Attribute(value, "__await__")):
            return value
        case ast.YieldFrom(value) if not isinstance(value, ast.Call):
            return value
    return None


def _is_of_an_attribute(call: ast.Call) -> bool:
    """`self.event.wait()`, and not `self.run()`."""
    return isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Attribute)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
