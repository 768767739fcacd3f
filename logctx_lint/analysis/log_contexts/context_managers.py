"""Context managers of the project that keep something in the current context while they are open.

@contextmanager
def working_for(name):          class WorkingFor:
    token = tenant.set(name)        def __enter__(self):
    try:                                self.token = tenant.set(self.name)
        yield
    finally:                        def __exit__(self, *exc_info):
        tenant.reset(token)             tenant.reset(self.token)
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.called_code import Code, code_of
from logctx_lint.analysis.cancellation.swallowing_blocks import is_generator_manager
from logctx_lint.analysis.log_contexts.log_contexts import plays
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.types import FunctionType, Instance, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import body_nodes

_TOKENS = frozenset({Role.CONTEXT_TOKEN})
_RESETTERS = frozenset({Role.TOKEN_RESETTER})
_ENTER, _EXIT = ("__enter__", "__aenter__"), ("__exit__", "__aexit__")


def holds(file: File, node: ast.expr, scope: Scope, roles: frozenset[Role]) -> bool:
    """Whether a value is a context manager with one of these roles, or of the project and keeps
    such a one, or a token, as long as it is open."""
    if plays(file, node, scope, roles):
        return True
    if isinstance(node, ast.Call):
        members = members_of(file.resolver.type_of(node.func, scope))
        if members and all(
            isinstance(each, FunctionType) and _yields_inside(file, each.function, roles)
            for each in members
        ):
            return True
    given = members_of(file.resolver.type_of(node, scope))
    return bool(given) and all(
        isinstance(each, Instance) and _keeps_token(file, each.cls) for each in given
    )


def _yields_inside(file: File, function: Function, roles: frozenset[Role]) -> bool:
    """Whether a generator that is made a context manager of yields inside one, or before a token
    is used."""
    if function.module.is_stub or not is_generator_manager(file, function):
        return False
    code = code_of(function)
    yields = [each for each in code.nodes if isinstance(each, ast.Yield)] if code else []
    if code is None or len(yields) != 1:
        return False
    for node in code.nodes:
        if isinstance(node, ast.With | ast.AsyncWith) and yields[0] in body_nodes(node):
            items = (item.context_expr for item in node.items)
            if any(plays(file, each, code.scope, roles) for each in items):
                return True
    made = _lines(file, code, _TOKENS)
    reset = _lines(file, code, _RESETTERS)
    at = yields[0].lineno
    return any(line < at for line in made) and any(line > at for line in reset)


def _lines(file: File, code: Code, roles: frozenset[Role]) -> list[int]:
    return [
        node.lineno
        for node in code.nodes
        if isinstance(node, ast.Call)
        and file.may_play(node.func, roles)
        and file.roles(node.func, code.scope) & roles
    ]


def _keeps_token(file: File, cls: Class) -> bool:
    return not cls.module.is_stub and all(
        any(_calls(file, function, roles) for name in names for function in cls.function(name))
        for names, roles in ((_ENTER, _TOKENS), (_EXIT, _RESETTERS))
    )


def _calls(file: File, function: Function, roles: frozenset[Role]) -> bool:
    code = code_of(function)
    return code is not None and bool(_lines(file, code, roles))
