"""Task groups and the like that one method enters by hand and another leaves."""

from __future__ import annotations

import ast

from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.context import TreeContext
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import body_nodes

_EXIT = "__aexit__"
_STACK_METHODS = frozenset({"push_async_callback", "push_async_exit"})


def left_in(cls: ast.ClassDef, name: str) -> str | None:
    """The method that leaves what an attribute holds, by hand."""
    for method in cls.body:
        if isinstance(method, FunctionNode):
            for node in body_nodes(method):
                match node:
                    case ast.Call(ast.Attribute(ast.Attribute(ast.Name("self"), found), exit_)):
                        if found == name and exit_ == _EXIT:
                            return method.name
    return None


def is_exit(cls: ast.ClassDef, name: str) -> bool:
    """Whether a method is what a context manager does at its end, and so in the task that began.

    `__aexit__` calls it, or a stack has been told of it.
    """
    methods = [each for each in cls.body if isinstance(each, FunctionNode)]
    for method in methods:
        for node in body_nodes(method):
            match node:
                case ast.Call(ast.Attribute(ast.Name("self"), called)) if method.name == _EXIT:
                    if called == name:
                        return True
                case ast.Call(ast.Attribute(_, taker), [ast.Attribute(ast.Name("self"), given)]):
                    if given == name and taker in _STACK_METHODS:
                        return True
    return False


def task_scope(context: TreeContext, made: ast.Call) -> str | None:
    """What of an object binds it to one task: itself, or what its generator yields in."""
    if Role.TASK_SCOPE in context.roles(made):
        return f"`{context.line(made)}`"
    file = context.file
    for function in context.functions(made.func):
        code = code_of(function)
        for node in code.nodes if code else ():
            if not isinstance(node, ast.AsyncWith) or code is None:
                continue
            if not any(body_nodes(node, ast.Yield)):
                continue
            for item in node.items:
                value = item.context_expr
                if not isinstance(value, ast.Call):
                    continue
                if Role.TASK_SCOPE in file.roles(value.func, code.scope):
                    return f"the `{ast.unparse(value)}` of `{function.name}()`"
    return None
