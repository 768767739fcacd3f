"""Functions that are handed to a caller of functions, directly or through a helper.

def in_pool(self, function, *args):
    return deferToThreadPool(self.reactor, self.pool, function, *args)

self.in_pool(compress, text)        # as good as given to `deferToThreadPool` itself
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.callback_arguments import pairs, signatures, taken
from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.use_def import Scope


def is_called_by(
    file: File, call: ast.Call, argument: ast.expr, scope: Scope, callers: frozenset[Role]
) -> bool:
    """Whether a call hands an argument to something of these roles."""
    if _takes(file, call, scope, callers):
        return any(each.node is argument for each in taken(file, call, scope))
    for callee, parameters in signatures(file, call, scope):
        names = {
            parameter.name for parameter, given in pairs(call, parameters) if given is argument
        }
        code = code_of(callee.function) if names else None
        for node in code.nodes if code else ():
            if code and isinstance(node, ast.Call) and _takes(file, node, code.scope, callers):
                given = (each.node for each in taken(file, node, code.scope))
                if any(isinstance(each, ast.Name) and each.id in names for each in given):
                    return True
    return False


def _takes(file: File, call: ast.Call, scope: Scope, callers: frozenset[Role]) -> bool:
    return file.may_play(call.func, callers) and bool(file.roles(call.func, scope) & callers)
