"""What an exception handler does with a cancellation: every way out of it, followed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, Flag

from logctx_lint.analysis.context import TreeContext, arguments, as_try
from logctx_lint.config.vocabulary import Role, Vocabulary
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import class_scope
from logctx_lint.inference.definitions import Variable
from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.types import ClassObject, External, Instance, members_of
from logctx_lint.inference.use_def import Scope


class Cancellation(Flag):
    """Whose cancellation can come out of an await."""

    NONE = 0
    TWISTED = 1
    ASYNCIO = 2


class Outcome(Enum):
    """How a path through a handler ends, given that a cancellation was caught."""

    LETS_OUT = "lets it out"
    FALLS_THROUGH = "goes on behind"
    RETURNS = "returns"
    BREAKS = "leaves the loop"
    CONTINUES = "goes on with the loop"
    CONVERTS = "raises something else"
    EXITS = "ends the process"


_ASYNCIO_NAMES = frozenset({"asyncio.exceptions.CancelledError", "asyncio.CancelledError"})
_LONGEST_ALIAS = 4
"""How many names may stand for one another."""
_HARMLESS = frozenset({Outcome.LETS_OUT, Outcome.EXITS})


@dataclass(frozen=True, slots=True)
class Caught:
    """Which cancellations an `except` clause catches, and whether it says so by name."""

    cancellation: Cancellation
    by_name: bool


BARE = Caught(Cancellation.TWISTED | Cancellation.ASYNCIO, False)


def is_harmless(outcomes: frozenset[Outcome]) -> bool:
    """Whether the cancellation gets out on every path."""
    return outcomes <= _HARMLESS


def caught_by(context: TreeContext, clause: ast.expr | None) -> Caught:
    """What an `except` clause (None: a bare one), or an argument of `suppress`, catches."""
    if clause is None:
        return BARE
    return caught(context.resolver, context.file.vocabulary, clause, context.scopes[clause])


def caught(resolver: Resolver, vocabulary: Vocabulary, clause: ast.expr, scope: Scope) -> Caught:
    """The same of a clause that is there."""
    cancellation, by_name = Cancellation.NONE, False
    for names in _exception_names(resolver, clause, scope, _LONGEST_ALIAS):
        if Role.CANCELLED_ERROR in vocabulary.roles(names):
            by_name = True
            is_asyncio = bool(_ASYNCIO_NAMES & set(names))
            cancellation |= Cancellation.ASYNCIO if is_asyncio else Cancellation.TWISTED
        elif "builtins.BaseException" in names:
            cancellation |= Cancellation.TWISTED | Cancellation.ASYNCIO
        elif "builtins.Exception" in names:
            cancellation |= Cancellation.TWISTED
    return Caught(cancellation, by_name)


def _exception_names(
    resolver: Resolver, node: ast.expr, scope: Scope, depth: int
) -> Iterator[tuple[str, ...]]:
    """The names of each exception class in a clause, those behind aliases included.

    A variable that is only *declared* as `Type[Exception]` holds some class that is narrower.
    """
    match node:
        case ast.Tuple(elements):
            for element in elements:
                yield from _exception_names(resolver, element, scope, depth)
        case ast.Starred(value):
            yield from _exception_names(resolver, value, scope, depth)
        case ast.BinOp(left, ast.Add(), right):
            yield from _exception_names(resolver, left, scope, depth)
            yield from _exception_names(resolver, right, scope, depth)
        case ast.Name() | ast.Attribute():
            definition, names = resolver.define(node, scope)
            is_class = (
                isinstance(definition, ClassObject) and definition.cls.qualified_name in names
            )
            if is_class or isinstance(definition, External):
                yield names
            elif depth:
                for value, where in _values(resolver, node, scope):
                    yield from _exception_names(resolver, value, where, depth - 1)


def _values(
    resolver: Resolver, node: ast.Name | ast.Attribute, scope: Scope
) -> Iterator[tuple[ast.expr, Scope]]:
    """What is assigned to a local name, a module variable or a class variable."""
    definition = resolver.define(node, scope)[0]
    if isinstance(definition, Variable):
        for item in definition.facts:
            value = parse_expression(item.value)
            if value is not None:
                yield value, Scope(definition.module)
    elif isinstance(node, ast.Name):
        for binding in scope.reaching(node.id, (node.lineno, node.col_offset)):
            if binding.kind == "value" and binding.value is not None and not binding.path:
                yield binding.value, scope
    else:
        for owner in members_of(resolver.type_of(node.value, scope)):
            if not isinstance(owner, Instance | ClassObject):
                continue
            for ancestor, _ in resolver.classes.ancestors(owner.cls):
                for item in ancestor.facts.variables.get(node.attr, ()):
                    value = None if item.method else parse_expression(item.value)
                    if value is not None:
                        yield value, class_scope(ancestor)


class HandlerPaths:
    """Follows the statements of one handler, to which one of the `live` cancellations came."""

    def __init__(
        self, context: TreeContext, handler: ast.ExceptHandler, live: Cancellation
    ) -> None:
        self._context = context
        self._live = live
        self._name = handler.name
        self.outcomes = self.of(handler.body)

    def of(self, block: list[ast.stmt]) -> frozenset[Outcome]:
        ways: frozenset[Outcome] = frozenset({Outcome.FALLS_THROUGH})
        for statement in block:
            ways = (ways - {Outcome.FALLS_THROUGH}) | self._statement(statement)
            if Outcome.FALLS_THROUGH not in ways:
                break
        return ways

    def _statement(self, node: ast.stmt) -> frozenset[Outcome]:
        match node:
            case ast.Raise():
                return frozenset({self._raise(node)})
            case ast.Return():
                return frozenset({Outcome.RETURNS})
            case ast.Break():
                return frozenset({Outcome.BREAKS})
            case ast.Continue():
                return frozenset({Outcome.CONTINUES})
            case ast.Expr() | ast.Assign() | ast.AnnAssign():
                return self._expression(node.value)
            case ast.If():
                return self._if(node)
            case ast.With() | ast.AsyncWith():
                return self.of(node.body)
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._loop(node)
            case ast.Match():
                return self._match(node)
        attempt = as_try(node)
        return self._try(attempt) if attempt else frozenset({Outcome.FALLS_THROUGH})

    def _raise(self, node: ast.Raise) -> Outcome:
        raised = node.exc
        if isinstance(raised, ast.Call) and isinstance(raised.func, ast.Attribute):
            # `raise e.with_traceback(...)`
            raised = raised.func.value if self._is_caught(raised.func.value) else raised
        if raised is None or self._is_caught(raised):
            return Outcome.LETS_OUT
        if Role.CANCELLED_ERROR in self._context.roles(raised):
            return Outcome.LETS_OUT
        return Outcome.CONVERTS

    def _is_caught(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id == self._name

    def _expression(self, node: ast.expr | None) -> frozenset[Outcome]:
        if isinstance(node, ast.Await):
            node = node.value
        if isinstance(node, ast.Call):
            roles = self._context.roles(node)
            if Role.PROCESS_EXIT in roles or self._never_returns(node):
                return frozenset({Outcome.EXITS})
            if Role.FAILURE_TRAP in roles and not any(
                caught_by(self._context, argument).cancellation & self._live
                for argument in arguments(node)
            ):
                return frozenset({Outcome.LETS_OUT})
        return frozenset({Outcome.FALLS_THROUGH})

    def _never_returns(self, call: ast.Call) -> bool:
        return any(
            function.facts.returns.endswith(("NoReturn", "Never"))
            for function in self._context.callees(call)
        )

    def _if(self, node: ast.If) -> frozenset[Outcome]:
        truth = self._truth(node.test)
        if truth is True:
            return self.of(node.body)
        orelse = self.of(node.orelse)
        return orelse if truth is False else self.of(node.body) | orelse

    def _truth(self, test: ast.expr) -> bool | None:
        """Whether a condition holds for a cancellation; None if it does not say."""
        match test:
            case ast.UnaryOp(ast.Not(), operand):
                inner = self._truth(operand)
                return None if inner is None else not inner
            case ast.BoolOp(operator, values):
                sides = [self._truth(value) for value in values]
                decisive = isinstance(operator, ast.Or)
                if decisive in sides:
                    return decisive
                return None if None in sides else not decisive
            case ast.Call(ast.Name("isinstance"), [first, second]):
                return self._is_one_of([second]) if self._is_caught(first) else None
            case ast.Call() if Role.FAILURE_CHECK in self._context.roles(test):
                return self._is_one_of(arguments(test))
        return None

    def _match(self, node: ast.Match) -> frozenset[Outcome]:
        ways: frozenset[Outcome] = frozenset()
        for case in node.cases:
            truth = self._matches(node.subject, case)
            if truth is not False:
                ways |= self.of(case.body)
            if truth is True:
                return ways
        return ways | {Outcome.FALLS_THROUGH}

    def _matches(self, subject: ast.expr, case: ast.match_case) -> bool | None:
        """Whether a case takes a cancellation; None if it does not say."""
        if case.guard is not None:
            return None
        match case.pattern:
            case ast.MatchAs(None):
                return True
            case ast.MatchClass(cls, [], [], []) if self._is_caught(subject):
                return self._is_one_of([cls])
        return None

    def _is_one_of(self, classes: list[ast.expr]) -> bool | None:
        """Whether a live cancellation is an instance; None if that holds for some of them."""
        matched = Cancellation.NONE
        for each in classes:
            matched |= caught_by(self._context, each).cancellation
        matched &= self._live
        if matched == self._live:
            return True
        return None if matched else False

    def _try(self, node: ast.Try) -> frozenset[Outcome]:
        ways = self.of(node.body)
        if Outcome.FALLS_THROUGH in ways:
            ways = (ways - {Outcome.FALLS_THROUGH}) | self.of(node.orelse)
        for handler in node.handlers:
            # A bare `raise` in there is about another exception.
            inner = self.of(handler.body)
            ways |= {Outcome.CONVERTS if way is Outcome.LETS_OUT else way for way in inner}
        final = self.of(node.finalbody)
        if Outcome.FALLS_THROUGH not in final:
            return final
        return ways | (final - {Outcome.FALLS_THROUGH})

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While) -> frozenset[Outcome]:
        body = self.of(node.body)
        left = frozenset({Outcome.BREAKS, Outcome.CONTINUES})
        endless = isinstance(node, ast.While) and _is_true(node.test)
        if endless and Outcome.BREAKS not in body:
            return body - left - {Outcome.FALLS_THROUGH}
        return (body - left) | {Outcome.FALLS_THROUGH}


def _is_true(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and test.value is True
