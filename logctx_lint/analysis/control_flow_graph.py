"""The control-flow graph of one function: which code runs after which, and where exceptions go.

    graph = flow_graph(function)          # ast.FunctionDef, ast.AsyncFunctionDef

A node is a simple statement, a condition, one turn of a loop, or a place that exceptions come to.
It has successors for when it ends normally, and one node to which an exception raised in it goes:
the dispatch of the innermost `try`, the exit of the innermost `with`, or the end of the function.
What stands in `finally` is there once for each way into it, as it runs: after the body, for an
exception, and for each kind of jump. Which exceptions a handler or a `with` takes is for the reader
to say.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cache
from itertools import pairwise

from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import child_nodes, is_inside, own_nodes, takes_the_rest


class NodeKind(Enum):
    """What happens at a node; in brackets, its code."""

    RUN = "run"
    """A simple statement, or an expression of a compound one, is run (stmt, expr, withitem)."""
    TEST = "test"
    """A condition is tested: an edge for each truth (expr)."""
    CASE = "case"
    """A case of `match` is tried: an edge for each truth (match_case)."""
    TURN = "turn"
    """A loop takes its next element, or ends: an edge for each truth (For, AsyncFor)."""
    LEAVE = "leave"
    """A `with` is left without an exception (With, AsyncWith)."""
    LEAVE_RAISING = "leave raising"
    """A `with` is left with an exception: its successor runs if it swallows that."""
    DISPATCH = "dispatch"
    """An exception looks for a handler: `handlers`, else it goes on to `raises` (Try)."""
    HANDLER = "handler"
    """A handler begins (ExceptHandler)."""
    FINALLY = "finally"
    """A `finally` begins because of an exception (Try)."""
    RERAISE = "reraise"
    """A `finally` that an exception came to ends, and the exception goes on."""
    END = "end"
    """The function returns, or its last statement has run."""
    RAISED = "raised"
    """An exception leaves the function."""


@dataclass(slots=True, eq=False)
class FlowNode:
    """One node of the graph."""

    kind: NodeKind
    code: ast.AST | None
    depth: int
    """In how many handlers, and `finally` blocks run for an exception, it stands."""
    raises: FlowNode | None = None
    """Where an exception that is raised here goes."""
    next: list[tuple[FlowNode, bool]] = field(default_factory=list)
    """What runs afterwards; of a test, for which truth of it."""
    handlers: list[FlowNode] = field(default_factory=list)
    """Of a dispatch: the beginnings of the handlers, in order."""
    subject: ast.expr | None = None
    """Of a case: what is matched."""


@dataclass(frozen=True, slots=True)
class FlowGraph:
    """The nodes of one function."""

    entry: FlowNode
    end: FlowNode
    raised: FlowNode
    nodes: list[FlowNode]

    def reachable(self) -> list[FlowNode]:
        """The nodes that may run; a `finally` of an endless loop ends for an exception only."""
        seen: set[FlowNode] = set()
        waiting = [self.entry]
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += [each for each, _ in node.next] + node.handlers
                waiting += [node.raises] if node.raises else []
        return [each for each in self.nodes if each in seen]


@dataclass(frozen=True, slots=True)
class _Around:
    """Where code goes that does not simply run on; jumps are built when they are needed."""

    raises: FlowNode
    returns: Callable[[], FlowNode]
    breaks: Callable[[], FlowNode]
    continues: Callable[[], FlowNode]
    depth: int


class _Builder:
    """Builds backwards: each statement is given the node that runs after it."""

    def __init__(self, function: FunctionNode) -> None:
        self.nodes: list[FlowNode] = []
        self.end = self._node(NodeKind.END, None, 0)
        self.raised = self._node(NodeKind.RAISED, None, 0)
        around = _Around(self.raised, lambda: self.end, lambda: self.end, lambda: self.end, 0)
        self.entry = self._block(function.body, self.end, around)

    def _node(
        self,
        kind: NodeKind,
        code: ast.AST | None,
        depth: int,
        raises: FlowNode | None = None,
        *behind: FlowNode,
    ) -> FlowNode:
        node = FlowNode(kind, code, depth, raises, [(each, True) for each in behind])
        self.nodes.append(node)
        return node

    def _run(self, code: ast.AST, around: _Around, *behind: FlowNode) -> FlowNode:
        return self._node(NodeKind.RUN, code, around.depth, around.raises, *behind)

    def _block(self, body: list[ast.stmt], behind: FlowNode, around: _Around) -> FlowNode:
        for statement in reversed(body):
            behind = self._statement(statement, behind, around)
        return behind

    def _statement(self, node: ast.stmt, behind: FlowNode, around: _Around) -> FlowNode:
        match node:
            case ast.If():
                return self._test(
                    node.test,
                    around,
                    self._block(node.body, behind, around),
                    self._block(node.orelse, behind, around),
                )
            case ast.While() | ast.For() | ast.AsyncFor():
                return self._loop(node, behind, around)
            case ast.With() | ast.AsyncWith():
                return self._with(node, behind, around)
            case ast.Match():
                return self._match(node, behind, around)
            case ast.Return():
                return self._run(node, around, around.returns())
            case ast.Raise():
                return self._run(node, around)
            case ast.Break():
                return self._run(node, around, around.breaks())
            case ast.Continue():
                return self._run(node, around, around.continues())
            case ast.Assert(test):
                failed = self._run(node, around)
                return self._test(test, around, behind, failed)
        if type(node).__name__ in ("Try", "TryStar"):
            return self._try(node, behind, around)  # type: ignore[arg-type]
        return self._run(node, around, behind)

    def _test(self, test: ast.expr, around: _Around, holds: FlowNode, fails: FlowNode) -> FlowNode:
        node = self._node(NodeKind.TEST, test, around.depth, around.raises)
        constant = _constant(test)
        node.next = [
            (target, truth)
            for target, truth in ((holds, True), (fails, False))
            if constant is None or constant is truth
        ]
        return node

    def _loop(
        self, node: ast.For | ast.AsyncFor | ast.While, behind: FlowNode, around: _Around
    ) -> FlowNode:
        is_while = isinstance(node, ast.While)
        head = self._node(
            NodeKind.TEST if is_while else NodeKind.TURN,
            node.test if isinstance(node, ast.While) else node,
            around.depth,
            around.raises,
        )
        inside = replace(around, breaks=lambda: behind, continues=lambda: head)
        body = self._block(node.body, head, inside)
        done = self._block(node.orelse, behind, around)
        constant = _constant(node.test) if isinstance(node, ast.While) else None
        ways = ((body, True), (done, False))
        head.next = [way for way in ways if constant is None or constant is way[1]]
        if isinstance(node, ast.While):
            return head
        # A loop over something that is not empty runs once at least.
        first = head
        if _is_filled(node.iter):
            first = self._node(NodeKind.TURN, node, around.depth, around.raises, body)
        return self._run(node.iter, around, first)

    def _with(self, node: ast.With | ast.AsyncWith, behind: FlowNode, around: _Around) -> FlowNode:
        raising = self._node(NodeKind.LEAVE_RAISING, node, around.depth, around.raises, behind)
        leave = self._node(NodeKind.LEAVE, node, around.depth, around.raises, behind)
        entered = self._block(node.body, leave, replace(around, raises=raising))
        for item in reversed(node.items):
            entered = self._run(item, around, entered)
        return entered

    def _match(self, node: ast.Match, behind: FlowNode, around: _Around) -> FlowNode:
        following = behind
        for case in reversed(node.cases):
            tried = self._node(NodeKind.CASE, case, around.depth, around.raises)
            tried.subject = node.subject
            tried.next = [(self._block(case.body, behind, around), True)]
            if not takes_the_rest(case):
                tried.next.append((following, False))
            following = tried
        return self._run(node.subject, around, following)

    def _try(self, node: ast.Try, behind: FlowNode, around: _Around) -> FlowNode:
        if node.finalbody:
            around, behind = self._finally(node, behind, around)
        inside = around
        if node.handlers:
            dispatch = self._node(NodeKind.DISPATCH, node, around.depth, around.raises)
            inside = replace(around, raises=dispatch)
            deeper = replace(around, depth=around.depth + 1)
            for handler in node.handlers:
                body = self._block(handler.body, behind, deeper)
                begin = self._node(NodeKind.HANDLER, handler, deeper.depth, around.raises, body)
                dispatch.handlers.append(begin)
        orelse = self._block(node.orelse, behind, around)
        return self._block(node.body, orelse, inside)

    def _finally(
        self, node: ast.Try, behind: FlowNode, around: _Around
    ) -> tuple[_Around, FlowNode]:
        """What is around the rest of the `try`: every way out of that goes through `finally`."""

        def through(to: FlowNode) -> FlowNode:
            return self._block(node.finalbody, to, around)

        deeper = replace(around, depth=around.depth + 1)
        on = self._node(NodeKind.RERAISE, node, deeper.depth, around.raises)
        body = self._block(node.finalbody, on, deeper)
        begin = self._node(NodeKind.FINALLY, node, deeper.depth, around.raises, body)
        inside = _Around(
            begin,
            cache(lambda: through(around.returns())),
            cache(lambda: through(around.breaks())),
            cache(lambda: through(around.continues())),
            around.depth,
        )
        return inside, through(behind)


def flow_graph(function: FunctionNode) -> FlowGraph:
    """The control-flow graph of a function."""
    built = _Builder(function)
    return FlowGraph(built.entry, built.end, built.raised, built.nodes)


def expressions(node: FlowNode) -> Iterator[ast.AST]:
    """What is evaluated at a node, nested functions left out."""
    match node.code:
        case None:
            return
        case ast.For() | ast.AsyncFor():
            yield from own_nodes([node.code.target])
        case ast.With() | ast.AsyncWith() | ast.ExceptHandler():
            return
        case ast.match_case(pattern, guard):
            yield from own_nodes([pattern])
            if guard is not None:
                yield from own_nodes([guard])
        case _ if node.kind in (NodeKind.RUN, NodeKind.TEST):
            yield from own_nodes([node.code])


def needed_for(part: ast.AST, code: ast.AST) -> Iterator[tuple[ast.expr, bool]]:
    """The tests in an expression before a part of it, and how each has to come out for that to be
    evaluated: of `settled or d.callback(x)`, `settled` must not hold for the call."""
    way = [code]
    while way[-1] is not part:
        way.append(next(each for each in child_nodes(way[-1]) if is_inside(part, [each])))
    for outer, inner in pairwise(way):
        match outer:
            case ast.BoolOp(operator, values):
                before = values[: values.index(inner)]  # type: ignore[arg-type]
                yield from ((each, isinstance(operator, ast.And)) for each in before)
            case ast.IfExp(test) if inner is not test:
                yield test, inner is outer.body


def suspends(node: FlowNode, *, by_yield: bool) -> ast.AST | None:
    """The first suspension point at a node; None if there is none.

    `by_yield`: the function is a generator that awaits by `yield`.
    """
    return next(iter(suspensions(node, by_yield=by_yield)), None)


def suspensions(node: FlowNode, *, by_yield: bool) -> list[ast.AST]:
    """The suspension points at a node, in the order of the text."""
    code = node.code
    if node.kind is NodeKind.TURN:
        return [code] if isinstance(code, ast.AsyncFor) else []
    if node.kind is NodeKind.LEAVE:
        return [code] if isinstance(code, ast.AsyncWith) else []
    found: list[ast.expr] = [
        each.target if isinstance(each, ast.comprehension) else each
        for each in expressions(node)
        if isinstance(each, ast.Await)
        or (isinstance(each, ast.comprehension) and each.is_async)
        or (by_yield and isinstance(each, ast.Yield))
    ]
    return [*sorted(found, key=lambda each: (each.lineno, each.col_offset))]


def _constant(test: ast.expr) -> bool | None:
    return bool(test.value) if isinstance(test, ast.Constant) else None


def _is_filled(iterated: ast.expr) -> bool:
    """Whether there surely is something to loop over."""
    match iterated:
        case ast.List(elements) | ast.Tuple(elements) | ast.Set(elements):
            return any(not isinstance(each, ast.Starred) for each in elements)
        case ast.Constant(str() as text):
            return bool(text)
        case ast.Call(ast.Name("range"), [ast.Constant(int() as count)], []):
            return count > 0
    return False
