"""Objects whose class is known exactly, subclasses excluded.

    home = Home()
    show(home)                  # def show(home: Home): what is called on it is that of `Home`

So it is with what was made in place, with what a function gives that makes it, and with a parameter
that every call in the package passes such an object for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.call_sites import call_sites
from logctx_lint.analysis.units import File
from logctx_lint.inference.passed_arguments import argument_for
from logctx_lint.inference.types import ClassObject, FunctionType, callees_of
from logctx_lint.inference.use_def import Binding, Scope
from logctx_lint.syntax.ast_walk import returned_values

_MOST_STEPS = 4
"""From a use to where the object is made, through names, calls and returns."""


def is_of_exact_class(file: File, node: ast.expr, scope: Scope, steps: int = _MOST_STEPS) -> bool:
    """Whether an object is surely of the class that its type says, and of no subclass."""
    if not steps:
        return False
    match node:
        case ast.Name():
            bindings = scope.reaching_name(node)
            return bool(bindings) and all(_binds(file, each, scope, steps) for each in bindings)
        case ast.Call(func):
            called = file.resolver.type_of(func, scope)
            return isinstance(called, ClassObject) or (
                isinstance(called, FunctionType) and _makes(file, called, steps)
            )
    return False


def _binds(file: File, binding: Binding, scope: Scope, steps: int) -> bool:
    if binding.kind == "parameter":
        return all(
            given is not None and is_of_exact_class(file, given, where, steps - 1)
            for given, where in _passed(file, binding, scope)
        )
    if binding.kind not in ("value", "annotation") or binding.path or binding.value is None:
        return False
    return is_of_exact_class(file, binding.value, scope, steps)


def _passed(
    file: File, parameter: Binding, scope: Scope
) -> Iterator[tuple[ast.expr | None, Scope]]:
    """What the calls in the package pass for a parameter; None for what is not known."""
    resolver, function = file.resolver, scope.function
    found = call_sites(resolver, function) if function and parameter.parameter != "self" else []
    if not found:
        yield None, scope
    for call, where in found:
        callees = callees_of(resolver.type_of(call.func, where))
        if not callees:
            yield None, where
        for each in callees:
            yield argument_for(resolver, call, each, parameter.name), where


def _makes(file: File, called: FunctionType, steps: int) -> bool:
    """Whether a plain function gives nothing but what it makes."""
    function = called.function
    node = function.source_tree()
    if node is None or function.facts.is_async or function.facts.is_generator:
        return False
    scope = Scope.of_body(function, node)
    values = list(returned_values(node))
    return bool(values) and all(is_of_exact_class(file, each, scope, steps - 1) for each in values)
