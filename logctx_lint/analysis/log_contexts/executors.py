"""Executors: pools of processes, those that copy the context, and pools with prepared threads."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.called_code import code_of, reached
from logctx_lint.analysis.context import TreeContext
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.narrowing import dotted
from logctx_lint.inference.types import (
    External,
    ExternalInstance,
    FunctionType,
    Instance,
    Type,
    members_of,
)
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import body_nodes

_BASES = ("Executor", "ThreadPoolExecutor")
_PROCESSES = "ProcessPoolExecutor"


def is_of_processes(context: TreeContext, call: ast.Call) -> bool:
    """Whether the work goes to another process, which has no context of anybody's."""
    for member in _executors(context, call):
        name = member.cls.name if isinstance(member, Instance) else ""
        if isinstance(member, ExternalInstance):
            name = member.name.rpartition(".")[2]
        if name == _PROCESSES:
            return True
    return False


def may_copy_itself(context: TreeContext, call: ast.Call) -> bool:
    """Whether it is some executor, and one of the project's copies the context of who submits."""
    file, references = context.file, context.resolver.references
    classes = [each.cls for each in _executors(context, call) if isinstance(each, Instance)]
    if any(each.qualified_name.endswith("._base.Executor") for each in classes):
        classes += [
            cls
            for base in _BASES
            for cls in references.classes_with("inherited", base, file.module)
        ]
    return any(
        isinstance(node, ast.Call) and Role.CONTEXT_COPIER in file.roles(node.func, code.scope)
        for cls in classes
        for function in cls.function("submit")
        for code in reached(file, list(filter(None, [code_of(function)])))
        for node in code.nodes
    )


def _executors(context: TreeContext, call: ast.Call) -> Iterator[Type]:
    """What the work is handed to, or may be."""
    nodes = list(call.args[:1])
    if isinstance(call.func, ast.Attribute):
        nodes.append(call.func.value)
    for node in nodes:
        yield from members_of(context.type_of(node))


def is_prepared(context: TreeContext, call: ast.Call) -> bool:
    """Whether a thread is handed to other code before it starts, which may give it a context.

    thread = Thread(target=work)
    add_context(thread)
    thread.start()
    """
    function = context.function_of(call)
    match context.parent(call):
        case ast.Assign([target]) if isinstance(function, FunctionNode) and dotted(target):
            return any(
                isinstance(each, ast.Call)
                and any(dotted(given) == dotted(target) for given in each.args)
                and all(map(_is_own, members_of(context.type_of(each.func))))
                for each in body_nodes(function)
            )
    return False


def _is_own(callee: Type) -> bool:
    """Whether a function is the project's, or of a library that is not at hand."""
    if isinstance(callee, FunctionType):
        return not callee.function.module.is_stub
    return isinstance(callee, External)
