"""Executors that work is handed to: those of processes, and those that copy the context."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.called_code import code_of, reached
from logctx_lint.analysis.context import TreeContext
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.types import ExternalInstance, Instance, Type, members_of

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
