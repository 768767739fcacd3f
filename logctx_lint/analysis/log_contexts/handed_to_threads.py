"""Functions that a helper runs in a thread for those who call it.

async def in_pool(function, *args):
    return await get_running_loop().run_in_executor(pool, function, *args)

await in_pool(search, question)         # `search` reads what its caller has set.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.call_sites import calls_of
from logctx_lint.analysis.called_code import Code, entered, reached
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.log_contexts.context_reads import first_read
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.passed_arguments import passed
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, last_name

_MOST_CALLS = 30
_PARTIAL = "partial"
_ADDING = frozenset({"addFilter", "addHandler", "setFormatter"})
_SHOWING = frozenset({"filter", "format", "emit", "makeRecord"})


def reads_of_callers(context: TreeContext, node: ast.expr) -> tuple[str, str, Code] | None:
    """What is read by a function that a caller hands over, its name, and where.

    `node`: what is run in a thread, which may name a parameter.
    """
    if isinstance(node, ast.Call) and last_name(node.func) == _PARTIAL and node.args:
        node = node.args[0]
    taker = _taker(node, context.scopes[node]) if isinstance(node, ast.Name) else None
    if taker is None or not isinstance(node, ast.Name):
        return None
    for name, codes in _handed_over(context, taker, node.id):
        found = first_read(context.file, codes)
        if found is not None:
            return name, *found
    return None


def _taker(node: ast.Name, scope: Scope) -> Scope | None:
    """The scope of the function that a name is a parameter of, which may be an outer one."""
    inner: Scope | None = scope
    while inner is not None:
        bindings = inner.bindings.get(node.id)
        if bindings:
            is_own = len(bindings) == 1 and bindings[0].kind == "parameter"
            return inner if is_own and not bindings[0].parameter else None
        inner = inner.parent
    return None


def _handed_over(context: TreeContext, taker: Scope, name: str) -> Iterator[tuple[str, list[Code]]]:
    """The functions that are handed over for a parameter, by calls and as what is decorated."""
    function = taker.function
    if function is None or taker.node is None:
        return
    for count, (call, scope, callee) in enumerate(calls_of(context.resolver, function)):
        if count == _MOST_CALLS:
            return
        for parameter, value in passed(context.resolver, call, callee):
            if parameter == name:
                starts = entered(context.file, value, scope)
                yield ast.unparse(value), list(reached(context.file, starts))
    for decorated in _decorated(context, function):
        starts = entered(context.file, ast.Name(decorated, ast.Load()), Scope(function.module))
        yield decorated, list(reached(context.file, starts))


def _decorated(context: TreeContext, decorator: Function) -> Iterator[str]:
    """The functions of the module that a decorator, or one that a function makes, is put on."""
    names = set(decorator.qualified_name.split("."))
    for statement in context.file.tree.body:
        if isinstance(statement, FunctionNode):
            for each in statement.decorator_list:
                called = each.func if isinstance(each, ast.Call) else each
                if last_name(called) in names:
                    yield statement.name


# Loggers whose records show what is read


def logged_with_context(context: TreeContext, codes: list[Code]) -> tuple[str, Code] | None:
    """What code of the file logs where a filter of the file adds a context variable to records."""
    found = first_read(context.file, codes, Role.CONTEXT_LOGGER)
    if found is None or found[1].scope.module is not context.file.module:
        return None
    return found if _has_filter(context) else None


def _has_filter(context: TreeContext) -> bool:
    """Whether the file adds a filter to a logger or handler, which reads a context variable."""
    filters = {
        cls.name
        for cls in context.file.tree.body
        if isinstance(cls, ast.ClassDef) and _reads(context, cls)
    }
    return bool(filters) and any(
        isinstance(node.func, ast.Attribute)
        and node.func.attr in ("addFilter", "addHandler", "setFormatter")
        and any(
            isinstance(each, ast.Call) and last_name(each.func) in filters for each in node.args
        )
        for node in all_nodes(context.file.tree, ast.Call)
    )


def _reads(context: TreeContext, cls: ast.ClassDef) -> bool:
    scope = Scope(context.file.module)
    return any(
        isinstance(method, ast.FunctionDef)
        and method.name in _SHOWING
        and any(
            Role.CONTEXT_READER in context.file.roles(node.func, scope)
            for node in body_nodes(method, ast.Call)
        )
        for method in cls.body
    )
