"""Result types of functions: declared or inferred, with their decorators applied."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from logctx_lint.incremental.memo import Store
from logctx_lint.inference import annotation_types, calls
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import enclosing_scope, signature_scope
from logctx_lint.inference.definitions import function_type
from logctx_lint.inference.known_names import GENERATOR_MANAGERS, RETURN_VALUE, names_manager_maker
from logctx_lint.inference.types import (
    NONE,
    UNKNOWN,
    CallableType,
    Certainty,
    ClassObject,
    FunctionType,
    Instance,
    Kind,
    Type,
    TypeVariable,
    callees_of,
    members_of,
    union_of,
)
from logctx_lint.inference.unification import parameter_variable
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import body_nodes, is_name
from logctx_lint.syntax.placeholders import BodyKind, statements

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver

_OF_ASYNC_GENERATORS = frozenset(
    {"typing.AsyncIterable", "typing.AsyncIterator", "typing.AsyncGenerator"}
)
_INTERFACE = frozenset({"zope.interface.Interface"})
_ANY_AWAITABLES = frozenset({"typing.Awaitable", "typing.Coroutine"})
"""What people declare that a function gives, if it is a Task or a Future."""
_MAY_BE_AWAITABLE = frozenset({Certainty.YES, Certainty.SOME})
_STARTED = frozenset({Kind.TASK, Kind.FUTURE, Kind.DEFERRED})
_BODIES_KEPT = 32
"""Function trees kept at a time: enough for neighbours, too few to cost memory. While a question
is open, more are kept: those about the names in a body are told apart by its scope."""


class Functions:
    """Types of functions and their results; part of the resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._decorated: Store[Type] = {}
        self._results: Store[Type] = {}
        self._bodies: dict[Function, Scope] = {}

    def value_of_functions(self, functions: list[Function]) -> Type:
        """What the name of these definitions is, after their decorators."""
        own = function_type(functions)
        values = []
        for member in callees_of(own):
            decorated = self.decorated(member.function)
            is_object = isinstance(decorated, Instance | ClassObject)
            values.append(decorated if is_object else member)
        return union_of(values)

    def decorated(self, function: Function) -> Type:
        """The type of a function after its decorators (itself, if they change nothing)."""
        return self._resolver.memo.get(
            self._decorated, function, lambda: calls.decorate(self._resolver, function), UNKNOWN
        )

    def plain_result(self, function: Function) -> Type:
        """What a call of the undecorated function gives, type variables included."""
        return self._resolver.memo.get(
            self._results, function, lambda: self._plain_result(function), UNKNOWN
        )

    def _plain_result(self, function: Function) -> Type:
        facts = function.facts
        if facts.returns:
            declared = self._declared_result(function)
        elif function.module.is_stub:
            declared = UNKNOWN
        else:
            declared = self._inferred_result(function)
        if facts.is_generator:
            if facts.returns:
                return declared
            base = "AsyncGenerator" if facts.is_async else "Generator"
            return self._resolver.typed(base, self._entered(function), UNKNOWN, declared)
        if facts.is_async and self._stands_for_generators(function, declared):
            return declared
        if others := self._of_another_kind(function):
            return union_of([self._called(each) for each in others])
        if facts.is_async:
            return self._resolver.typed("Coroutine", UNKNOWN, UNKNOWN, declared)
        return declared

    def _declared_result(self, function: Function) -> Type:
        """What the annotation says, unless it says less than the body does, or contradicts it."""
        facts = function.facts
        node = parse_expression(facts.returns)
        declared = annotation_types.evaluate(self._resolver, node, signature_scope(function))
        if declared == CallableType(UNKNOWN) and not function.module.is_stub:
            declared = self._inferred_result(function)
        elif not facts.is_async and self._declares_any_awaitable(declared):
            declared = self._started(function, declared)
        if not facts.is_async and self._gives_only_none(function, declared):
            declared = NONE
        if facts.is_async and self._annotates_the_call(function, declared):
            declared = UNKNOWN
        return declared

    def _declares_any_awaitable(self, declared: Type) -> bool:
        return isinstance(declared, Instance) and declared.cls.qualified_name in _ANY_AWAITABLES

    def _started(self, function: Function, declared: Type) -> Type:
        """The Task or Future that a declared awaitable is in fact: its work runs by itself."""
        if function.module.is_stub:
            return declared
        if self.is_abstract(function):
            overrides = self._resolver.references.overriding(function)
            found = [self._called(each) for each in overrides if not self.is_abstract(each)]
        else:
            found = [self._inferred_result(function)]
        answers = [self._resolver.awaitability(each) for each in found]
        is_started = all(each.is_certain and each.kind in _STARTED for each in answers)
        return union_of(found) if found and is_started else declared

    def starts_work(self, callee: Type) -> bool:
        """Whether `-> Any` is said of work that runs by itself, awaited or not."""
        if not isinstance(callee, FunctionType) or callee.function.module.is_stub:
            return False
        if not callee.function.facts.returns or callee.function.facts.is_async:
            return False
        answer = self._resolver.awaitability(self._inferred_result(callee.function))
        return answer.certainty in _MAY_BE_AWAITABLE and answer.kind in _STARTED

    def _called(self, function: Function) -> Type:
        return self._resolver.call_type(self.decorated(function))

    def _gives_only_none(self, function: Function, declared: Type) -> bool:
        """Whether `-> Task | None` is None in fact: the body returns nothing, and nothing overrides
        it."""
        if function.facts.is_generator or function.module.is_stub:
            return False
        if self._resolver.awaitability(declared).certainty not in _MAY_BE_AWAITABLE:
            return False
        return (
            not self.is_abstract(function)
            and self._inferred_result(function) == NONE
            and not any(self._resolver.references.overriding(function))
        )

    def _annotates_the_call(self, function: Function, declared: Type) -> bool:
        """Whether an `async def -> Awaitable[T]` says what calling it gives, and not awaiting it.

        So does a common mistake; the body tells them apart.
        """
        if function.module.is_stub or not self._resolver.awaitability(declared).is_likely:
            return False
        if self.is_abstract(function):
            return False
        return not self._resolver.awaitability(self._inferred_result(function)).is_likely

    def _stands_for_generators(self, function: Function, declared: Type) -> bool:
        """Whether an abstract `async def` is there for asynchronous generators to override."""
        return (
            function.owner is not None
            and not function.module.is_stub
            and isinstance(declared, Instance)
            and declared.cls.qualified_name in _OF_ASYNC_GENERATORS
            and self.is_abstract(function)
        )

    def _of_another_kind(self, function: Function) -> list[Function]:
        """What stands in for an abstract `async def`, and gives no coroutine.

        `async def read(self) -> str: pass` is a coroutine function by the letter alone, where
        asynchronous generators, or context managers made of whatever, override it.
        """
        if not function.facts.is_async or function.owner is None or function.module.is_stub:
            return []
        if not self.is_abstract(function):
            return []
        return [
            each
            for each in self._resolver.references.overriding(function)
            if each.facts.is_async
            and (each.facts.is_generator or any(map(names_manager_maker, each.facts.decorators)))
        ]

    def body_scope(self, function: Function) -> Scope:
        """The scope that facts about a function's body are read in."""
        if function not in self._bodies:
            if self._resolver.memo.is_idle:
                while len(self._bodies) >= _BODIES_KEPT:
                    self._bodies.pop(next(iter(self._bodies)))
            self._bodies[function] = Scope(
                function.module,
                None,
                enclosing_scope(function) if function.owner else function.scope,
                function,
                function.owner,
            )
        return self._bodies[function]

    def _inferred_result(self, function: Function) -> Type:
        node = self.body_scope(function).tree
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return UNKNOWN
        scope = self._resolver.body_scopes.of(function, node)
        results: list[Type] = []
        nodes = list(body_nodes(node))
        awaited = _awaited_names(nodes)
        for inner in nodes:
            if isinstance(inner, ast.Return):
                results += self._returned(inner.value, scope, awaited) if inner.value else [NONE]
            elif isinstance(inner, ast.Call) and self._is_return_value(inner, scope):
                results += [self._resolver.type_of(value, scope) for value in inner.args]
        if results:
            return union_of(results)
        # A body that only raises or says nothing is there to be overridden.
        body = statements(node.body)
        return UNKNOWN if not body or isinstance(body[-1], ast.Raise) else NONE

    def _entered(self, function: Function) -> Type:
        """What a generator yields of which contextlib makes a context manager."""
        scope, managers = signature_scope(function), GENERATOR_MANAGERS
        decorators = (self._resolver.names_of_text(e, scope) for e in function.facts.decorators)
        node = self.body_scope(function).tree
        if not isinstance(node, FunctionNode) or not any(managers & {*e} for e in decorators):
            return UNKNOWN
        inner = self._resolver.body_scopes.of(function, node)
        yielded = [each.value for each in body_nodes(node, ast.Yield)]
        return union_of([self._resolver.type_of(e, inner) if e else NONE for e in yielded])

    def is_abstract(self, function: Function) -> bool:
        """Whether a method is only there to be overridden."""
        return function.body_kind not in (None, BodyKind.CODE)

    def is_of_interface(self, function: Function) -> bool:
        """Whether an interface of the project declares it, and some class implements it anyhow.

        What inherits from an implementation, whose stub names the interface as its base, is none.
        """
        return (
            function.owner is not None
            and function.facts.is_async
            and self._resolver.classes.has_ancestor(function.owner, _INTERFACE)
            and self.is_abstract(function)
        )

    def _returned(self, value: ast.expr, scope: Scope, awaited: set[str]) -> list[Type]:
        """What `return` gives, one type for each arm of a conditional expression.

        What is awaited elsewhere in the function is an awaitable in some calls, and not in others:
        `return await x if isawaitable(x) else x`.
        """
        if isinstance(value, ast.IfExp):
            return [
                each
                for arm in (value.body, value.orelse)
                for each in self._returned(arm, scope, awaited)
            ]
        given = self._given_back(value, scope)
        if not awaited.isdisjoint(_asked_names(value)):
            return [each for each in members_of(given) if not self._may_be_awaited(each)] or [
                UNKNOWN
            ]
        return [given]

    def _may_be_awaited(self, type_: Type) -> bool:
        return isinstance(type_, TypeVariable) or self._resolver.awaitability(type_).is_likely

    def _given_back(self, value: ast.expr, scope: Scope) -> Type:
        """What an expression gives; the object itself, or a new one of its class, is a `Self`."""
        method = scope.function
        if method and isinstance(value, ast.Name) and self._is_parameter(value.id, scope):
            # Whatever it is given is what it gives back, as decorators do that only set a mark.
            return TypeVariable(parameter_variable(method, value.id))
        found = self._resolver.type_of(value, scope)
        if method is None or method.owner is None or not method.facts.parameters:
            return found
        first = value.func if isinstance(value, ast.Call) else value
        if is_name(first, method.facts.parameters[0].name):
            itself = self._resolver.classes.self_variable(method.owner)
            return itself if found == itself.bound else found
        return found

    def _is_parameter(self, name: str, scope: Scope) -> bool:
        """Whether a name is a parameter of which nothing is said, and never anything else."""
        bindings = scope.bindings.get(name, ())
        return len(bindings) == 1 and (
            bindings[0].kind == "parameter"
            and bindings[0].parameter in ("", "k")
            and not bindings[0].annotation
        )

    def _is_return_value(self, call: ast.Call, scope: Scope) -> bool:
        """`defer.returnValue(x)`, the `return x` of old."""
        match call.func:
            case ast.Name("returnValue") | ast.Attribute(_, "returnValue"):
                return RETURN_VALUE in self._resolver.names(call.func, scope)
        return False


def _awaited_names(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that are awaited, or whose call is."""
    return {
        name
        for node in nodes
        if isinstance(node, ast.Await | ast.Yield | ast.YieldFrom) and node.value
        for name in _asked_names(node.value)
    }


def _asked_names(value: ast.expr) -> Iterator[str]:
    """The name that an expression is, or calls."""
    named = value.func if isinstance(value, ast.Call) else value
    if isinstance(named, ast.Name):
        yield named.id
