"""Defaults of context variables that all contexts share, and that code changes in place.

_tags = ContextVar("tags", default={})

def tag(name, value):
    _tags.get()[name] = value       # Whoever has set nothing of its own sees it, too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.context import TreeContext
from logctx_lint.inference.known_names import ADDERS, REMOVERS
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, assignments, body_nodes, targets_of

_VARIABLE = "contextvars.ContextVar"
_MAKING = frozenset({"list", "dict", "set", "bytearray", "deque", "defaultdict", "OrderedDict"})
_CHANGING = ADDERS | REMOVERS | {"update", "setdefault", "extend", "sort", "reverse", "appendleft"}


def changed_default(context: TreeContext, call: ast.Call) -> tuple[ast.expr, ast.AST, bool] | None:
    """The default of a new context variable, where code of the file changes that in place, and
    whether other code may set something else before."""
    if _VARIABLE not in context.names(call):
        return None
    default = next((each.value for each in call.keywords if each.arg == "default"), None)
    if default is None or not _is_mutable(default):
        return None
    targets = targets_of(context.parent(call))
    changes = [each for target in targets for each in _changes(context, ast.unparse(target))]
    if not changes:
        return None
    sets = {ast.unparse(target) + ".set" for target in targets}
    is_set = any(ast.unparse(each.func) in sets for each in all_nodes(context.file.tree, ast.Call))
    return default, changes[0], is_set


def _is_mutable(node: ast.expr) -> bool:
    match node:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(ast.Name(name) | ast.Attribute(_, name)):
            return name in _MAKING
    return False


def _changes(context: TreeContext, variable: str) -> Iterator[ast.AST]:
    """Where code of the file changes in place what a variable of this text gives."""
    for function in all_nodes(context.file.tree):
        if not isinstance(function, FunctionNode):
            continue
        nodes = list(body_nodes(function))
        given = [each for each in nodes if _gives(each, variable)]
        if not given:
            continue
        names = {
            target.id
            for target, value in assignments(nodes)
            if isinstance(target, ast.Name) and value in given
        }
        # A name that may hold something else, a copy perhaps, says nothing.
        names = {each for each in names if _is_bound_once(nodes, each)}
        yield from (each for each in nodes if _is_change(each, given, names))


def _gives(node: ast.AST, variable: str) -> bool:
    match node:
        case ast.Call(ast.Attribute(holder, "get"), []):
            return ast.unparse(holder) == variable
    return False


def _is_bound_once(nodes: list[ast.AST], name: str) -> bool:
    names = (each for each in nodes if isinstance(each, ast.Name) and each.id == name)
    return sum(isinstance(each.ctx, ast.Store) for each in names) == 1


def _is_change(node: ast.AST, given: list[ast.AST], names: set[str]) -> bool:
    match node:
        case ast.Call(ast.Attribute(holder, method)) if method in _CHANGING:
            pass
        case ast.Subscript(holder, ctx=ast.Store() | ast.Del()):
            pass
        case _:
            return False
    return holder in given or (isinstance(holder, ast.Name) and holder.id in names)
