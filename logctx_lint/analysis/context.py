"""What a rule that is content with `ast` can ask: nothing has to be parsed again for it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from logctx_lint.analysis.base_context import Callee, Context, functions_of, presumed_by
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Span
from logctx_lint.inference.types import UNKNOWN, Awaitability, Type
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, child_nodes
from logctx_lint.syntax.lazy_libcst import cst

if TYPE_CHECKING:
    from logctx_lint.analysis.cst_context import RuleContext

# Before 3.12 the expressions inside an f-string have made-up positions.
_FSTRINGS_HAVE_POSITIONS = sys.version_info >= (3, 12)

FunctionOrLambda = FunctionNode | ast.Lambda
_Node = TypeVar("_Node", bound=ast.AST)


def arguments(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call, those with keywords or stars included."""
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return [each.value if isinstance(each, ast.Starred) else each for each in given]


def loops(node: ast.AST) -> Sequence[ast.For | ast.AsyncFor | ast.comprehension]:
    """The loops that a statement or a comprehension is."""
    match node:
        case ast.For() | ast.AsyncFor():
            return [node]
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return node.generators
    return []


def in_source_order(nodes: Iterable[_Node]) -> list[_Node]:
    """Nodes in the order in which they start, outer ones first."""
    return sorted(nodes, key=lambda each: (each.lineno, each.col_offset))  # type: ignore[attr-defined]


def as_try(node: ast.AST) -> ast.Try | None:
    """A `try` statement; `ast.TryStar`, which 3.10 does not have, is no subclass of `ast.Try`."""
    return node if type(node).__name__ in ("Try", "TryStar") else None  # type: ignore[return-value]


class TreeContext(Context[ast.AST]):
    """The unit as `ast` sees it, with what is around each node."""

    def span(self, node: ast.AST) -> Span:
        return self.file.source.span(node)

    def text(self, node: ast.AST) -> str:
        # Where it stands in an f-string may not be known.
        return super().text(node) if self.is_placed(node) else ast.unparse(node)

    def is_placed(self, node: ast.AST) -> bool:
        """Whether it is known where a node stands."""
        return node not in self._unplaced

    @cached_property
    def _unplaced(self) -> set[ast.AST]:
        if _FSTRINGS_HAVE_POSITIONS:
            return set()
        strings = self.unit.nodes(ast.JoinedStr)
        return {inner for string, _ in strings for inner in all_nodes(string)}

    @cached_property
    def parsed(self) -> RuleContext:
        """The unit as libcst sees it."""
        from logctx_lint.analysis.cst_context import RuleContext

        return RuleContext(self)

    def as_parsed(self, node: ast.expr) -> cst.BaseExpression | None:
        """What stands for an expression in libcst's tree; None if libcst cannot parse the unit."""
        try:
            return self.parsed.nodes_of([node]).get(node)
        except (cst.ParserSyntaxError, cst.CSTValidationError, RecursionError):
            return None

    # Surroundings

    @cached_property
    def _parents(self) -> dict[ast.AST, ast.AST]:
        parents: dict[ast.AST, ast.AST] = {}
        waiting: list[ast.AST] = [self.unit.node]
        for node in waiting:
            inner = child_nodes(node)
            parents.update(dict.fromkeys(inner, node))
            waiting += inner
        return parents

    def parent(self, node: ast.AST) -> ast.AST | None:
        return self._parents.get(node)

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a node, the innermost first."""
        outer = self._parents.get(node)
        while outer is not None:
            yield outer
            outer = self._parents.get(outer)

    def behind(self, node: ast.AST) -> list[ast.stmt]:
        """The statements that follow a statement in the same block."""
        parent = self.parent(node)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(parent, name, None)
            if isinstance(block, list) and node in block:
                return block[block.index(node) + 1 :]
        return []

    def taker(self, node: ast.AST) -> ast.Call | None:
        """The call that a node is an argument of."""
        outer = self.parent(node)
        if isinstance(outer, ast.keyword | ast.Starred):
            node, outer = outer, self.parent(outer)
        return outer if isinstance(outer, ast.Call) and node is not outer.func else None

    def method_call(self, node: ast.AST) -> ast.Call | None:
        """The call of a method of a node."""
        attribute = self.parent(node)
        call = self.parent(attribute) if isinstance(attribute, ast.Attribute) else None
        return call if isinstance(call, ast.Call) and call.func is attribute else None

    def function_of(self, node: ast.AST) -> FunctionOrLambda | None:
        """The innermost function whose body a node is in; None at module or class level."""
        inner = node
        for outer in self.around(node):
            # Decorators, defaults and annotations run outside.
            if isinstance(outer, ast.Lambda) and inner is outer.body:
                return outer
            if isinstance(inner, ast.stmt) and isinstance(outer, FunctionNode):
                return outer
            if isinstance(inner, ast.stmt) and isinstance(outer, ast.ClassDef):
                return None
            inner = outer
        return None

    # Functions, names and types

    def is_asynchronous(self, function: FunctionOrLambda | None) -> bool:
        """An `async def`, or a generator under `@inlineCallbacks`."""
        return isinstance(function, ast.AsyncFunctionDef) or self.awaits_by_yield(function)

    def awaits_by_yield(self, function: FunctionOrLambda | None) -> bool:
        """Under `@inlineCallbacks`; also where no `yield` is left, as one must have been lost."""
        return isinstance(function, ast.FunctionDef) and any(
            Role.INLINE_CALLBACKS in self.roles(decorator) for decorator in function.decorator_list
        )

    @cached_property
    def scopes(self) -> dict[ast.AST, Scope]:
        """The scope that each node is read in."""
        scopes: dict[ast.AST, Scope] = {self.unit.node: self.unit.scope}
        waiting: list[ast.AST] = [self.unit.node]
        for node in waiting:
            scope, inside = scopes[node], child_nodes(node)
            scopes.update(self._in_own_scope(node, scope))
            for child in inside:
                scopes.setdefault(child, scope)
            waiting += inside
        return scopes

    def _in_own_scope(self, node: ast.AST, scope: Scope) -> dict[ast.AST, Scope]:
        """What is inside a node and not read in the scope of the node itself."""
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return dict.fromkeys(node.body, self.unit.scopes[node])
            case ast.ClassDef():
                return dict.fromkeys(node.body, self.unit.class_scope(node, scope))
            case ast.Lambda():
                return {node.body: scope.child(node)}
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                inner = dict.fromkeys(child_nodes(node), scope.child(node))
                return {**inner, node.generators[0].iter: scope}
        return {}

    def names(self, node: ast.expr) -> tuple[str, ...]:
        """Every qualified name of what a (dotted) name names; of a call, the callee's."""
        named = node.func if isinstance(node, ast.Call) else node
        return self.resolver.names(named, self.scopes[named])

    def roles(self, node: ast.expr) -> frozenset[Role]:
        """The roles of what a (dotted) name names; of a call, the callee's."""
        return self.file.vocabulary.roles(self.names(node))

    def type_of(self, node: ast.expr) -> Type:
        return self.resolver.type_of(node, self.scopes[node])

    def awaitability(self, node: ast.expr) -> Awaitability:
        """Whether the value of an expression is an awaitable."""
        return self.resolver.awaitability(self.type_of(node))

    def functions(self, node: ast.expr) -> list[Function]:
        """The functions that an expression may name, as far as they are known."""
        return functions_of(self.type_of(node))

    def callees(self, call: ast.Call) -> list[Function]:
        """The functions that a call may reach."""
        return self.functions(call.func) or presumed_by(self.type_of(call))

    def callee(self, call: ast.Call) -> Callee:
        """Who is called and where that is defined, for a message."""
        presumed = presumed_by(self.type_of(call))
        if self.type_of(call) == UNKNOWN:
            label = self.callee_at(call.func, [], []).label
            return Callee(label, "as callbacks are added to what it gives")
        return self.callee_at(call.func, self.functions(call.func), presumed)

    def called(self, func: ast.expr) -> Callee:
        """As `callee`, of what is called."""
        return self.callee_at(func, self.functions(func), [])

    def in_sentinel_guard(self, node: ast.AST) -> bool:
        """Whether, in the same function, a `with PreserveLoggingContext():` is around a node."""
        for outer in self.around(node):
            if isinstance(outer, FunctionOrLambda):
                return False
            if isinstance(outer, ast.With | ast.AsyncWith) and any(
                self._is_sentinel_guard(item.context_expr) for item in outer.items
            ):
                return True
        return False

    def _is_sentinel_guard(self, node: ast.expr) -> bool:
        if not isinstance(node, ast.Call) or Role.SENTINEL_GUARD not in self.roles(node):
            return False
        # With another context as argument it switches to that one, which then leaks.
        return all(
            name.endswith("SENTINEL_CONTEXT")
            for argument in arguments(node)
            for name in self.names(argument)[-1:] or ("",)
        )

    # Reports

    def _function_name(self, node: ast.AST) -> str:
        around = (each for each in self.around(node) if isinstance(each, FunctionNode))
        function = next(around, None)
        scope = self.unit.scopes[function] if function else self.unit.scope
        return scope.qualified_name[len(self.file.module.name) + 1 :]
