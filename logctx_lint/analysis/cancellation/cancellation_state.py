"""The data of the cancellation analysis: what is known at a point of a path, and how paths end."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol, cast

from logctx_lint.analysis.control_flow_graph import FlowNode
from logctx_lint.analysis.exception_handlers import BARE, Cancellation, Caught, caught
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import assignments, own_nodes


class Way(Enum):
    """How a path goes on from where the cancellation was caught."""

    LETS_OUT = "lets it out"
    FAILS = "fails for another reason"
    """The clean-up itself fails, as it would without a handler."""
    EXITS = "ends the process"
    HANDS_ON = "hands it on to whoever waits"
    UNCANCELS = "takes the cancellation back"
    ENDS = "ends the function"
    RETURNS = "returns a value"
    LOOPS = "goes on with the loop"
    GOES_ON = "goes on with other asynchronous work"
    CONVERTS = "raises something else"
    YIELDS = "yields to the consumer meanwhile"


HARMLESS = frozenset({Way.LETS_OUT, Way.FAILS, Way.EXITS, Way.HANDS_ON, Way.UNCANCELS})


class Exc(Enum):
    """Which exception is raised, or is being handled."""

    CANCELLATION = "the cancellation"
    OTHER = "another one"
    CONVERTED = "one that was raised instead of the cancellation"


@dataclass(frozen=True, slots=True)
class State:
    """What is known on a path."""

    handled: tuple[tuple[Exc, str], ...] = ()
    """The exceptions that are being handled, the innermost last, with their names."""
    holders: frozenset[str] = frozenset()
    """Names and attributes that hold the cancellation."""
    containers: frozenset[str] = frozenset()
    """Those that hold it among others."""
    others: frozenset[str] = frozenset()
    """Names that hold another exception."""
    flags: frozenset[tuple[str, bool | None]] = frozenset()
    """Names and attributes that are known to be true or false, or to hold None."""
    is_handed_on: bool = False
    result: ast.AST | None = None
    """What is returned."""
    is_returning: bool = False
    """The function ends behind the `finally` blocks on the way."""
    is_failing: bool = False
    """Another exception takes the place of the cancellation."""

    @property
    def is_handling(self) -> bool:
        return any(exc is Exc.CANCELLATION for exc, _ in self.handled)

    @property
    def current(self) -> Exc | None:
        return self.handled[-1][0] if self.handled else None

    def known(self, name: str, value: bool | None) -> State:
        """A name is known to hold something true, something false or None."""
        rest = frozenset(flag for flag in self.flags if flag[0] != name)
        return replace(self, flags=rest | {(name, value)})

    def within(self, depth: int) -> State:
        """The same in fewer handlers: at the end of each, its name is gone."""
        if len(self.handled) <= depth:
            return self
        gone = {name for _, name in self.handled[depth:]}
        return replace(
            self,
            handled=self.handled[:depth],
            holders=self.holders - gone,
            others=self.others - gone,
        )

    def handling(self, exc: Exc, name: str, depth: int) -> State:
        """In a handler of an exception, `depth` handlers deep."""
        state = self.within(depth - 1)
        around = ((Exc.OTHER, ""),) * (depth - 1 - len(state.handled))
        state = replace(state, handled=(*around, *state.handled, (exc, name)))
        return state.bound(name, exc) if name else state

    def bound(self, name: str, exc: Exc | None) -> State:
        """A name is bound to an exception, or to something else."""
        held = {name}
        return replace(
            self,
            holders=self.holders | held if exc is Exc.CANCELLATION else self.holders - held,
            others=self.others | held if exc is Exc.OTHER else self.others - held,
            containers=self.containers - held,
            flags=frozenset(flag for flag in self.flags if flag[0] != name),
        )


@dataclass(slots=True)
class Paths:
    """How the paths from one place go on."""

    ways: dict[Way, ast.AST | None] = field(default_factory=dict)
    """With the code that shows it."""
    left_by: dict[ast.stmt, None] = field(default_factory=dict)
    """The statements that leave a `finally` block and so drop the exception."""
    targets: list[FlowNode] = field(default_factory=list)
    """Where the cancellation goes that is let out."""
    is_known: bool = True


@dataclass(slots=True, eq=False)
class Stop:
    """A handler, `finally` block or `with` that a cancellation comes to."""

    code: ast.AST
    """ast.ExceptHandler, ast.Try (its `finally`), ast.With or ast.AsyncWith."""
    statement: ast.AST
    """The `try` or `with` statement."""
    nodes: list[FlowNode] = field(default_factory=list)
    awaits: list[ast.AST] = field(default_factory=list)
    """The suspension points that it comes from."""


@dataclass(frozen=True, slots=True)
class Code:
    """A function as far as the analysis reads it."""

    file: File
    node: FunctionNode
    scope: Scope
    by_yield: bool

    def roles(self, node: ast.expr) -> frozenset[Role]:
        named = node.func if isinstance(node, ast.Call) else node
        return self.file.roles(named, self.scope)

    def names(self, node: ast.expr) -> tuple[str, ...]:
        named = node.func if isinstance(node, ast.Call) else node
        return self.file.resolver.names(named, self.scope)

    def caught(self, clause: ast.expr | None) -> Caught:
        if clause is None:
            return BARE
        return caught(self.file.resolver, self.file.vocabulary, clause, self.scope)


class Flow(Protocol):
    """What the parts of the analysis ask of the flow through a function (`CancellationFlow`)."""

    is_generator: bool

    @property
    def lets_out(self) -> bool: ...
    def stops_from(self, begins: Callable[[FlowNode], ast.AST | None]) -> list[Stop]: ...
    def ways(self, stop: Stop) -> Paths: ...
    def called(self, state: State) -> Paths: ...
    def inside(self, code: Code) -> Flow: ...
    def swallows_at(self, node: FlowNode) -> bool: ...
    def drops(self, target: FlowNode) -> bool: ...


FlowOf = Callable[[Code], Flow]
"""Gives the flow through a function that is called."""


def of_function(file: File, function: Function) -> Code | None:
    """The code of a function of the project; None if it is not there."""
    node = function.source_tree()
    if node is None:
        return None
    # What is found out about the names in it is kept with the scope.
    scope = file.resolver.body_scopes.of(function, node)
    by_yield = isinstance(node, ast.FunctionDef) and any(
        Role.INLINE_CALLBACKS
        in file.roles(each.func if isinstance(each, ast.Call) else each, outer)
        for outer in [scope.parent or scope]
        for each in node.decorator_list
    )
    return Code(file, cast(FunctionNode, scope.node), scope, by_yield)


def key_of(node: ast.AST) -> str:
    """The name of a variable, or the path of an attribute."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(value, name):
            outer = key_of(value)
            return f"{outer}.{name}" if outer else ""
    return ""


def kept_as(name: str | None, body: Iterable[ast.stmt]) -> set[str]:
    """The names and attributes that a block of code sets to what a name holds.

    Or, as by `first = first or error`, to what they have held before.
    """
    return {
        key
        for target, value in assignments(own_nodes(body))
        if name and (key := key_of(target)) and _is_kept(name, key, value)
    }


def _is_kept(name: str, key: str, value: ast.expr) -> bool:
    match value:
        case ast.BoolOp(ast.Or(), [earlier, latest]):
            return key_of(earlier) == key and key_of(latest) == name
    return key_of(value) == name


def mentions(node: ast.AST, names: frozenset[str]) -> bool:
    """Whether a piece of code names one of some variables or attributes."""
    return bool(names) and any(key_of(each) in names for each in own_nodes([node]))


def frameworks(live: Cancellation) -> Iterator[Cancellation]:
    """Each of several frameworks by itself."""
    kinds = (Cancellation.TWISTED, Cancellation.ASYNCIO, Cancellation.TRIO)
    return (each for each in kinds if each in live)
