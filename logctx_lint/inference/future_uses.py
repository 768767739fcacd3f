"""How code uses a Future or Deferred that a name holds: completes it, fails it, reads its failure.

    future = self._waiter = Future()
    future.set_exception(Closed())
    future.exception()                # Whoever gets this one has no failure to look at.

It works as follows: every use of a (dotted) name in a function is classified by what is around
it; a use that is of no known sort may do anything.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from enum import Flag, auto
from typing import Protocol

from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.narrowing import dotted
from logctx_lint.syntax.ast_walk import body_nodes, child_nodes, is_name

_MOST_ALIASES = 3


class Uses(Flag):
    """What is done with a Future, somewhere."""

    NOTHING = 0
    COMPLETED = auto()
    """Given a result."""
    FAILED = auto()
    """Given an exception."""
    LOOKED_AT = auto()
    """Asked for its exception, so that nobody else has to."""
    CALLBACK = auto()
    """Given a callback that may fail."""
    ERRBACK = auto()
    """Given an errback, which sees what failed before."""
    UNKNOWN = auto()
    """Handed to code that may do anything."""


_METHODS = {
    **dict.fromkeys(("set_result", "callback"), Uses.COMPLETED),
    **dict.fromkeys(("set_exception", "errback"), Uses.FAILED),
    "exception": Uses.LOOKED_AT,
    "addCallback": Uses.CALLBACK,
    **dict.fromkeys(
        ("add_done_callback", "remove_done_callback", "addTimeout", "cancel",
         "cancelled", "cancelling", "done", "pause", "unpause", "get_loop", "print_stack",
         "set_name", "get_name"),
        Uses.NOTHING,
    ),
}  # fmt: skip
_READING = frozenset({"exception", "result"})
"""Methods that give a failure to whoever calls them."""
_RAISING = frozenset({"trap", "raiseException"})
_CATCH_ALL = frozenset({"Exception", "BaseException"})
_OF_TESTS = re.compile(r"assert([A-Z_]|$)|fail([A-Z]|$)")
"""How the methods begin with which a test case fails; `failed` and `failures` are none."""
_HARMLESS_PARENTS = (
    ast.Await, ast.Yield, ast.YieldFrom, ast.Return, ast.Compare, ast.BoolOp, ast.UnaryOp, ast.If,
    ast.While, ast.IfExp, ast.Assert, ast.Expr, ast.Delete, ast.FormattedValue, ast.NamedExpr,
)  # fmt: skip


class Elsewhere(Protocol):
    """Knows what other code does with a Future that comes to it."""

    def as_argument(self, call: ast.Call, argument: ast.expr) -> Uses:
        """What the callee of a call does with one of its arguments."""

    def as_attribute(self, path: str) -> Uses:
        """What is done with an attribute that is set to it."""

    def looks_at_failure(self, callback: ast.expr) -> bool:
        """Whether a callback asks the Future that it is given how it ended."""

    def effect_of_errback(self, errback: ast.expr) -> Uses:
        """Whether an errback handles the failure, hands it on, or may itself fail."""


class Body:
    """The tree of one function, with what is around each node."""

    def __init__(self, node: ast.AST) -> None:
        self.node = node
        self._parents: dict[ast.AST, ast.AST] = {}
        self.nodes: list[ast.AST] = [node]
        for outer in self.nodes:
            inner = child_nodes(outer)
            self._parents.update(dict.fromkeys(inner, outer))
            self.nodes += inner

    def parent(self, node: ast.AST) -> ast.AST | None:
        """What a node is directly inside of."""
        return self._parents.get(node)

    def uses(self, path: str, elsewhere: Elsewhere, depth: int = 0) -> Uses:
        """All that is done with what stands under a dotted name."""
        found = Uses.NOTHING
        for node in self.named(path):
            found |= self.use(node, elsewhere, depth)
        return found

    def named(self, path: str) -> Iterator[ast.Name | ast.Attribute]:
        """Where a dotted name is read."""
        for node in self.nodes:
            if (
                isinstance(node, ast.Name | ast.Attribute)
                and isinstance(node.ctx, ast.Load)
                and dotted(node) == path
            ):
                yield node

    def use(self, node: ast.expr, elsewhere: Elsewhere, depth: int = 0) -> Uses:
        """What is done with a Future at one place."""
        parent = self._parents.get(node)
        match parent:
            case ast.Attribute(_, name):
                return self._attribute(parent, name, elsewhere)
            case ast.Call() if node is not parent.func:
                return elsewhere.as_argument(parent, node)
            case ast.keyword():
                call = self._parents.get(parent)
                is_call = isinstance(call, ast.Call)
                return elsewhere.as_argument(call, node) if is_call else Uses.UNKNOWN  # type: ignore[arg-type]
            case ast.Assign(targets):
                return self._aliases(targets, elsewhere, depth)
            case None:
                return Uses.NOTHING
        return Uses.NOTHING if isinstance(parent, _HARMLESS_PARENTS) else Uses.UNKNOWN

    def _attribute(self, node: ast.Attribute, name: str, elsewhere: Elsewhere) -> Uses:
        call = self._parents.get(node)
        if not isinstance(call, ast.Call) or call.func is not node:
            # `.called`, `.result` of a Deferred; a bound method that is handed on.
            return _METHODS.get(name, Uses.NOTHING) & (Uses.COMPLETED | Uses.FAILED)
        if name == "add_done_callback" and call.args:
            is_seen = elsewhere.looks_at_failure(call.args[0])
            return Uses.LOOKED_AT if is_seen else Uses.NOTHING
        if name in ("addCallbacks", "addErrback", "addBoth"):
            errbacks = call.args[1:2] if name == "addCallbacks" else call.args[:1]
            effects = [elsewhere.effect_of_errback(each) for each in errbacks]
            return effects[0] if effects else Uses.CALLBACK
        return _METHODS.get(name, Uses.UNKNOWN)

    def _aliases(self, targets: list[ast.expr], elsewhere: Elsewhere, depth: int) -> Uses:
        found = Uses.NOTHING
        for target in targets:
            path = dotted(target)
            if not path or depth >= _MOST_ALIASES:
                return Uses.UNKNOWN
            if "." in path:
                found |= elsewhere.as_attribute(path)
            else:
                found |= self.uses(path, elsewhere, depth + 1)
        return found


def reads_failure(body: ast.AST, name: str) -> bool:
    """Whether code asks the Future of that name how it ended."""
    return any(
        isinstance(node, ast.Attribute) and node.attr in _READING and is_name(node.value, name)
        for node in Body(body).nodes
    )


def effect_of(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Uses:
    """What an errback does: handle the failure, hand it on (nothing), or fail as tests do."""
    parameters = [each.arg for each in function.args.args if each.arg not in ("self", "cls")]
    if not parameters:
        return Uses.ERRBACK
    if isinstance(function, ast.Lambda):
        hands_on = is_name(function.body, parameters[0])
        return Uses.NOTHING if hands_on else Uses.ERRBACK
    effect = Uses.ERRBACK
    nodes = list(body_nodes(function))
    sieves = {each.func for each in nodes if isinstance(each, ast.Call) and _traps_all(each)}
    for node in nodes:
        match node:
            case ast.Raise() | ast.Assert():
                return Uses.CALLBACK
            case ast.Attribute(_, name) if name in _RAISING or _OF_TESTS.match(name):
                if node not in sieves:
                    return Uses.CALLBACK
            case ast.Return(ast.Name(name)) if name == parameters[0]:
                effect = Uses.NOTHING
    return effect


def _traps_all(call: ast.Call) -> bool:
    """`failure.trap(Exception)`, which lets no failure of the work through."""
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "trap"
        and any(isinstance(each, ast.Name) and each.id in _CATCH_ALL for each in call.args)
    )


def cannot_fail(uses: Uses) -> bool:
    """Whether nobody ever has to look at the failure of what is so used."""
    if Uses.UNKNOWN in uses or (Uses.CALLBACK in uses and Uses.ERRBACK not in uses):
        return False
    return Uses.FAILED not in uses or bool(uses & (Uses.LOOKED_AT | Uses.ERRBACK))


def gives_failures(call: ast.Call, roles: frozenset[Role]) -> bool:
    """`gather(..., return_exceptions=True)`, which has what fails among the results."""
    return Role.ARGUMENT_GATHERER in roles and any(
        each.arg == "return_exceptions"
        and isinstance(each.value, ast.Constant)
        and each.value.value is True
        for each in call.keywords
    )
