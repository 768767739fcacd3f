"""What a rule's visitor can ask, and how it reports: the bridge from libcst to the project."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from functools import cached_property

from logctx_lint.analysis.base_context import Callee, Context, functions_of, presumed_by
from logctx_lint.analysis.context import TreeContext
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Span
from logctx_lint.inference.types import (
    UNKNOWN,
    Awaitability,
    CallableType,
    Certainty,
    FunctionType,
    Type,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Function
from logctx_lint.syntax.cst_walk import all_code, children
from logctx_lint.syntax.lazy_libcst import cst

_DEEPEST = 1000
"""Nodes inside nodes: with some thousands libcst takes minutes, or ends the process."""


class RuleContext(Context["cst.CSTNode"]):
    """The unit as libcst sees it, with what the project knows of its nodes."""

    def __init__(self, trees: TreeContext) -> None:
        """Parses the unit alone. Under an `if 1:` it keeps its indentation and so its columns."""
        from logctx_lint.syntax.cst_positions import Positions  # This is where libcst is imported.

        super().__init__(trees.unit, trees.findings)
        self.trees = trees
        if _is_too_deep(self.unit.node):
            raise RecursionError
        unit, source = self.unit, self.file.source
        indented = unit.text.lstrip("\f")[:1] in (" ", "\t")
        self.module = cst.parse_module("if 1:\n" + unit.text if indented else unit.text)
        self._positions = Positions(self.module, unit.first_line - 1 - indented)
        self._known: dict[Span, tuple[ast.expr, Scope]] = {
            source.span(node): (node, scope)
            for node, scope in trees.scopes.items()
            if isinstance(node, ast.expr) and trees.is_placed(node)
        }
        self._functions = {
            (span.line, span.column): scope
            for node, scope in unit.scopes.items()
            for span in [source.span(node)]
        }

    def span(self, node: cst.CSTNode) -> Span:
        return self._positions[node]

    # Surroundings

    @cached_property
    def _parents(self) -> dict[cst.CSTNode, cst.CSTNode]:
        parents: dict[cst.CSTNode, cst.CSTNode] = {}
        stack: list[cst.CSTNode] = [self.module]
        while stack:
            node = stack.pop()
            for child in children(node):
                parents[child] = node
                stack.append(child)
        return parents

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        return self._parents.get(node)

    def around(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes around a node, the innermost first."""
        outer = self._parents.get(node)
        while outer is not None:
            yield outer
            outer = self._parents.get(outer)

    def behind(self, statement: cst.CSTNode) -> list[cst.CSTNode]:
        """The statements that follow a statement in the same block."""
        parent = self.parent(statement)
        inside = parent.body if isinstance(parent, cst.BaseSuite | cst.Module) else ()
        body: list[cst.CSTNode] = list(inside)
        index = next((i for i, each in enumerate(body) if each is statement), len(body))
        return body[index + 1 :]

    def function_of(self, node: cst.CSTNode) -> cst.FunctionDef | cst.Lambda | None:
        """The innermost function whose body a node is in; None at module or class level."""
        inner = node
        for outer in self.around(node):
            # Decorators, defaults and annotations run outside.
            if isinstance(outer, cst.FunctionDef | cst.Lambda) and inner is outer.body:
                return outer
            if isinstance(outer, cst.ClassDef) and inner is outer.body:
                return None
            inner = outer
        return None

    # Functions

    def scope_of(self, function: cst.FunctionDef) -> Scope | None:
        """What the project knows of a function in this unit."""
        span = self.span(function)
        return self._functions.get((span.line, span.column))

    def is_asynchronous(self, function: cst.FunctionDef | cst.Lambda | None) -> bool:
        """An `async def`, or a generator under `@inlineCallbacks`."""
        if not isinstance(function, cst.FunctionDef):
            return False
        return function.asynchronous is not None or self.awaits_by_yield(function)

    def awaits_by_yield(self, function: cst.FunctionDef | cst.Lambda | None) -> bool:
        """Under `@inlineCallbacks`; also where no `yield` is left, as one must have been lost."""
        return (
            isinstance(function, cst.FunctionDef)
            and function.asynchronous is None
            and any(
                Role.INLINE_CALLBACKS in self.roles(decorator.decorator)
                for decorator in function.decorators
            )
        )

    def in_sentinel_guard(self, node: cst.CSTNode) -> bool:
        """Whether, in the same function, a `with PreserveLoggingContext():` is around a node."""
        for outer in self.around(node):
            if isinstance(outer, cst.FunctionDef | cst.Lambda):
                return False
            if isinstance(outer, cst.With) and any(
                self._is_sentinel_guard(item.item) for item in outer.items
            ):
                return True
        return False

    def _is_sentinel_guard(self, node: cst.BaseExpression) -> bool:
        if not isinstance(node, cst.Call) or Role.SENTINEL_GUARD not in self.roles(node.func):
            return False
        # With another context as argument it switches to that one, which then leaks.
        return all(
            name.endswith("SENTINEL_CONTEXT")
            for argument in node.args
            for name in self.names(argument.value)[-1:] or ("",)
        )

    # Names and types

    def expression(self, node: cst.CSTNode) -> tuple[ast.expr, Scope] | None:
        """The tree that the project knows an expression by, and its scope."""
        span = self.span(node)
        found = self._known.get(span)
        if found is None and isinstance(node, cst.Tuple | cst.GeneratorExp):
            # `ast` counts their parentheses in.
            start, end = span.column - 1, span.end_column + 1
            found = self._known.get(Span(span.line, start, span.end_line, end))
        return found

    def nodes_of(self, trees: Collection[ast.expr]) -> dict[ast.expr, cst.BaseExpression]:
        """The nodes that stand for some expressions, in source order."""
        found: dict[ast.expr, cst.BaseExpression] = {}
        for node in all_code(self.module) if trees else ():
            known = self.expression(node) if isinstance(node, cst.BaseExpression) else None
            if known and known[0] in trees:
                found.setdefault(known[0], node)  # type: ignore[arg-type]
        return found

    def remember(self, node: cst.CSTNode, tree: ast.expr, scope: Scope) -> None:
        """Say which tree a node stands for, where its place does not."""
        self._known[self.span(node)] = tree, scope

    def type_of(self, node: cst.BaseExpression) -> Type:
        found = self.expression(node)
        return self.resolver.type_of(*found) if found else UNKNOWN

    def awaitability(self, node: cst.BaseExpression) -> Awaitability:
        """Whether the value of an expression is an awaitable."""
        found = self.expression(node)
        if found is None:
            return Awaitability(Certainty.UNKNOWN)
        return self.resolver.awaitability(self.resolver.type_of(*found))

    def names(self, node: cst.BaseExpression) -> tuple[str, ...]:
        """Every qualified name of what a (dotted) name names; of a call, the callee's."""
        if isinstance(node, cst.Call):
            node = node.func
        found = self.expression(node)
        return self.resolver.names(*found) if found else ()

    def roles(self, node: cst.BaseExpression) -> frozenset[Role]:
        """The roles of what a (dotted) name names; of a call, the callee's."""
        return self.file.vocabulary.roles(self.names(node))

    def functions(self, node: cst.BaseExpression) -> list[Function]:
        """The functions that an expression may name, as far as they are known."""
        return functions_of(self.type_of(node))

    def is_callable(self, node: cst.BaseExpression) -> bool:
        """Whether the value of an expression is known to be a function, and not an awaitable."""
        kinds = (FunctionType, CallableType)
        return all(isinstance(member, kinds) for member in members_of(self.type_of(node)))

    def callees(self, call: cst.Call) -> list[Function]:
        """The functions that a call may reach."""
        return self.functions(call.func) or presumed_by(self.type_of(call))

    def callee(self, call: cst.Call) -> Callee:
        """Who is called and where that is defined, for a message."""
        return self.callee_at(call.func, self.functions(call.func), presumed_by(self.type_of(call)))

    def called(self, func: cst.BaseExpression) -> Callee:
        """As `callee`, of what is called."""
        return self.callee_at(func, self.functions(func), [])

    def _function_name(self, node: cst.CSTNode) -> str:
        scope: Scope | None = self.unit.scope
        for outer in self.around(node):
            if isinstance(outer, cst.FunctionDef):
                scope = self.scope_of(outer) or scope
                break
        name = scope.qualified_name if scope else ""
        return name[len(self.file.module.name) + 1 :]


def _is_too_deep(tree: ast.AST) -> bool:
    stack = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        # libcst nests each `or` in the next.
        depth += len(node.values) if isinstance(node, ast.BoolOp) else 1
        if depth > _DEEPEST:
            return True
        stack += [(child, depth) for child in ast.iter_child_nodes(node)]
    return False
