"""The context of a rule: what it can ask about a unit of code, and how it reports findings."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from logctx_lint.analysis.callee import Callee, Evidence
from logctx_lint.analysis.units import File, Unit, units
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Finding, Fix, Profile, Related, Span
from logctx_lint.inference import constants
from logctx_lint.inference.decorators import decorator_roles
from logctx_lint.inference.known_names import GENERATOR_MANAGERS
from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.types import (
    UNKNOWN,
    Awaitability,
    CallableType,
    Certainty,
    FunctionType,
    Kind,
    Presumed,
    Type,
    functions_of,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    call_arguments,
    child_nodes,
    last_name,
    own_nodes,
)

if TYPE_CHECKING:
    from logctx_lint.syntax.concrete_syntax import CallSyntax, ConcreteSyntax

# Before 3.12 the expressions inside an f-string have made-up positions.
_FSTRINGS_HAVE_POSITIONS = sys.version_info >= (3, 12)

FunctionOrLambda = FunctionNode | ast.Lambda
_Node = TypeVar("_Node", bound=ast.AST)
_LONGEST_LABEL = 60


def arguments(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call, those with keywords or stars included."""
    given = call_arguments(call)
    return [each.value if isinstance(each, ast.Starred) else each for each in given]


def body_of(function: FunctionOrLambda) -> list[ast.expr] | list[ast.stmt]:
    """What runs when a function is called, its statements or the expression of a lambda."""
    return [function.body] if isinstance(function, ast.Lambda) else function.body


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


_LEAVES = frozenset({ast.Name, ast.Constant})
"""Half of all nodes, with nothing inside."""
_WITH_SCOPES = frozenset(
    {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp,
     ast.DictComp, ast.GeneratorExp}
)  # fmt: skip


def presumed_by(type_: Type) -> list[Function]:
    """The functions that a result very likely comes from, going by the method's name."""
    found = (each for each in members_of(type_) if isinstance(each, Presumed))
    return [function for each in found for function in each.functions]


def is_by_decorator(type_: Type) -> bool:
    """Whether a value is what a function very likely still gives under an unknown decorator."""
    return any(isinstance(each, Presumed) and each.by_decorator for each in members_of(type_))


def is_by_habit(type_: Type) -> bool:
    """Whether of a value only that is known what the file does with all others like it."""
    return any(isinstance(each, Presumed) and each.by_habit for each in members_of(type_))


def contexts_naming(file: File, name: str) -> Iterator[TreeContext]:
    """The units of a file that mention a name, to look at; nothing is reported of them."""
    return (TreeContext(each, []) for each in units(file, file.tree) if name in each.text)


class TreeContext:
    """One unit of one file: where its nodes stand, what is around them, and what they are."""

    def __init__(self, unit: Unit, findings: list[Finding]) -> None:
        """What is reported goes to the end of `findings`."""
        self.unit = unit
        self.findings = findings

    @property
    def file(self) -> File:
        return self.unit.file

    @property
    def resolver(self) -> Resolver:
        return self.unit.file.resolver

    # Places

    def span(self, node: ast.AST) -> Span:
        """Where a node stands in the file."""
        if not self.is_placed(node) and node in self._formatted:
            return self._formatted[node]
        return self.file.module.source.span(node)

    def text(self, node: ast.AST) -> str:
        """The source text of a node, as it stands in the file."""
        # Where it stands in an f-string may not be known.
        is_placed = self.is_placed(node)
        return self.file.module.source.at(self.span(node)) if is_placed else ast.unparse(node)

    def line(self, node: ast.AST) -> str:
        """The source text of a node on one line, for a message."""
        return " ".join(self.text(node).split())

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
    def _formatted(self) -> dict[ast.expr, Span]:
        """Where the expressions stand that f-strings format, as far as that can be read."""
        if _FSTRINGS_HAVE_POSITIONS:
            return {}
        from logctx_lint.syntax.concrete_syntax import in_f_strings

        strings = [node for node, _ in self.unit.nodes(ast.JoinedStr)]
        inner = {each for node in strings for each in all_nodes(node) if each is not node}
        outermost = in_source_order([node for node in strings if node not in inner])
        return in_f_strings(self.concrete, outermost) if self.concrete else {}

    def is_in_text(self, node: ast.expr) -> bool:
        """Whether an f-string formats an expression, and it is known where that stands."""
        return node in self._formatted

    # Concrete syntax, for fixes

    @cached_property
    def concrete(self) -> ConcreteSyntax | None:
        """What libcst reads of the unit; None if it cannot."""
        # To import libcst takes longer than to check a file in which nothing is found, as in most.
        from logctx_lint.syntax.concrete_syntax import read

        return read(self.unit.node, self.unit.text, self.unit.first_line)

    def written(self, call: ast.Call) -> CallSyntax | None:
        """How a call is written; None where that is not known."""
        if self.concrete is None or not self.is_placed(call):
            return None
        return self.concrete.calls.get(self.span(call))

    def is_parenthesized(self, node: ast.expr) -> bool:
        """Whether an expression has, or may have, parentheses of its own."""
        if not self.is_placed(node):
            return False
        return self.concrete is None or self.span(node) in self.concrete.parenthesized

    def name_span(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Span:
        """Where the name of a function stands; the whole function where that is not known."""
        span = self.span(function)
        names = self.concrete.function_names if self.concrete else {}
        return names.get((span.line, span.column), span)

    # Surroundings

    @cached_property
    def _parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node, inside in self._nested for child in inside}

    @cached_property
    def _nested(self) -> list[tuple[ast.AST, list[ast.AST]]]:
        """The nodes that have others inside, outer ones first, with these."""
        found: list[tuple[ast.AST, list[ast.AST]]] = []
        waiting: list[ast.AST] = [self.unit.node]
        for node in waiting:
            found.append((node, child_nodes(node)))
            waiting += [child for child in found[-1][1] if type(child) not in _LEAVES]
        return found

    def parent(self, node: ast.AST) -> ast.AST | None:
        return self._parents.get(node)

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a node, the innermost first."""
        outer = self._parents.get(node)
        while outer is not None:
            yield outer
            outer = self._parents.get(outer)

    def statement_of(self, node: ast.expr) -> ast.stmt | None:
        """The statement that an expression stands in."""
        return next((each for each in self.around(node) if isinstance(each, ast.stmt)), None)

    def behind(self, node: ast.AST) -> list[ast.stmt]:
        """The statements that follow a statement in the same block."""
        block = self._block(node)
        return block[block.index(node) + 1 :] if block else []  # type: ignore[arg-type]

    def before(self, node: ast.AST) -> list[ast.stmt]:
        """The statements that precede a statement in the same block."""
        block = self._block(node)
        return block[: block.index(node)] if block else []  # type: ignore[arg-type]

    def _block(self, node: ast.AST) -> list[ast.stmt]:
        parent = self.parent(node)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(parent, name, None)
            if isinstance(block, list) and node in block:
                return block
        return []

    def ends(self, node: ast.stmt) -> Iterator[list[ast.stmt]]:
        """The blocks of its function that may run because a statement fails or is cancelled.

        These are its own `finally`, and the handlers and `finally` blocks around it.
        """
        yield getattr(node, "finalbody", [])
        for outer in self.around(node):
            if isinstance(outer, FunctionNode):
                return
            attempt = as_try(outer)
            if attempt is not None:
                yield attempt.finalbody
                yield from (each.body for each in attempt.handlers)

    def is_named_at_ends(self, node: ast.stmt, text: str) -> bool:
        """Whether one of these blocks, which may see to it, names something of this text."""
        return any(
            isinstance(each, ast.Name | ast.Attribute) and ast.unparse(each) == text
            for block in self.ends(node)
            for each in own_nodes(block)
        )

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
        for node, inside in self._nested:
            scope = scopes[node]
            known = dict.fromkeys(inside, scope)
            if type(node) in _WITH_SCOPES:
                known |= self._in_own_scope(node, scope)
            elif type(node) is ast.comprehension:
                # The first one is read outside.
                known = {child: scopes.get(child, scope) for child in inside}
            scopes.update(known)
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
        named = node.func if isinstance(node, ast.Call) else node
        return self.file.roles(named, self.scopes[named])

    def type_of(self, node: ast.expr) -> Type:
        return self.resolver.type_of(node, self.scopes[node])

    def awaitability(self, node: ast.expr) -> Awaitability:
        """Whether the value of an expression is an awaitable."""
        return self.resolver.awaitability(self.type_of(node))

    def functions(self, node: ast.expr) -> list[Function]:
        """The functions that an expression may name, or objects run, as far as they are known."""
        return functions_of(self.resolver.run_by_call(self.type_of(node)))

    def is_callable(self, node: ast.expr) -> bool:
        """Whether the value of an expression is known to be a function, and not an awaitable."""
        kinds = (FunctionType, CallableType)
        return all(isinstance(member, kinds) for member in members_of(self.type_of(node)))

    def callees(self, call: ast.Call) -> list[Function]:
        """The functions that a call may reach."""
        return self.functions(call.func) or presumed_by(self.type_of(call))

    def callee(self, call: ast.Call) -> Callee:
        """Who is called and where that is defined, for a message."""
        type_ = self.type_of(call)
        presumed = presumed_by(type_)
        if is_by_habit(type_):
            label = self._callee_at(call.func, [], []).label
            return Callee(label, "as the coroutines of this file await it", evidence=Evidence.HABIT)
        if type_ == UNKNOWN:
            label = self._callee_at(call.func, [], []).label
            return Callee(label, "as callbacks are added to what it gives")
        return self._callee_at(call.func, self.functions(call.func), presumed)

    def called(self, func: ast.expr) -> Callee:
        """As `callee`, of what is called."""
        return self._callee_at(func, self.functions(func), [])

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
        return all(Role.SENTINEL_CONTEXT in self.roles(each) for each in arguments(node))

    # Callees

    def makes_manager(self, function: FunctionNode) -> bool:
        """Whether contextlib makes a context manager of a function, which is a generator."""
        return any(GENERATOR_MANAGERS & set(self.names(each)) for each in function.decorator_list)

    def decorator_roles(self, function: Function) -> frozenset[Role]:
        """The roles of a function's decorators."""
        return decorator_roles(self.resolver, self.file.vocabulary, function)

    def _callee_at(
        self, func: ast.expr, functions: list[Function], presumed: list[Function]
    ) -> Callee:
        """Who is called by `func`, which may be some functions, or by its name very likely is."""
        if functions or not presumed:
            best = max(functions, key=self._awaitable, default=None)
            if best is None:
                return Callee(
                    self._label(func), "by its declared type", evidence=Evidence.DECLARATION
                )
            return Callee(self._label(func), self._reason(best), self._definition(best))
        how, _, place = self._reason(presumed[0]).rpartition(", ")
        how = "to return one" if how.startswith("by ") else f"as {how}"
        reason = f"only declared {how} in this project, at {place}"
        definition = self._definition(presumed[0])
        is_elsewhere = all(each.module != self.file.module for each in presumed)
        is_contradicted = is_elsewhere and self.file.takes_for_values(last_name(func))
        is_confirmed = self.file.awaits_elsewhere(func)
        label = self._label(func)
        return Callee(label, reason, definition, Evidence.NAME, is_contradicted, is_confirmed)

    def _definition(self, function: Function) -> Related | None:
        if function.module.is_stub:
            return None
        name = function.qualified_name.rpartition(".")[2]
        return Related(function.module.path, function.line, f"`{name}()` is defined here")

    def _label(self, func: ast.expr) -> str:
        label = self.line(func)
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
        if facts.decorators and self._result(function).certainty is Certainty.LIKELY:
            has_source = bool(self.resolver.decorators.wrappers(function))
            why = "which lets another object run it" if has_source else "which is not known"
            how += f" under @{facts.decorators[0].partition('(')[0]}, {why}"
        if module.is_stub:
            return f"{how}, {function.qualified_name}"
        return f"{how}, {module.place_of(function)}"

    # Reports

    def _function_name(self, node: ast.AST) -> str:
        around = (each for each in self.around(node) if isinstance(each, FunctionNode))
        function = next(around, None)
        scope = self.unit.scopes[function] if function else self.unit.scope
        return scope.qualified_name[len(self.file.module.name) + 1 :]

    def report(
        self,
        code: str,
        node: ast.AST,
        message: str,
        fixes: tuple[Fix, ...] = (),
        *,
        span: Span | None = None,
        profile: Profile = Profile.RECOMMENDED,
        callee: Callee | None = None,
    ) -> None:
        """Report a finding at `node`, or at a `span` of its own; it may be about a callee.

        Code that a constant of the module rules out (`if not _IS_SYNC:`) makes no mistakes.
        """
        if constants.ruled_out(self.around(node), node, self.file.module):
            return
        if callee and callee.is_guess and not self.file.traits.has_log_contexts:
            if callee.is_contradicted:
                return
            profile = Profile.STRICT
        function, path = self._function_name(node), self.file.module.source.path
        place = span or self.span(node)
        related = (callee.definition,) if callee and callee.definition else ()
        found = Finding(code, message, path, place, function, fixes, profile, related)
        self.findings.append(found)
