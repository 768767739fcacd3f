"""The names bound inside one function, and which bindings reach a use.

Control flow is followed as far as blocks go: a binding counts from its statement to the end
of the function, is hidden by a later one on every path, does not leave a branch that returns
or raises, and goes round a loop.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from logctx_lint.incremental.memo import Store
from logctx_lint.inference.narrowing import Narrowings, Region, dotted
from logctx_lint.inference.narrowing import Position as Position
from logctx_lint.project.facts import (
    Extractor,
    FunctionNode,
    ImportFacts,
    imported_names,
    parameters_of,
)
from logctx_lint.project.modules import Class, Function, Module
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    child_blocks,
    child_nodes,
    end_of,
    start_of,
)

if TYPE_CHECKING:
    from logctx_lint.inference.types import Type

BindingKind = Literal[
    "value", "annotation", "parameter", "element", "async element", "entered", "async entered",
    "except", "import", "function", "class", "global", "nonlocal", "opaque",
]  # fmt: skip

_BINDING_NOTHING = (ast.Expr, ast.Return, ast.Raise, ast.Assert, ast.Pass, ast.Delete)
_TEST = "isinstance("
FunctionScopeNode = FunctionNode | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(eq=False, slots=True)
class Block:
    """A list of statements that run together, and where it stands."""

    start: Position
    end: Position
    parent: Block | None = None
    is_loop: bool = False
    branch_of: ast.AST | None = None
    """The `if` or `match` of which only one branch runs."""
    leaves: bool = False
    """Ends by returning or raising."""
    children: list[Block] = field(default_factory=list)

    def chain(self) -> Iterator[Block]:
        block: Block | None = self
        while block:
            yield block
            block = block.parent


@dataclass(eq=False, slots=True)
class Binding:
    """One place that binds a name. `value` means what `kind` says.

    Never changed; not frozen, because that takes three times as long to make, and there are many.
    """

    kind: BindingKind
    position: Position
    """From where on the name is bound."""
    block: Block
    value: ast.expr | None = None
    path: tuple[int, ...] = ()
    """Indexes, from outside in, when the value is unpacked."""
    imported: ImportFacts | None = None
    function: Function | None = None
    cls: Class | None = None
    annotation: ast.expr | None = None
    """Of a parameter, whose `value` is the default; of `x: T = value`, which may have none."""
    parameter: str = ""
    """`Parameter.kind` of a parameter, or `self` for a method's first one."""
    name: str = ""
    """Of a parameter, or of what is bound further out."""


@dataclass(eq=False)
class Scope:
    """One function, lambda or comprehension, a class body, or a module.

    A scope is *positioned* when the expressions read in it are nodes of its own tree; others
    were parsed from the text that facts keep, and where they stand is not known.
    """

    module: Module
    node: FunctionScopeNode | Comprehension | None = None
    parent: Scope | None = None
    function: Function | None = None
    """What the facts say of it, when it is a def."""
    owner: Class | None = None
    """The class whose method this is, or whose body this is."""
    is_positioned: bool = False
    is_signature: bool = False
    """Reads the function's annotations: its parameters are not bound here."""
    given: Mapping[str, Type] | None = None
    """What parameters, or attributes of `self`, are in one particular call."""

    @classmethod
    def of_body(cls, function: Function, node: FunctionNode) -> Scope:
        """The scope of the body of `function`, whose tree is `node`."""
        return cls(
            function.module, node, function.scope, function, function.owner, is_positioned=True
        )

    # Most scopes are made to read one annotation, and need none of these.

    @cached_property
    def types(self) -> Store[Type]:
        """Answers about the bindings and calls here, which live no longer than the tree."""
        return {}

    @cached_property
    def names(self) -> Store[tuple[str, ...]]:
        """Likewise the qualified names of what is named here."""
        return {}

    @cached_property
    def _children(self) -> dict[ast.AST, Scope]:
        return {}

    @property
    def qualified_name(self) -> str:
        if self.function:
            return self.function.qualified_name
        if self.owner and not self.node:
            return self.owner.qualified_name
        return self.parent.qualified_name if self.parent else self.module.name

    def given_for(self, name: str) -> Type | None:
        """What a (dotted) name is in the call that this scope, or one around it, is read for."""
        scope: Scope | None = self
        while scope:
            if scope.given is not None and name in scope.given:
                return scope.given[name]
            scope = scope.parent
        return None

    @property
    def is_class_body(self) -> bool:
        return self.owner is not None and self.function is None and self.node is None

    @property
    def method(self) -> Scope | None:
        """The innermost enclosing scope that is a method, itself included."""
        scope: Scope | None = self
        while scope and not (scope.owner and scope.function):
            scope = scope.parent
        return scope

    @property
    def enclosing_class(self) -> Class | None:
        """The class that this is the body of, or in a method of."""
        scope: Scope | None = self
        while scope and not scope.owner:
            scope = scope.parent
        return scope.owner if scope else None

    def child(self, node: ast.Lambda | Comprehension) -> Scope:
        """The scope of a lambda or comprehension that is read in this one."""
        found = self._children.get(node)
        if found is None:
            found = Scope(self.module, node, self, is_positioned=self.is_positioned)
            if self.is_positioned:
                self._children[node] = found
        return found

    @property
    def is_transient(self) -> bool:
        """Made for one question: whoever asks again reads the same text in a scope of its own."""
        return self.node is not None and not self.is_positioned

    @property
    def tree(self) -> FunctionScopeNode | Comprehension | None:
        """The tree, parsed on demand."""
        if self.node or not self.function:
            return self.node
        self.function.note_body()
        return self._parsed

    @cached_property
    def _parsed(self) -> FunctionNode | None:
        return self.function.tree() if self.function else None

    @cached_property
    def _blocks_and_bindings(self) -> tuple[Block, dict[str, list[Binding]]]:
        collector = _Collector(self)
        return collector.root, collector.bindings

    @property
    def _layout(self) -> tuple[Block, dict[str, list[Binding]]]:
        if self.function and not self.node:
            self.function.note_body()
        return self._blocks_and_bindings

    @property
    def bindings(self) -> dict[str, list[Binding]]:
        """Every binding in this scope by name, in source order."""
        return (self._blocks_and_bindings if self.node else self._layout)[1]

    @cached_property
    def _narrowings(self) -> Narrowings | None:
        node = self.tree
        if not isinstance(node, FunctionNode):
            return None
        source = self.module.source
        lines = source.lines[node.lineno - 1 : node.end_lineno] if source.mentions(_TEST) else ()
        if not any(_TEST in line for line in lines):
            return None
        narrowings = Narrowings()
        narrowings.read(node.body)
        return narrowings

    def narrowed(self, node: ast.Name | ast.Attribute) -> Region | None:
        """What `isinstance` has said of the (dotted) name `node`."""
        scope = self
        while isinstance(scope.node, Comprehension) and scope.parent:
            scope = scope.parent
        if not scope.is_positioned or not (narrowings := scope._narrowings):
            return None
        if not narrowings.regions or not (name := dotted(node)):
            return None
        position = start_of(node)
        region = narrowings.at(name, position)
        if region is None:
            return None
        rebound = scope.bindings.get(name.partition(".")[0], ())
        if any(region.start < binding.position <= position for binding in rebound):
            return None
        return region

    def block_at(self, position: Position) -> Block:
        block = self._layout[0]
        while True:
            for child in block.children:
                if child.start <= position < child.end:
                    block = child
                    break
            else:
                return block

    def may_follow(self, first: Position, then: Position) -> bool:
        """Whether control can pass from one place in this scope on to a later one."""
        return first <= then and _may_reach(self.block_at(first), list(self.block_at(then).chain()))

    def replaced(self, node: ast.Attribute) -> ast.expr | None:
        """What a function has put in the place of a method before: `x.get = wrap(x.get)`."""
        tree = self.node
        if not isinstance(tree, FunctionNode) or not self.is_positioned:
            return None
        if not self.module.source.mentions(f".{node.attr} = "):
            return None
        path, position = dotted(node), start_of(node)
        found = [
            each
            for each in (body_nodes(tree) if path else ())
            if isinstance(each, ast.Assign)
            and any(dotted(target) == path for target in each.targets)
            and self.may_follow(end_of(each), position)
        ]
        return max(found, key=end_of).value if found else None

    def reaching_name(self, node: ast.Name) -> list[Binding]:
        """The bindings of a name that its use at this place may see."""
        return self.reaching(node.id, start_of(node))

    def reaching(self, name: str, position: Position) -> list[Binding]:
        """The bindings of `name` that a use at `position` in this scope may see."""
        bindings = self.bindings.get(name)
        if not bindings:
            return []
        if len(bindings) == 1:
            return bindings
        chain = list(self.block_at(position).chain())
        before = [
            binding
            for binding in bindings
            if binding.position <= position and _may_reach(binding.block, chain)
        ]
        certain = [binding for binding in before if binding.block in chain]
        last = certain[-1] if certain else None
        reaching = [b for b in before if last is None or b is last or b.position > last.position]
        later = [binding for binding in bindings if binding.position > position]
        return [*reaching, *_from_last_round(later, chain, last)] or bindings


def _from_last_round(
    later: list[Binding], chain: list[Block], last: Binding | None
) -> list[Binding]:
    """Of the bindings further down those that a loop around the use brings back to it."""
    for loop in chain:
        if loop.is_loop and not (last and loop in last.block.chain()):
            return [binding for binding in later if loop in binding.block.chain()]
    return []


def _may_reach(block: Block, use: list[Block]) -> bool:
    for outer in block.chain():
        if outer in use:
            return True
        if outer.leaves:
            return False
        if outer.branch_of and any(outer.branch_of is other.branch_of for other in use):
            return False
    return True


class _Collector:
    """One pass over the statements of a scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.bindings: dict[str, list[Binding]] = {}
        node = scope.tree
        self.root = Block((0, 0), (10**9, 0))
        if node is None:
            return
        if isinstance(node, Comprehension):
            for generator in node.generators:
                kind: BindingKind = "async element" if generator.is_async else "element"
                self._target(generator.target, kind, generator.iter, start_of(node), self.root)
            return
        for index, (argument, default, kind_) in enumerate(parameters_of(node.args)):
            is_self = index == 0 and not kind_ and scope.owner is not None
            self._bind(
                argument.arg,
                Binding(
                    "parameter",
                    start_of(node),
                    self.root,
                    default,
                    annotation=argument.annotation,
                    parameter="self" if is_self else kind_,
                    name=argument.arg,
                ),
            )
        if not isinstance(node, ast.Lambda):
            self._extractor: Extractor | None = None
            self._walrus = scope.module.source.mentions(":=")
            self._body(node.body, self.root)
        for found in self.bindings.values():
            found.sort(key=lambda binding: binding.position)

    def _bind(self, name: str, binding: Binding) -> None:
        self.bindings.setdefault(name, []).append(binding)

    def _target(
        self,
        target: ast.expr,
        kind: BindingKind,
        value: ast.expr | None,
        position: Position,
        block: Block,
        path: tuple[int, ...] = (),
    ) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, Binding(kind, position, block, value, path))
        elif isinstance(target, ast.Tuple | ast.List):
            for index, element in enumerate(target.elts):
                self._target(element, kind, value, position, block, (*path, index))
        elif isinstance(target, ast.Starred):
            self._target(target.value, "opaque", None, position, block)

    def _body(self, body: list[ast.stmt], block: Block) -> None:
        for statement in body:
            self._statement(statement, block)

    def _statement(self, node: ast.stmt, block: Block) -> None:
        end = end_of(node)
        if self._walrus:
            self._named_expressions(node, block)
        if isinstance(node, _BINDING_NOTHING):
            return
        match node:
            case ast.Assign():
                for target in node.targets:
                    self._target(target, "value", node.value, end, block)
            case ast.AnnAssign():
                if isinstance(node.target, ast.Name):
                    declared = Binding(
                        "annotation", end, block, node.value, annotation=node.annotation
                    )
                    self._bind(node.target.id, declared)
            case ast.AugAssign():
                self._target(node.target, "opaque", None, end, block)
            case ast.Import() | ast.ImportFrom():
                for name, imported in imported_names(node):
                    self._bind(name, Binding("import", end, block, imported=imported))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                facts = self._facts.function(node)
                name = f"{self.scope.qualified_name}.{node.name}"
                function = Function(
                    self.scope.module, name, node.lineno, facts, None, self.scope, node
                )
                self._bind(node.name, Binding("function", end, block, function=function))
            case ast.ClassDef():
                name = f"{self.scope.qualified_name}.{node.name}"
                cls = Class(
                    self.scope.module, name, node.lineno, self._facts.class_(node), self.scope
                )
                self._bind(node.name, Binding("class", end, block, cls=cls))
            case ast.Global(names) | ast.Nonlocal(names):
                kind: BindingKind = "global" if isinstance(node, ast.Global) else "nonlocal"
                for name in names:
                    self._bind(name, Binding(kind, end, block, name=name))
            case _:
                self._compound(node, block)

    @property
    def _facts(self) -> Extractor:
        self._extractor = self._extractor or Extractor(self.scope.module.source)
        return self._extractor

    def _named_expressions(self, node: ast.stmt, block: Block) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return
        stack: list[ast.AST] = [child for child in child_nodes(node) if isinstance(child, ast.expr)]
        while stack:
            inner = stack.pop()
            if isinstance(inner, ast.NamedExpr):
                self._target(inner.target, "value", inner.value, end_of(inner), block)
            if not isinstance(inner, ast.Lambda):
                stack.extend(child_nodes(inner))

    def _compound(self, node: ast.stmt, block: Block) -> None:
        if isinstance(node, ast.For | ast.AsyncFor):
            kind: BindingKind = "async element" if isinstance(node, ast.AsyncFor) else "element"
            body = self._block(node.body, block, is_loop=True)
            self._target(node.target, kind, node.iter, start_of(node.body[0]), body or block)
            # The target outlives the loop, too.
            self._target(node.target, kind, node.iter, end_of(node), block)
            self._block(node.orelse, block)
        elif isinstance(node, ast.With | ast.AsyncWith):
            entered: BindingKind = "async entered" if isinstance(node, ast.AsyncWith) else "entered"
            for item in node.items:
                value, target = item.context_expr, item.optional_vars
                if target:
                    self._target(target, entered, value, end_of(value), block)
            self._body(node.body, block)
        elif isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
            self._try(node, block)  # type: ignore[arg-type]
        elif isinstance(node, ast.If | ast.Match):
            for body_ in child_blocks(node):
                self._block(body_, block, branch_of=node)
            for inner in all_nodes(node) if isinstance(node, ast.Match) else ():
                name = getattr(inner, "name", None)
                if isinstance(inner, ast.MatchAs | ast.MatchStar) and name:
                    self._bind(name, Binding("opaque", start_of(inner), block))
        elif isinstance(node, ast.While):
            self._block(node.body, block, is_loop=True)
            self._block(node.orelse, block)

    def _try(self, node: ast.Try, block: Block) -> None:
        self._block(node.body, block)
        for handler in node.handlers:
            inner = self._block(handler.body, block)
            if handler.name and inner:
                self._bind(handler.name, Binding("except", start_of(handler), inner, handler.type))
        self._block(node.orelse, block)
        self._body(node.finalbody, block)

    def _block(
        self,
        body: list[ast.stmt],
        parent: Block,
        *,
        is_loop: bool = False,
        branch_of: ast.AST | None = None,
    ) -> Block | None:
        if not body:
            return None
        leaves = isinstance(body[-1], ast.Return | ast.Raise)
        block = Block(start_of(body[0]), end_of(body[-1]), parent, is_loop, branch_of, leaves)
        parent.children.append(block)
        self._body(body, block)
        return block
