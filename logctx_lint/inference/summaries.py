"""Function summaries: what callers have to know of a function, in place of its body.

    def flush(self):                       # Summary(returned=(STORED, cannot fail), ...)
        future = self._flushed = Future()
        self._wake.set()
        return future

A summary says of each value that the function returns where it comes from, and whether somebody
has to look at its failure; whether the function ever returns; whether it sees to its own
failures; and whether it does the same work in two ways, for callers that await and for others.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.vocabulary import Role
from logctx_lint.incremental.memo import Store
from logctx_lint.inference import constants, function_exits
from logctx_lint.inference.dual_mode_functions import has_two_modes
from logctx_lint.inference.future_uses import (
    Body,
    Uses,
    cannot_fail,
)
from logctx_lint.inference.futures_elsewhere import FollowedElsewhere
from logctx_lint.inference.implementations import implementations, overrides
from logctx_lint.inference.inherited_results import inherited_result
from logctx_lint.inference.known_names import KIND_TEST_NAMES, VALUE_TEST_NAMES
from logctx_lint.inference.narrowing import dotted
from logctx_lint.inference.passed_arguments import parameter_for
from logctx_lint.inference.places_outside import PlacesOutside
from logctx_lint.inference.raised_errors import RaisedErrors
from logctx_lint.inference.returned_values import (
    CIRCULAR_VALUE,
    UNKNOWN_VALUE,
    Returned,
    ReturnedValues,
    Source,
    among,
)
from logctx_lint.inference.types import (
    CallableType,
    Certainty,
    ClassObject,
    External,
    ExternalInstance,
    FunctionType,
    Instance,
    Kind,
    Type,
    TypeVariable,
    Unknown,
    callees_of,
    functions_of,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    last_name,
    mentions_attribute,
    returned_values,
)

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver

_NOT_KNOWN = (Unknown, External, ExternalInstance, TypeVariable)
_MAKERS = frozenset({"asyncio.events.AbstractEventLoop.create_future"})
_WAITERS = frozenset(
    {Role.CANCELLATION_SHIELD, Role.FORWARDING_GATHERER, Role.GATHERER, Role.DEFERRED_LIST}
)

_MOST_OF_PREDICATE = 2
"""Parameters, `self` included."""
_LOOKING_ON = VALUE_TEST_NAMES | {"isinstance", "print", "repr"}


@dataclass(frozen=True, slots=True)
class Summary:
    """What callers have to know of one function."""

    returned: tuple[Returned, ...] = UNKNOWN_VALUE
    """Empty where it has no `return` with a value."""
    never_returns: bool = False
    """It raises, or ends the process, on every path."""
    handles_failures: bool = False
    """No failure of its work gets out of it."""
    has_two_modes: bool = False
    """It does the same work at once, or gives an awaitable for it."""
    keeps_itself: bool = False
    """A coroutine that puts the task it runs in where others find it."""


UNSUMMARIZED = Summary()
_CIRCULAR = Summary(CIRCULAR_VALUE)


class Summaries:
    """Answers about the functions of a project, some of which have roles in a vocabulary."""

    def __init__(self, resolver: Resolver, vocabulary: Vocabulary) -> None:
        self.resolver = resolver
        self._vocabulary = vocabulary
        self._summaries: Store[Summary] = {}
        self.remembered: Store[Any] = {}
        """Answers about functions that analyses keep here, by a name and the function."""
        self._attributes: Store[Uses] = {}
        self._parameters: Store[Uses] = {}
        self._predicates: Store[bool] = {}

    def of(self, function: Function) -> Summary:
        """The summary of a function, or of what overrides one that is only there for that."""
        function = function.implementation
        return self.resolver.memo.get(
            self._summaries, function, lambda: self._summarize(function), _CIRCULAR
        )

    def of_known_callees(self, func: ast.expr, scope: Scope) -> list[Summary]:
        """The summaries of the functions that a call may reach, as far as they are known."""
        callee = self.resolver.run_by_call(self.resolver.type_of(func, scope))
        return [self.of(each) for each in functions_of(callee)]

    def of_callee(self, func: ast.expr, scope: Scope) -> list[Summary] | None:
        """The summaries of all that a call may reach; None where something is not known."""
        found = self.of_known_callees(func, scope)
        return found if len(found) == len(members_of(self.resolver.type_of(func, scope))) else None

    def may_give_else(self, callee: Type) -> bool:
        """Whether a function that gives awaitables is known to give something else as well.

        Its callers have to be told "may"; what is taken for the value may be that.
        """
        for each in members_of(callee):
            if isinstance(each, FunctionType):
                given = self.resolver.call_type(each)
                is_awaitable = self.resolver.awaitability(given).is_likely
                is_open = any(isinstance(one, _NOT_KNOWN) for one in members_of(given))
                if is_awaitable and (
                    is_open
                    or self.of(each.function).has_two_modes
                    or self._is_overridden_by_plain(each)
                ):
                    return True
        return self.may_reach_plain(callee)

    def may_reach_plain(self, callee: Type) -> bool:
        """Whether one of the functions that a call may reach is a plain one, of unknown result.

        A base class has a synchronous and an asynchronous client, say: which of them it is,
        whoever calls it knows.
        """
        called = [
            each for each in members_of(callee) if isinstance(each, FunctionType | CallableType)
        ]
        functions = [each for each in called if isinstance(each, FunctionType)]
        return len(called) > 1 and any(
            self._may_be_plain(each, functions)
            and not self.resolver.awaitability(self.resolver.call_type(each)).is_likely
            for each in called
        )

    def _may_be_plain(
        self, callee: FunctionType | CallableType, others: list[FunctionType]
    ) -> bool:
        """Whether a function is none that is asynchronous, or only there to be overridden."""
        if isinstance(callee, CallableType):
            return True
        return (
            not callee.function.facts.is_async
            and not callee.function.module.is_stub
            and not self._is_written_among(callee.function, others)
        )

    def is_implemented_as_plain(self, function: Function) -> bool:
        """Whether a method that is only there to be overridden gives no awaitable in some class."""
        if function.implementation != function:
            return False  # One of several overloads.
        return any(
            each != function
            and not each.facts.is_async
            and self.resolver.awaitability(self.resolver.call_type(FunctionType(each))).certainty
            is Certainty.NO
            for each in implementations(self.resolver, function)
        )

    def _is_written_among(self, function: Function, others: list[FunctionType]) -> bool:
        """Whether one of some functions stands in for a method that only says what is to be."""
        if not self.resolver.functions.is_abstract(function):
            return False
        owners = [each.function.owner for each in others if each.function != function]
        return any(
            ancestor == function.owner
            for owner in owners
            if owner is not None
            for ancestor, _ in self.resolver.classes.ancestors(owner)
        )

    def _is_overridden_by_plain(self, callee: FunctionType) -> bool:
        """Whether a class that may be the receiver's overrides a method to give something else."""
        if not isinstance(callee.receiver, Instance) or callee.function.facts.returns:
            return False
        return any(
            self.resolver.awaitability(self.resolver.call_type(FunctionType(each))).certainty
            in (Certainty.NO, Certainty.SOME)
            for each in overrides(self.resolver, callee.function)
        )

    def roles(self, func: ast.expr, scope: Scope) -> frozenset[Role]:
        """The roles of what a (dotted) name names."""
        return self._vocabulary.roles(self.resolver.names(func, scope))

    def never_returns(self, call: ast.Call, scope: Scope) -> bool:
        """Whether control does not come back from a call."""
        if self.ends_process(call.func, scope):
            return True
        found = self.of_callee(call.func, scope)
        return bool(found) and all(each.never_returns for each in found or ())

    def ends_process(self, func: ast.expr, scope: Scope) -> bool:
        """Whether a function is known by its name not to return; one that overrides it may do."""
        own = [
            each.function.qualified_name
            for each in callees_of(self.resolver.type_of(func, scope))
            if not each.function.module.is_stub
        ]
        roles = [self._vocabulary.roles([each]) for each in own] or [self.roles(func, scope)]
        return all(Role.PROCESS_EXIT in each for each in roles)

    def asks_whether_awaitable(self, func: ast.expr, scope: Scope) -> bool:
        """Whether a function says of its argument whether it is, or gives, an awaitable."""
        names = (*self.resolver.names(func, scope), dotted(func))
        if any(name.rpartition(".")[2].replace("_", "") in KIND_TEST_NAMES for name in names):
            return True
        members = members_of(self.resolver.type_of(func, scope))
        return bool(members) and all(
            isinstance(each, FunctionType) and self._wraps_predicate(each.function)
            for each in members
        )

    def _wraps_predicate(self, function: Function) -> bool:
        return self.resolver.memo.get(
            self._predicates, function, lambda: self._find_predicate(function), False
        )

    def _find_predicate(self, function: Function) -> bool:
        node = function.source_tree()
        if node is None or len(node.args.args) > _MOST_OF_PREDICATE:
            return False
        scope = Scope.of_body(function, node)
        return any(
            isinstance(each, ast.Call) and self.asks_whether_awaitable(each.func, scope)
            for value in returned_values(node)
            for each in all_nodes(value)
        )

    def gives_awaitable(self, callee: FunctionType, call: ast.Call) -> bool:
        """Whether a plain function may give an awaitable for the flags that a call passes."""
        function = callee.function.implementation
        facts = function.facts
        if facts.is_async or facts.is_generator or function.module.is_stub:
            return True
        node = function.tree()
        if node is None or self.resolver.functions.is_abstract(function):
            return True
        known = constants.flags(self.resolver, FunctionType(function, callee.receiver), call)
        reached, _ = constants.reachable_returns(node.body, known)
        values = [each.value for each in reached if each.value]
        receiver = FunctionType(function, callee.receiver)
        inherited = [inherited_result(self.resolver, each, receiver) for each in values]
        is_all = len(reached) == sum(isinstance(each, ast.Return) for each in body_nodes(node))
        if is_all and (not inherited or None in inherited):
            return True
        scope = Scope.of_body(function, node)
        types = [
            self.resolver.type_of(value, scope) if found is None else found
            for value, found in zip(values, inherited, strict=True)
        ]
        return any(self.resolver.awaitability(each).certainty is not Certainty.NO for each in types)

    def _summarize_all(self, functions: list[Function]) -> Summary:
        """What holds of a call that runs one of some functions."""
        found = [self.of(each) for each in functions]
        return Summary(
            among(one for each in found for one in each.returned),
            handles_failures=all(each.handles_failures for each in found),
            has_two_modes=any(each.has_two_modes for each in found),
            keeps_itself=all(each.keeps_itself for each in found),
        )

    def _summarize(self, function: Function) -> Summary:
        node = function.source_tree()
        if node is None:
            return UNSUMMARIZED
        if self.resolver.functions.is_abstract(function):
            overrides = implementations(self.resolver, function)
            if overrides != [function]:
                return self._summarize_all(overrides)
        scope = Scope.of_body(function, node)
        handles = function_exits.handles_failures(self, RaisedErrors(self.resolver, scope), node)
        is_plain = not function.facts.is_async and not function.facts.is_generator
        decorated = self.resolver.functions.decorated(function)
        if not is_plain or decorated != FunctionType(function):
            return Summary(
                (Returned(Source.FRESH, can_fail=not handles),),
                never_returns=is_plain and function_exits.never_returns(self, node, scope),
                handles_failures=handles,
                has_two_modes=has_two_modes(self, node, scope)
                if is_plain
                else self.resolver.replaced_methods.have_two_modes(function),
                keeps_itself=function.facts.is_async and self._keeps_itself(node, scope),
            )
        returned = ReturnedValues(self, function, node, scope).all()
        return Summary(
            returned,
            never_returns=function_exits.never_returns(self, node, scope),
            handles_failures=handles
            or (bool(returned) and not any(each.can_fail for each in returned)),
            has_two_modes=has_two_modes(self, node, scope),
        )

    def _keeps_itself(self, node: FunctionNode, scope: Scope) -> bool:
        nodes = list(body_nodes(node))
        calls = (each for each in nodes if isinstance(each, ast.Call) and not each.args)
        return (
            any(last_name(each.func) == "current_task" for each in calls)
            and PlacesOutside(self, scope, nodes).keeps_itself()
        )

    # What is done with Futures

    def passed_on(self, scope: Scope, call: ast.Call, argument: ast.expr) -> Uses:
        """What the callee of a call does with a Future that it is given."""
        if self.roles(call.func, scope) & _WAITERS:
            return Uses.NOTHING
        if dotted(call.func).rpartition(".")[2] in _LOOKING_ON:
            return Uses.NOTHING
        found = Uses.NOTHING
        for member in members_of(self.resolver.type_of(call.func, scope)):
            callee: Type | None = member
            if isinstance(member, ClassObject):
                callee = self.resolver.classes.member(Instance(member.cls), "__init__")
            if not isinstance(callee, FunctionType):
                return Uses.UNKNOWN
            parameter = parameter_for(self.resolver, call, callee, argument)
            if not parameter:
                return Uses.UNKNOWN
            found |= self._parameter_uses(callee.function, parameter)
        return found

    def _parameter_uses(self, function: Function, name: str) -> Uses:
        return self.resolver.memo.get(
            self._parameters,
            (function, name),
            lambda: self._find_parameter_uses(function, name),
            Uses.UNKNOWN,
        )

    def _find_parameter_uses(self, function: Function, name: str) -> Uses:
        node = function.source_tree()
        if node is None or self.resolver.functions.is_abstract(function):
            # asyncio's and Twisted's own are told apart by their roles.
            return Uses.UNKNOWN
        return Body(node).uses(name, FollowedElsewhere(self, Scope.of_body(function, node)))

    def attribute_uses(self, cls: Class, name: str) -> Uses:
        """What a class does with the Futures in a private attribute.

        A failure that the class looks at itself is none that others have to see.
        """
        if not name.startswith("_"):
            return Uses.UNKNOWN
        return self.resolver.memo.get(
            self._attributes, (cls, name), lambda: self._find_uses(cls, name), Uses.NOTHING
        )

    def _find_uses(self, cls: Class, name: str) -> Uses:
        found = Uses.NOTHING
        for node, scope in self._mentioning(cls, name):
            body, elsewhere = Body(node), FollowedElsewhere(self, scope)
            uses = body.uses(f"self.{name}", elsewhere)
            for targets, _ in _assignments(body, f"self.{name}"):
                for each in targets:
                    if isinstance(each, ast.Name):
                        uses |= body.uses(each.id, elsewhere)
            found |= Uses.NOTHING if cannot_fail(uses) else uses
        return found

    def never_fails(self, cls: Class, name: str) -> bool:
        """Whether an attribute holds Futures whose failure nobody has to look at."""
        values = [
            (value, scope)
            for value, _, scope in self.kept_in(cls, name)
            if not isinstance(value, ast.Constant)
        ]
        return (
            bool(values)
            and all(self.makes_future(*each) for each in values)
            and cannot_fail(self.attribute_uses(cls, name))
        )

    def kept_in(self, cls: Class, name: str) -> Iterator[tuple[ast.expr, FunctionNode, Scope]]:
        """What the methods of a class set one of its attributes to, each with its method."""
        for node, scope in self._mentioning(cls, name):
            for _, value in _assignments(Body(node), f"self.{name}"):
                yield value, node, scope

    def _mentioning(self, cls: Class, name: str) -> Iterator[tuple[FunctionNode, Scope]]:
        """The methods of a class, and of its bases in the project, that mention an attribute."""
        for ancestor, _ in self.resolver.classes.ancestors(cls):
            for method_name in ancestor.facts.functions if not ancestor.module.is_stub else ():
                for method in ancestor.function(method_name):
                    node = method.tree()
                    if node is not None and mentions_attribute(node, name):
                        yield node, Scope.of_body(method, node)

    def makes_future(self, value: ast.expr, scope: Scope) -> bool:
        """Whether an expression makes a Future or Deferred that nothing completes yet."""
        if not isinstance(value, ast.Call):
            return False
        resolver = self.resolver
        answer = resolver.awaitability(resolver.type_of(value, scope))
        if not answer.is_certain or answer.kind not in (Kind.FUTURE, Kind.DEFERRED):
            return False
        if self.is_new_future(value, scope):
            return True
        found = self.of_callee(value.func, scope)
        return bool(found) and all(
            each.returned and all(one.source is Source.PENDING for one in each.returned)
            for each in found or ()
        )

    def is_new_future(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call is that of the constructor, or of the loop's `create_future`."""
        resolver = self.resolver
        if not _MAKERS.isdisjoint(resolver.names(call.func, scope)):
            return True
        if not isinstance(resolver.type_of(call.func, scope), ClassObject):
            return False
        kind = resolver.awaitability(resolver.type_of(call, scope)).kind
        is_list = Role.DEFERRED_LIST in self.roles(call.func, scope)
        return kind in (Kind.FUTURE, Kind.DEFERRED) and not is_list


def _assignments(body: Body, path: str) -> Iterator[tuple[list[ast.expr], ast.expr]]:
    """What a dotted name is set to in a function, with all targets of the assignment."""
    for statement in body.nodes:
        match statement:
            case ast.Assign(targets, value) if path in map(dotted, targets):
                yield targets, value
            case ast.AnnAssign(target, _, ast.expr() as value) if dotted(target) == path:
                yield [target], value
