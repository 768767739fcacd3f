"""Types of parameters without annotation, from declarations of whoever calls the function.

class Bridge(Client):                       @bot.command()
    async def on_message(self, message):    async def ping(ctx):
        ...                                     ...
await asyncio.start_server(serve, host)     # async def serve(reader, writer): ...

`Client` declares `on_message(self, message: Message)`, `command()` gives what takes a
`Callable[[Context], Any]`, and `start_server()` takes such a function itself. Only what libraries
declare is looked at.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from logctx_lint.incremental.memo import Store
from logctx_lint.inference import annotation_types
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import enclosing_scope, signature_scope
from logctx_lint.inference.passed_arguments import open_parameters, pairs
from logctx_lint.inference.types import (
    UNKNOWN,
    CallableType,
    ClassObject,
    FunctionType,
    Instance,
    Type,
    TypeVariable,
    erase,
    members_of,
    union_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Class, Function, Module
from logctx_lint.syntax.ast_walk import call_arguments, last_name, own_nodes

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver


class DeclaredParameters:
    """Answers about the parameters of functions; part of the resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._found: Store[Type] = {}

    def parameter(self, function: Function, name: str) -> Type:
        """What is declared to be passed for a parameter; UNKNOWN where nothing says so."""
        is_plain = function.owner is None and not function.facts.decorators
        if function.module.is_foreign or (is_plain and not function.facts.is_async):
            return UNKNOWN
        return self._resolver.memo.get(
            self._found, (function, name), lambda: self._declared(function, name), UNKNOWN
        )

    def _declared(self, function: Function, name: str) -> Type:
        own = [each.name for each in open_parameters(self._resolver, function) if not each.kind]
        if name not in own:
            return UNKNOWN
        index = own.index(name)
        if function.owner is not None:
            for base, _ in self._resolver.classes.ancestors(function.owner):
                found = (
                    UNKNOWN if base == function.owner else self._of_method(base, function, index)
                )
                if found != UNKNOWN:
                    return found
        for text in function.facts.decorators:
            node = parse_expression(text)
            found = self._by_decorator(node, function, index) if node is not None else UNKNOWN
            if found != UNKNOWN:
                return found
        return self._by_registration(function, index) if function.facts.is_async else UNKNOWN

    def _of_method(self, cls: Class, function: Function, index: int) -> Type:
        """What a method of a library's class declares that has the name of the function."""
        if not cls.module.is_foreign:
            return UNKNOWN
        declared = cls.function(function.name)[-1:]
        return erase(union_of(self._annotated(each, index) for each in declared))

    def _annotated(self, function: Function, index: int) -> Type:
        positional = [each for each in open_parameters(self._resolver, function) if not each.kind]
        if index >= len(positional) or not positional[index].annotation:
            return UNKNOWN
        node = parse_expression(positional[index].annotation)
        return annotation_types.evaluate(self._resolver, node, signature_scope(function))

    def _by_decorator(self, decorator: ast.expr, function: Function, index: int) -> Type:
        """What a decorator says that it calls a function with, or an event of its object."""
        scope = enclosing_scope(function)
        if isinstance(decorator, ast.Attribute):
            # `@client.event`, where the client has a method of the function's name.
            for each in members_of(self._resolver.type_of(decorator.value, scope)):
                for base, _ in (
                    self._resolver.classes.ancestors(each.cls) if isinstance(each, Instance) else ()
                ):
                    found = self._of_method(base, function, index)
                    if found != UNKNOWN:
                        return found
        for callee in members_of(self._resolver.type_of(decorator, scope)):
            taken: Type = UNKNOWN
            if isinstance(callee, FunctionType) and callee.function.module.is_foreign:
                taken = self._annotated(callee.function, 0)
            elif isinstance(callee, CallableType) and callee.parameters:
                taken = callee.parameters[0]
            found = _parameter_of(taken, index)
            if found != UNKNOWN:
                return found
        return UNKNOWN

    def _by_registration(self, function: Function, index: int) -> Type:
        """What a library's function calls it with that its module hands it to."""
        name = function.name
        module = function.module
        module.note_all()
        if module.source.text.count(name) == 1:
            return UNKNOWN
        for call, scope in self._calls_with(module, name):
            for callee in members_of(self._resolver.type_of(call.func, scope)):
                if isinstance(callee, ClassObject):
                    callee = self._resolver.member(Instance(callee.cls), "__init__")
                if not isinstance(callee, FunctionType) or not callee.function.module.is_foreign:
                    continue
                parameters = open_parameters(self._resolver, callee)
                for parameter, argument in pairs(call, parameters):
                    if last_name(argument) != name or not parameter.annotation:
                        continue
                    node = parse_expression(parameter.annotation)
                    where = signature_scope(callee.function)
                    taken = annotation_types.evaluate(self._resolver, node, where)
                    found = _parameter_of(taken, index)
                    if found != UNKNOWN and self._is(argument, scope, function):
                        return found
        return UNKNOWN

    def _calls_with(self, module: Module, name: str) -> Iterator[tuple[ast.Call, Scope]]:
        """The calls in a module that are given something of some name."""
        bodies = [each for table in module.facts.functions.values() for each in table]
        functions = [Function(module, f"{module.name}.{e.name}", e.line, e) for e in bodies]
        for cls in module.facts.classes.values():
            functions += Class(module, f"{module.name}.{cls.name}", cls.line, cls).methods()
        for each in functions:
            if name in each.text():
                for calls in self._resolver.references.body(each).calls.values():
                    yield from ((e, scope) for e, scope in calls if _is_given(e, name))
        tree = module.file.tree or module.source.parse()
        for node in own_nodes(tree.body):
            if isinstance(node, ast.Call) and _is_given(node, name):
                yield node, Scope(module)

    def _is(self, node: ast.expr, scope: Scope, function: Function) -> bool:
        return any(
            isinstance(each, FunctionType) and each.function == function
            for each in members_of(self._resolver.type_of(node, scope))
        )


def _is_given(call: ast.Call, name: str) -> bool:
    return any(
        isinstance(each, ast.Name | ast.Attribute) and last_name(each) == name
        for each in call_arguments(call)
    )


def _parameter_of(taken: Type, index: int) -> Type:
    """What something that takes a function passes to it, by the type of what it takes."""
    bounds = [each.bound if isinstance(each, TypeVariable) else each for each in members_of(taken)]
    for bound in bounds:
        for each in members_of(bound):
            if isinstance(each, CallableType) and index < len(each.parameters):
                return erase(each.parameters[index])
    return UNKNOWN
