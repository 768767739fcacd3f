"""Functions whose call only makes a generator: nothing of them runs until somebody iterates."""

from __future__ import annotations

import ast

from logctx_lint.analysis.units import File
from logctx_lint.inference.class_members import enclosing_scope
from logctx_lint.inference.known_names import MARKS, RETURN_VALUE
from logctx_lint.inference.types import FunctionType, Instance, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, last_name

_ASYNCHRONOUS = frozenset({"typing.AsyncGenerator", "typing.AsyncIterator", "typing.AsyncIterable"})


def generators(file: File, func: ast.expr, scope: Scope) -> list[Function]:
    """The functions that an expression names, if whichever is called, a generator is made.

    A decorator may drive the generator, or make something else of it: such functions are left out.
    """
    if not _may_be_generator(file, func):
        return []
    members = members_of(file.resolver.type_of(func, scope))
    found = [each.function for each in members if isinstance(each, FunctionType)]
    is_known = bool(found) and len(found) == len(members)
    return found if is_known and all(_is_bare(file, each) for each in found) else []


def made_by(file: File, node: ast.expr, scope: Scope) -> list[Function]:
    """As `generators`, of the call that a value is, or that a local name is bound to."""
    match node:
        case ast.Call(func):
            return generators(file, func, scope)
        case ast.Name():
            bindings = scope.reaching_name(node)
            calls = [each.value for each in bindings if not each.path and each.kind == "value"]
            if len(calls) == len(bindings) == 1 and isinstance(calls[0], ast.Call):
                return generators(file, calls[0].func, scope)
    return []


def is_asynchronous(file: File, node: ast.expr, scope: Scope) -> bool:
    """Whether a value is an asynchronous generator, or another thing for `async for` alone."""
    if not any(_may_be_generator(file, each, ("asynchronous",)) for each in all_nodes(node)):
        return False
    members = members_of(file.resolver.type_of(node, scope))
    return all(
        isinstance(each, Instance) and each.cls.qualified_name in _ASYNCHRONOUS for each in members
    )


def waits(file: File, function: Function) -> bool:
    """Whether a plain generator is written as under `@inlineCallbacks`: it awaits by `yield`."""
    node = function.tree()
    if function.facts.is_async or node is None:
        return False
    scope = Scope.of_body(function, node)
    for each in body_nodes(node):
        match each:
            case ast.Call(func) if RETURN_VALUE in file.resolver.names(func, scope):
                return True
            case ast.Yield(ast.expr() as value):
                if file.resolver.awaitability(file.resolver.type_of(value, scope)).is_certain:
                    return True
            case ast.Assign(value=ast.Yield(ast.Call())):
                return True
    return False


def _may_be_generator(
    file: File, node: ast.AST, roles: tuple[str, ...] = ("asynchronous", "generating")
) -> bool:
    """A cheap look: has the package a generator function of this name, which may be meant?"""
    name = last_name(node)
    return bool(name) and any(name in getattr(file.traits, role) for role in roles)


def _is_bare(file: File, function: Function) -> bool:
    """Whether a function is a generator that no decorator drives, and all that override it are."""
    if not function.facts.is_generator or function.module.is_stub:
        return False
    resolver, scope = file.resolver, enclosing_scope(function)
    for decorator in function.facts.decorators:
        # Others may drive the generator, also where they seem to give back what they take.
        if MARKS.isdisjoint(resolver.names_of_text(decorator, scope)):
            return False
    if function.owner is None:
        return True
    return all(
        each.facts.is_generator and not each.facts.decorators
        for cls in resolver.references.subclasses(function.owner)
        for each in cls.function(function.name)
    )
