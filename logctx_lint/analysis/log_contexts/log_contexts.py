"""Which values are log contexts or tracing spans, on `ast` alone."""

from __future__ import annotations

import ast

from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.passed_arguments import argument_for
from logctx_lint.inference.types import (
    ExternalInstance,
    Instance,
    callees_of,
    members_of,
)
from logctx_lint.inference.use_def import Scope

_GIVEN = "context"
"""The parameter of functions that read a context, for one that is not the current one."""


def plays(file: File, node: ast.expr, scope: Scope, roles: frozenset[Role]) -> bool:
    """Whether a value is of a class with one of these roles, or made by a function with one."""
    if isinstance(node, ast.Call):
        return bool(file.roles(node.func, scope) & roles) or _is_of(file, node, scope, roles)
    if isinstance(node, ast.Name) and any(
        binding.kind == "value"
        and isinstance(binding.value, ast.Call)
        and file.roles(binding.value.func, scope) & roles
        for binding in scope.reaching_name(node)
    ):
        return True
    if isinstance(node, ast.Attribute) and made_so(file, node, scope, roles):
        return True
    return _is_of(file, node, scope, roles)


def made_so(file: File, node: ast.Attribute, scope: Scope, roles: frozenset[Role]) -> bool:
    """Whether the class of an object assigns such a value to its attribute."""
    resolver = file.resolver
    return any(
        isinstance(value, ast.Call) and bool(file.roles(value.func, Scope(ancestor.module)) & roles)
        for member in members_of(resolver.type_of(node.value, scope))
        if isinstance(member, Instance)
        for ancestor, _ in resolver.classes.ancestors(member.cls)
        for item in ancestor.facts.variables.get(node.attr, ())
        if (value := parse_expression(item.value))
    )


def reads_current(file: File, call: ast.Call, scope: Scope) -> bool:
    """Whether a call reads the current context; `get_value(key, ctx)` reads the one it is given."""
    if Role.CONTEXT_READER not in file.roles(call.func, scope):
        return False
    if any(each.arg == _GIVEN for each in call.keywords):
        return False
    return not any(
        argument_for(file.resolver, call, callee, _GIVEN)
        for callee in callees_of(file.resolver.type_of(call.func, scope))
    )


def _is_of(file: File, node: ast.expr, scope: Scope, roles: frozenset[Role]) -> bool:
    for member in members_of(file.resolver.type_of(node, scope)):
        names: tuple[str, ...] = ()
        if isinstance(member, Instance):
            names = file.resolver.classes.names(member.cls)
        elif isinstance(member, ExternalInstance):
            names = (member.name,)
        if file.vocabulary.roles(names) & roles:
            return True
    return False
