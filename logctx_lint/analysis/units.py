"""A file as rules see it, cut into units, and what `ast` alone tells about each.

A unit is an outermost function, or another statement of a module or class body. Cheap looks rule
most of them out before a rule asks what things are.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast

from logctx_lint.callgraph.cancellation_safety import Auditor
from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.settings import Framework, Settings
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.future_uses import Body
from logctx_lint.inference.prefilter import Prefilter
from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.summaries import Summaries
from logctx_lint.inference.types import External, Unknown, members_of
from logctx_lint.inference.use_def import Comprehension, Scope
from logctx_lint.project.facts import (
    ClassFacts,
    Extractor,
    FunctionFacts,
    FunctionNode,
    ModuleFacts,
)
from logctx_lint.project.frameworks import Traits
from logctx_lint.project.modules import Class, Function, Module
from logctx_lint.syntax.ast_walk import (
    FIELDS,
    all_nodes,
    awaited_methods,
    child_blocks,
    child_nodes,
    last_name,
)
from logctx_lint.syntax.source import Source

_Node = TypeVar("_Node", bound=ast.AST)
_SCOPED = frozenset((ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp))


def _fields() -> dict[type[ast.AST], tuple[str, ...]]:
    """Where expressions are found in each type of node; annotations are left out.

    Names and constants, half of all nodes, hold none and are of interest to nobody.
    """
    holders = (ast.expr, ast.comprehension, ast.keyword, ast.withitem, ast.arguments,
               ast.ExceptHandler, ast.match_case)  # fmt: skip
    statements = {"body", "orelse", "finalbody", "annotation", "returns"}
    fields: dict[type[ast.AST], tuple[str, ...]] = {}
    for kind in vars(ast).values():
        if isinstance(kind, type) and issubclass(kind, (ast.stmt, *holders)):
            skip = set() if issubclass(kind, ast.expr) else statements
            fields[kind] = tuple(name for name in FIELDS[kind] if name not in skip)
    for leaf in (ast.Name, ast.Constant):
        del fields[leaf]
    return fields


_FIELDS = _fields()

_LOOP = "asyncio.events.AbstractEventLoop"
_LOOPS = frozenset({Role.EVENT_LOOP})
_OF_LOOPS = frozenset(
    {"add_reader", "add_signal_handler", "add_writer", "call_at", "call_later", "call_soon",
     "call_soon_threadsafe", "run_in_executor", "run_until_complete"}
)  # fmt: skip
"""Methods that hardly anything else of that name has."""
_OTHER_LOOPS = ("tornado", "twisted", "trio", "gevent", "uasyncio", "micropython")

_TWO_AWAITS = re.compile(r"\bawait\b(?:[\s(\\]|#[^\n]*\n)+await\b")
"""What `await` of an `await` looks like, however it is broken into lines."""


def _nobody() -> Auditor:
    raise RuntimeError("only an engine has auditors")


class _Playing(dict[str, bool]):
    """Which last names in one file may have some roles; each is looked up once."""

    def __init__(self, playing: Mapping[str, bool], aliases: Mapping[str, Set[str]]) -> None:
        self._anywhere = playing
        self._aliases = aliases

    def __missing__(self, name: str) -> bool:
        found = self._anywhere[name]
        if not found and name in self._aliases:
            found = any(self._anywhere[each] for each in self._aliases[name])
        self[name] = found
        return found


@dataclass(frozen=True)
class File:
    """One file that is being linted, with all that rules may ask about it.

    Of a file that another one asks about, no more is taken down than was looked at.
    """

    parsed: ast.Module | None
    """All of it, where that was parsed anyway."""
    module: Module
    resolver: Resolver
    vocabulary: Vocabulary
    summaries: Summaries
    """What callers have to know of functions."""
    traits: Traits
    settings: Settings = field(default_factory=Settings)
    auditor: Callable[[], Auditor] = _nobody
    """Of the file's package, made when first asked for."""

    @property
    def source(self) -> Source:
        """All of its text; for one unit's, `module.source`."""
        self.module.note_all()
        return self.module.source

    @property
    def tree(self) -> ast.Module:
        """All of it, parsed."""
        self.module.note_all()
        return self._tree

    @cached_property
    def _tree(self) -> ast.Module:
        return self.parsed or self.module.file.tree or self.module.source.parse()

    @cached_property
    def body(self) -> Body:
        """All of it, with what is around each node."""
        return Body(self.tree)

    def nodes(self, kind: type[_Node]) -> list[_Node]:
        """Every node of one type in the file; all who ask share one walk."""
        return self._by_kind.get(kind) or []

    @cached_property
    def _by_kind(self) -> dict[type[ast.AST], list[Any]]:
        found = defaultdict(list)
        for node in all_nodes(self.tree):
            found[type(node)].append(node)
        return found

    @cached_property
    def class_of(self) -> Mapping[ast.stmt, ast.ClassDef]:
        """The class that each statement of a class body stands in."""
        return {statement: node for node in self.nodes(ast.ClassDef) for statement in node.body}

    @cached_property
    def set_attributes(self) -> frozenset[str]:
        """The attributes that the file sets on anything."""
        return frozenset(
            node.attr for node in self.nodes(ast.Attribute) if isinstance(node.ctx, ast.Store)
        )

    @cached_property
    def awaits_twice(self) -> bool:
        """Whether the file awaits what an `await` has given."""
        return _TWO_AWAITS.search(self.source.text) is not None and any(
            isinstance(node.value, ast.Await) for node in self.nodes(ast.Await)
        )

    @cached_property
    def awaited_methods(self) -> frozenset[str]:
        """The names of the methods that the file calls inside an `await`."""
        return awaited_methods(self.tree)

    def awaits_elsewhere(self, func: ast.expr) -> bool:
        """Whether the file awaits the same method of an object of the same name."""
        text = ast.unparse(func)
        return any(
            isinstance(each.value, ast.Call) and ast.unparse(each.value.func) == text
            for each in self.nodes(ast.Await)
        )

    def takes_for_values(self, method: str) -> bool:
        """Whether the file uses more than once what methods of a name give, and awaits none."""
        used = [
            each
            for each in self.nodes(ast.Call)
            if isinstance(each.func, ast.Attribute)
            and each.func.attr == method
            and not isinstance(self.body.parent(each), ast.Expr)
        ]
        return len(used) > 1 and method not in self.awaited_methods

    @cached_property
    def last_names(self) -> frozenset[str]:
        """The last names of all (dotted) names in the file."""
        names = {node.id for node in self.nodes(ast.Name)}
        return frozenset(names.union(node.attr for node in self.nodes(ast.Attribute)))

    def roles(self, node: ast.expr, scope: Scope) -> frozenset[Role]:
        """The roles of what a (dotted) name names."""
        names = self.resolver.names(node, scope)
        return self.vocabulary.roles(names) or self._roles_of_loop(node, scope)

    def _roles_of_loop(self, node: ast.expr, scope: Scope) -> frozenset[Role]:
        """Those of `loop.call_soon`, where nothing is known of what goes by the name of a loop."""
        match node:
            case ast.Attribute(receiver, method) if method in _OF_LOOPS:
                is_named_so = self.vocabulary.has_bare_name(last_name(receiver), _LOOPS)
                if is_named_so and self._is_of_asyncio:
                    found = members_of(self.resolver.type_of(receiver, scope))
                    if all(isinstance(each, Unknown | External) for each in found):
                        return self.vocabulary.roles([f"{_LOOP}.{method}"])
        return frozenset()

    @cached_property
    def _is_of_asyncio(self) -> bool:
        """Whether asyncio's loops are the only ones that the file speaks of."""
        is_asyncio = self.traits.framework is Framework.ASYNCIO
        return is_asyncio and not any(map(self.source.mentions, _OTHER_LOOPS))

    @cached_property
    def prefilter(self) -> Prefilter:
        """What names alone rule out as an awaitable, before the resolver is asked."""
        return Prefilter(self.module, self.resolver.modules)

    def may_play(self, node: ast.expr, roles: frozenset[Role]) -> bool:
        """Whether something could have one of these roles, by its last name alone."""
        return self._playing(roles)[last_name(node)]

    def may_any_play(self, names: frozenset[str], roles: frozenset[Role]) -> bool:
        """The same of several last names."""
        return any(map(self._playing(roles).__getitem__, names))

    def _playing(self, roles: frozenset[Role]) -> _Playing:
        found = self._known_playing.get(roles)
        if found is None:
            playing = self.vocabulary.playing(roles)
            found = self._known_playing[roles] = _Playing(playing, self._aliases)
        return found

    @cached_property
    def _known_playing(self) -> dict[frozenset[Role], _Playing]:
        return {}

    @cached_property
    def _aliases(self) -> dict[str, set[str]]:
        """The other last names of what names of the module stand for."""
        return self.module.aliases


@dataclass(frozen=True, eq=False)
class Unit:
    """A piece of a file that is looked at by itself. `scope` is the one it stands in."""

    file: File
    node: ast.stmt
    scope: Scope

    @property
    def first_line(self) -> int:
        decorators = getattr(self.node, "decorator_list", None)
        return decorators[0].lineno if decorators else self.node.lineno

    @property
    def last_line(self) -> int:
        return self.node.end_lineno or self.node.lineno

    @cached_property
    def text(self) -> str:
        """The lines of the unit."""
        return "".join(self.file.module.source.lines[self.first_line - 1 : self.last_line])

    @cached_property
    def statements(self) -> list[tuple[ast.stmt, Scope]]:
        """Every statement in the unit, nested functions included, each with its scope."""
        found: list[tuple[ast.stmt, Scope]] = []
        self._walk([self.node], self.scope, found)
        return found

    def nodes(self, kind: type[_Node]) -> list[tuple[_Node, Scope]]:
        """Every node of one type in the unit, each with its scope.

        All screens share the one walk that finds them. Annotations, names and constants are left
        out.
        """
        return self.by_kind.get(kind) or []

    @cached_property
    def by_kind(self) -> dict[type[ast.AST], list[tuple[Any, Scope]]]:
        """What `nodes` says of each type that there is any of."""
        found = defaultdict(list)
        waiting: list[tuple[ast.AST, Scope]] = list(self.statements)
        for start, scope in waiting:
            stack = [start]
            while stack:
                node = stack.pop()
                kind = type(node)
                fields = _FIELDS.get(kind)
                if fields is None:
                    continue
                found[kind].append((node, scope))
                if kind in _SCOPED:
                    inner = scope.child(cast("ast.Lambda | Comprehension", node))
                    waiting += [(each, inner) for each in child_nodes(node)]
                    continue
                for name in fields:
                    value = getattr(node, name)
                    if type(value) is list:
                        stack += value
                    elif value is not None:
                        stack.append(value)
        return found

    @cached_property
    def possible_awaitables(self) -> frozenset[ast.Call]:
        """The calls that the prefilter does not rule out."""
        prefilter = self.file.prefilter
        return frozenset(
            call
            for call, scope in self.nodes(ast.Call)
            if prefilter.may_give_awaitable(call, scope) and not prefilter.gives_plain_value(call)
        )

    def may_call(self, roles: frozenset[Role]) -> bool:
        """Whether something is called whose last name alone could have one of these roles."""
        return self.file.may_any_play(self._called, roles)

    @cached_property
    def _called(self) -> frozenset[str]:
        """The last names of all that is called."""
        return frozenset(last_name(call.func) for call, _ in self.nodes(ast.Call))

    @cached_property
    def scopes(self) -> dict[ast.AST, Scope]:
        """The scope of every function in the unit."""
        found: dict[ast.AST, Scope] = {}
        for statement, scope in self.statements:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                found[statement] = self._function_scope(statement, scope)
        return found

    def _walk(
        self, body: list[ast.stmt], scope: Scope, found: list[tuple[ast.stmt, Scope]]
    ) -> None:
        for statement in body:
            found.append((statement, scope))
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                self._walk(statement.body, self._function_scope(statement, scope), found)
            elif isinstance(statement, ast.ClassDef):
                self._walk(statement.body, self.class_scope(statement, scope), found)
            else:
                for block in child_blocks(statement):
                    self._walk(block, scope, found)

    @cached_property
    def _known_scopes(self) -> dict[ast.AST, Scope]:
        return {}

    def _function_scope(self, node: FunctionNode, scope: Scope) -> Scope:
        if node not in self._known_scopes:
            owner = scope.owner if scope.is_class_body else None
            outer = scope.parent if scope.is_class_body else scope
            function = Function(
                self.file.module,
                f"{scope.qualified_name}.{node.name}",
                node.lineno,
                self._facts_of(node, scope),
                owner,
                outer,
                node,
            )
            self._known_scopes[node] = Scope.of_body(function, node)
        return self._known_scopes[node]

    def _facts_of(self, node: FunctionNode, scope: Scope) -> FunctionFacts:
        """Those of the module, if the function is not inside another one."""
        if scope.is_class_body and scope.owner:
            place: ClassFacts | ModuleFacts | None = scope.owner.facts
        else:
            place = None if scope.node else self.file.module.facts_about(node.name)
        known = place.functions.get(node.name, ()) if place else ()
        same = (each for each in known if each.line == node.lineno)
        return next(same, None) or self._extractor.function(node)

    def class_scope(self, node: ast.ClassDef, scope: Scope) -> Scope:
        """The scope of the body of a class in this unit."""
        if node not in self._known_scopes:
            cls = Class(
                self.file.module,
                f"{scope.qualified_name}.{node.name}",
                node.lineno,
                self._extractor.class_(node),
                scope,
            )
            self._known_scopes[node] = Scope(self.file.module, None, scope, None, cls)
        return self._known_scopes[node]

    @cached_property
    def _extractor(self) -> Extractor:
        return Extractor(self.file.module.source)

    @cached_property
    def answers(self) -> dict[object, bool]:
        """What screens that serve several rules have found out."""
        return {}


def units(file: File, tree: ast.Module) -> Iterator[Unit]:
    """Cut a file into units that do not overlap and together hold all of its code."""
    yield from _units(file, tree.body, Scope(file.module))


def _units(file: File, body: list[ast.stmt], scope: Scope) -> Iterator[Unit]:
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            facts = _outer_class_scope(file, statement, scope)
            yield from _units(file, statement.body, facts)
        elif not _does_nothing(statement):
            yield Unit(file, statement, scope)


def _does_nothing(statement: ast.stmt) -> bool:
    """Whether a statement only imports, declares or documents."""
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Pass() | ast.Expr(ast.Constant()):
            return True
        case ast.AnnAssign(value=None):
            return True
    return False


def _outer_class_scope(file: File, node: ast.ClassDef, scope: Scope) -> Scope:
    outer = scope.owner.facts.classes if scope.owner else file.module.facts.classes
    known = outer.get(node.name)
    if known is None or known.line != node.lineno:
        known = Extractor(file.source).class_(node)
    name = f"{scope.qualified_name}.{node.name}"
    cls = Class(file.module, name, node.lineno, known, scope.parent)
    return Scope(file.module, None, scope.parent, None, cls)
