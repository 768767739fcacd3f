"""What an exception handler does with a cancellation: every way out of it, followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, Flag

import libcst as cst

from logctx_lint.project.types import ClassObject, External, TupleType, Type, members_of
from logctx_lint.rules.context import RuleContext
from logctx_lint.vocabulary import Role


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
_HARMLESS = frozenset({Outcome.LETS_OUT, Outcome.EXITS})


@dataclass(frozen=True, slots=True)
class Caught:
    """Which cancellations an `except` clause catches, and whether it says so by name."""

    cancellation: Cancellation
    by_name: bool


def is_harmless(outcomes: frozenset[Outcome]) -> bool:
    """Whether the cancellation gets out on every path."""
    return outcomes <= _HARMLESS


def caught_by(context: RuleContext, clause: cst.BaseExpression | None) -> Caught:
    """What an `except` clause (None: a bare one), or an argument of `suppress`, catches."""
    if clause is None:
        return Caught(Cancellation.TWISTED | Cancellation.ASYNCIO, False)
    cancellation, by_name = Cancellation.NONE, False
    for names in _exception_names(context, clause):
        if Role.CANCELLED_ERROR in context.file.vocabulary.roles(names):
            by_name = True
            is_asyncio = bool(_ASYNCIO_NAMES & set(names))
            cancellation |= Cancellation.ASYNCIO if is_asyncio else Cancellation.TWISTED
        elif "builtins.BaseException" in names:
            cancellation |= Cancellation.TWISTED | Cancellation.ASYNCIO
        elif "builtins.Exception" in names:
            cancellation |= Cancellation.TWISTED
    return Caught(cancellation, by_name)


def _exception_names(context: RuleContext, clause: cst.BaseExpression) -> list[tuple[str, ...]]:
    """The names of each exception class in a clause: of a tuple's and an alias's members."""
    if isinstance(clause, cst.Tuple):
        return [
            names for item in clause.elements for names in _exception_names(context, item.value)
        ]
    names = context.names(clause)
    found: list[tuple[str, ...]] = []
    for type_ in members_of(context.type_of(clause)):
        found += _class_names(type_)
    return [*([names] if names else []), *found]


def _class_names(type_: Type) -> list[tuple[str, ...]]:
    match type_:
        case ClassObject(cls):
            return [(cls.qualified_name,)]
        case External(name):
            return [(name,)]
        case TupleType(elements):
            return [names for element in elements for names in _class_names(element)]
    return []


class HandlerPaths:
    """Follows the statements of one handler. The caught exception is taken for a cancellation."""

    def __init__(self, context: RuleContext, handler: cst.ExceptHandler) -> None:
        self._context = context
        name = handler.name.name if handler.name else None
        self._name = name.value if isinstance(name, cst.Name) else None
        self.outcomes = self._block(handler.body)

    def _block(self, block: cst.BaseSuite) -> frozenset[Outcome]:
        return self._sequence(block.body)

    def _sequence(
        self, statements: Sequence[cst.BaseStatement | cst.BaseSmallStatement]
    ) -> frozenset[Outcome]:
        ways: frozenset[Outcome] = frozenset({Outcome.FALLS_THROUGH})
        for statement in statements:
            ways = (ways - {Outcome.FALLS_THROUGH}) | self._statement(statement)
            if Outcome.FALLS_THROUGH not in ways:
                break
        return ways

    def _statement(self, node: cst.CSTNode) -> frozenset[Outcome]:
        match node:
            case cst.SimpleStatementLine():
                return self._sequence(node.body)
            case cst.Raise():
                return frozenset({self._raise(node)})
            case cst.Return():
                return frozenset({Outcome.RETURNS})
            case cst.Break():
                return frozenset({Outcome.BREAKS})
            case cst.Continue():
                return frozenset({Outcome.CONTINUES})
            case cst.Expr() | cst.Assign() | cst.AnnAssign():
                return self._expression(node.value)
            case cst.If():
                return self._if(node)
            case cst.Try():
                return self._try(node)
            case cst.With():
                return self._block(node.body)
            case cst.For() | cst.While():
                return self._loop(node)
            case cst.Match():
                cases = [self._block(case.body) for case in node.cases]
                return frozenset({Outcome.FALLS_THROUGH}).union(*cases)
        return frozenset({Outcome.FALLS_THROUGH})

    def _raise(self, node: cst.Raise) -> Outcome:
        raised = node.exc
        if isinstance(raised, cst.Call) and isinstance(raised.func, cst.Attribute):
            # `raise e.with_traceback(...)`
            raised = raised.func.value if self._is_caught(raised.func.value) else raised
        if raised is None or self._is_caught(raised):
            return Outcome.LETS_OUT
        if Role.CANCELLED_ERROR in self._context.roles(raised):
            return Outcome.LETS_OUT
        return Outcome.CONVERTS

    def _is_caught(self, node: cst.BaseExpression) -> bool:
        return isinstance(node, cst.Name) and node.value == self._name

    def _expression(self, node: cst.BaseExpression | None) -> frozenset[Outcome]:
        if isinstance(node, cst.Await):
            node = node.expression
        if isinstance(node, cst.Call):
            roles = self._context.roles(node)
            if Role.PROCESS_EXIT in roles or self._never_returns(node):
                return frozenset({Outcome.EXITS})
            if Role.FAILURE_TRAP in roles and not any(
                caught_by(self._context, argument.value).cancellation for argument in node.args
            ):
                return frozenset({Outcome.LETS_OUT})
        return frozenset({Outcome.FALLS_THROUGH})

    def _never_returns(self, call: cst.Call) -> bool:
        return any(
            function.facts.returns.endswith(("NoReturn", "Never"))
            for function in self._context.callees(call)
        )

    def _if(self, node: cst.If) -> frozenset[Outcome]:
        truth = self._truth(node.test)
        body = self._block(node.body)
        if truth is True:
            return body
        orelse: frozenset[Outcome] = frozenset({Outcome.FALLS_THROUGH})
        if isinstance(node.orelse, cst.If):
            orelse = self._if(node.orelse)
        elif node.orelse is not None:
            orelse = self._block(node.orelse.body)
        return orelse if truth is False else body | orelse

    def _truth(self, test: cst.BaseExpression) -> bool | None:
        """Whether a condition holds for a cancellation; None if it does not say."""
        match test:
            case cst.UnaryOperation(operator=cst.Not()):
                inner = self._truth(test.expression)
                return None if inner is None else not inner
            case cst.BooleanOperation():
                sides = (self._truth(test.left), self._truth(test.right))
                decisive = isinstance(test.operator, cst.Or)
                if decisive in sides:
                    return decisive
                return None if None in sides else not decisive
            case cst.Call(func=cst.Name(value="isinstance"), args=[first, second]):
                if self._is_caught(first.value):
                    return bool(caught_by(self._context, second.value).cancellation)
        return None

    def _try(self, node: cst.Try) -> frozenset[Outcome]:
        ways = self._block(node.body)
        if node.orelse and Outcome.FALLS_THROUGH in ways:
            ways = (ways - {Outcome.FALLS_THROUGH}) | self._block(node.orelse.body)
        for handler in node.handlers:
            # A bare `raise` in there is about another exception.
            inner = self._block(handler.body)
            ways |= {Outcome.CONVERTS if way is Outcome.LETS_OUT else way for way in inner}
        if node.finalbody:
            final = self._block(node.finalbody.body)
            if Outcome.FALLS_THROUGH not in final:
                return final
            ways |= final - {Outcome.FALLS_THROUGH}
        return ways

    def _loop(self, node: cst.For | cst.While) -> frozenset[Outcome]:
        body = self._block(node.body)
        left = frozenset({Outcome.BREAKS, Outcome.CONTINUES})
        endless = isinstance(node, cst.While) and _is_true(node.test)
        if endless and Outcome.BREAKS not in body:
            return body - left - {Outcome.FALLS_THROUGH}
        return (body - left) | {Outcome.FALLS_THROUGH}


def _is_true(test: cst.BaseExpression) -> bool:
    return isinstance(test, cst.Name) and test.value == "True"
