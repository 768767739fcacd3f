"""What a rule's visitor can ask, and how it reports: the bridge from libcst to the project."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import libcst as cst

from logctx_lint.findings import Finding, Fix, Span
from logctx_lint.positions import Positions
from logctx_lint.project.classes import enclosing_scope
from logctx_lint.project.modules import Function
from logctx_lint.project.resolver import Resolver
from logctx_lint.project.scopes import Scope
from logctx_lint.project.types import (
    UNKNOWN,
    Awaitability,
    CallableType,
    Certainty,
    FunctionType,
    Kind,
    Presumed,
    Type,
    members_of,
)
from logctx_lint.rules.nodes import all_code, children
from logctx_lint.screen import File, Unit
from logctx_lint.vocabulary import Role

# Before 3.12 the expressions inside an f-string have made-up positions.
_FSTRINGS_HAVE_POSITIONS = sys.version_info >= (3, 12)
_LONGEST_LABEL = 60


@dataclass(frozen=True, slots=True)
class Callee:
    """Who is called, for a message: its text, and why its result is known."""

    label: str
    reason: str

    def handed_on(self, *, has_arguments: bool) -> str:
        """The arguments that hand it to the background starter."""
        function = self.label.strip("`").removesuffix("()")
        return f"({function}, ...)" if has_arguments else f"({function})"


@dataclass
class RuleContext:
    """One unit of one file, as the visitors of all rules see it."""

    unit: Unit
    module: cst.Module
    """The unit alone, parsed."""
    positions: Positions
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._index: dict[tuple[int, int, int, int], tuple[ast.expr, Scope]] = {}
        self._functions: dict[tuple[int, int], Scope] = {}
        self._index_statement(self.unit.node, self.unit.scope)

    # Places

    @property
    def file(self) -> File:
        return self.unit.file

    @property
    def resolver(self) -> Resolver:
        return self.unit.file.resolver

    def span(self, node: cst.CSTNode) -> Span:
        """Where a node stands in the file."""
        return self.positions[node]

    def text(self, node: cst.CSTNode) -> str:
        """The source text of a node, as it stands in the file."""
        return self.text_of(self.span(node))

    def text_of(self, span: Span) -> str:
        lines = self.file.source.lines[span.line - 1 : span.end_line]
        lines[-1] = lines[-1][: span.end_column]
        lines[0] = lines[0][span.column :]
        return "".join(lines)

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
        key = (span.line, span.column, span.end_line, span.end_column)
        found = self._index.get(key)
        if found is None and isinstance(node, cst.Tuple | cst.GeneratorExp):
            # `ast` counts their parentheses in.
            line, column, end_line, end_column = key
            found = self._index.get((line, column - 1, end_line, end_column + 1))
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
        span = self.span(node)
        self._index[span.line, span.column, span.end_line, span.end_column] = tree, scope

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
        return [
            member.function
            for member in members_of(self.type_of(node))
            if isinstance(member, FunctionType)
        ]

    def is_callable(self, node: cst.BaseExpression) -> bool:
        """Whether the value of an expression is known to be a function, and not an awaitable."""
        kinds = (FunctionType, CallableType)
        return all(isinstance(member, kinds) for member in members_of(self.type_of(node)))

    def callees(self, call: cst.Call) -> list[Function]:
        """The functions that a call may reach."""
        return self.functions(call.func) or self._presumed(call)

    def _presumed(self, call: cst.Call) -> list[Function]:
        """The functions that a call very likely reaches, going by the method's name."""
        return [
            function
            for member in members_of(self.type_of(call))
            if isinstance(member, Presumed)
            for function in member.functions
        ]

    def decorator_roles(self, function: Function) -> frozenset[Role]:
        """The roles of a function's decorators."""
        scope = enclosing_scope(function)
        return frozenset(
            role
            for text in function.facts.decorators
            for role in self.file.vocabulary.roles(self.resolver.names_of_text(text, scope))
        )

    def callee(self, call: cst.Call) -> Callee:
        """Who is called and where that is defined, for a message."""
        presumed = [] if self.functions(call.func) else self._presumed(call)
        if not presumed:
            return self.called(call.func)
        how, _, place = self._reason(presumed[0]).rpartition(", ")
        how = "to return one" if how.startswith("by ") else f"as {how}"
        return Callee(self._label(call.func), f"only declared {how} in this project, at {place}")

    def called(self, func: cst.BaseExpression) -> Callee:
        """As `callee`, of what is called."""
        functions = sorted(self.functions(func), key=self._awaitable, reverse=True)
        reason = self._reason(functions[0]) if functions else "by its declared type"
        return Callee(self._label(func), reason)

    def _label(self, func: cst.BaseExpression) -> str:
        label = " ".join(self.text(func).split())
        if len(label) > _LONGEST_LABEL:
            end = label[-_LONGEST_LABEL:]
            label = "…" + (end.partition(".")[2] or end)
        return f"`{label}()`"

    def _result(self, function: Function) -> Awaitability:
        return self.resolver.awaitability(self.resolver.call_type(FunctionType(function)))

    def _awaitable(self, function: Function) -> bool:
        return self._result(function).certainty in (Certainty.YES, Certainty.SOME)

    def _reason(self, function: Function) -> str:
        facts, module = function.facts, function.module
        if facts.is_async and not facts.is_generator:
            how = "async def"
            if facts.decorators and self._result(function).kind is not Kind.COROUTINE:
                how += f" under @{facts.decorators[0].partition('(')[0]}"
        elif any("inlineCallbacks" in decorator for decorator in facts.decorators):
            how = "@inlineCallbacks"
        elif facts.returns:
            how = f"annotated `-> {' '.join(facts.returns.split())}`"
        else:
            how = "by what it returns" if self._awaitable(function) else "def"
        if module.is_stub:
            return f"{how}, {function.qualified_name}"
        return f"{how}, {module.place_of(function)}"

    # Reports

    def report(
        self,
        code: str,
        node: cst.CSTNode,
        message: str,
        fixes: tuple[Fix, ...] = (),
        *,
        until: cst.CSTNode | None = None,
    ) -> None:
        """Report a finding at `node`, its span cut short before `until`."""
        span = self.span(node)
        if until is not None:
            end = self.span(until)
            span = Span(span.line, span.column, end.line, end.column)
        path = self.file.source.path
        self.findings.append(Finding(code, message, path, span, self._function_name(node), fixes))

    def _function_name(self, node: cst.CSTNode) -> str:
        scope: Scope | None = self.unit.scope
        for outer in self.around(node):
            if isinstance(outer, cst.FunctionDef):
                scope = self.scope_of(outer) or scope
                break
        name = scope.qualified_name if scope else ""
        return name[len(self.file.module.name) + 1 :]

    # Index

    def _index_statement(self, node: ast.AST, scope: Scope) -> None:
        for child in ast.iter_child_nodes(node):
            self._index_node(child, self._inner_scope(node, child, scope))

    def _inner_scope(self, node: ast.AST, child: ast.AST, scope: Scope) -> Scope:
        """The scope of a child: defaults, decorators and annotations stay outside."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = self.unit.scopes[node]
            span = (node.lineno, self._column(node.lineno, node.col_offset))
            self._functions[span] = inner
            return inner if isinstance(child, ast.stmt) else scope
        if isinstance(node, ast.ClassDef) and isinstance(child, ast.stmt):
            return self.unit.class_scope(node, scope)
        return scope

    def _index_node(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.JoinedStr) and not _FSTRINGS_HAVE_POSITIONS:
            return
        if isinstance(node, ast.expr):
            end_line, end_column = node.end_lineno or 0, node.end_col_offset or 0
            key = (
                node.lineno,
                self._column(node.lineno, node.col_offset),
                end_line,
                self._column(end_line, end_column),
            )
            self._index[key] = (node, scope)
        if isinstance(node, ast.Lambda):
            self._index_statement(node.args, scope)
            self._index_node(node.body, scope.child(node))
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            inner = scope.child(node)
            for child in ast.iter_child_nodes(node):
                self._index_node(child, inner)
            self._index_node(node.generators[0].iter, scope)
        else:
            self._index_statement(node, scope)

    def _column(self, line: int, byte_column: int) -> int:
        text = self.file.source.lines[line - 1]
        return byte_column if text.isascii() else len(text.encode()[:byte_column].decode())
