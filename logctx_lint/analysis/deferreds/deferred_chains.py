"""The chains of callbacks that one function adds to its Deferreds, on `ast` alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.types import ClassObject, External, Presumed, Unknown, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, is_name, parents_of

_CHAINERS = frozenset({Role.CHAINER})
_ADDERS = frozenset({"addCallback", "addErrback", "addBoth", "addCallbacks"})
_LOOKS = frozenset({"called", "paused", "result", "pause", "unpause"})
"""Attributes of a Deferred that nobody gets hold of it by."""
NOTIFIES = "notifyFinish"
"""The method of a request whose Deferred succeeds at its end, and fails if the client has gone."""
_FIRES = frozenset({"callback", "errback", "cancel"})


@dataclass(frozen=True, slots=True)
class Link:
    """One `d.addCallback(f, ...)`, or `@d.addCallback` above a nested function."""

    method: str
    node: ast.expr
    callback: ast.expr | FunctionNode | None = None
    errback: ast.expr | FunctionNode | None = None
    arguments: tuple[ast.expr, ...] = ()
    """What the callback is called with besides its result."""


@dataclass
class Chain:
    """A Deferred, and the callbacks that the function adds to it, in order."""

    root: ast.Call
    name: str = ""
    """The local name that holds it, if one does."""
    links: list[Link] = field(default_factory=list)
    is_handed_on: bool = False
    """Returned, awaited, stored or passed on: somebody else may add to it."""
    is_idle: bool = False
    """Made here, and never fired."""
    is_presumed: bool = False
    """Nothing but the callbacks that are added to it says that it is a Deferred."""
    is_only_completed: bool = False
    """Made here, and given a result here; nothing here fails or cancels it."""

    @property
    def misses_disconnect(self) -> bool:
        """Whether it waits for the end of a request, and is not called if the client goes away."""
        func = self.root.func
        is_notice = isinstance(func, ast.Attribute) and func.attr == NOTIFIES
        return is_notice and {link.method for link in self.links} == {"addCallback"}


@dataclass(frozen=True)
class Chains:
    """Finds the chains of one function."""

    file: File
    node: FunctionNode
    scope: Scope

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(body_nodes(self.node))

    @cached_property
    def found(self) -> list[Chain]:
        """The chains on Deferreds that calls give, in source order."""
        chains = [*self._anonymous, *self._named]
        return sorted(chains, key=lambda chain: (chain.root.lineno, chain.root.col_offset))

    @cached_property
    def answers_later(self) -> list[ast.Return]:
        """Where a method that renders a web request says that it is answered later."""
        return [
            node
            for node in self.nodes
            if isinstance(node, ast.Return)
            and isinstance(node.value, ast.Name | ast.Attribute)
            and Role.NOT_DONE_YET in self.file.roles(node.value, self.scope)
        ]

    @cached_property
    def _parents(self) -> dict[ast.AST, ast.AST]:
        return parents_of(self.node)

    @cached_property
    def _whole(self) -> list[ast.Call]:
        """The outermost calls of chains as they are written."""
        return [
            node
            for node in self.nodes
            if isinstance(node, ast.Call) and self._is_link(node) and self._user(node) is None
        ]

    def _is_link(self, node: ast.AST) -> bool:
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and self.file.may_play(node.func, _CHAINERS)
            and (
                Role.CHAINER in self.file.roles(node.func, self.scope)
                or (node.func.attr in _ADDERS and self._is_unknown(node.func.value))
            )
        )

    def _is_unknown(self, node: ast.expr) -> bool:
        """Whether nothing is known for sure of a value: what gets callbacks is a Deferred then."""
        type_ = self.file.resolver.type_of(node, self.scope)
        return all(isinstance(each, Unknown | External | Presumed) for each in members_of(type_))

    def _user(self, node: ast.AST) -> ast.AST | None:
        """The link that is added to what a link gives."""
        attribute = self._parents.get(node)
        call = self._parents.get(attribute) if isinstance(attribute, ast.Attribute) else None
        return call if call is not None and self._is_link(call) else None

    @cached_property
    def _anonymous(self) -> list[Chain]:
        return [
            Chain(
                root,
                "",
                links,
                not isinstance(self._parents.get(whole), ast.Expr),
                self._is_made_here(root),
                self._is_unknown(root),
            )
            for whole in self._whole
            for root, links in [self._read(whole)]
            if isinstance(root, ast.Call) and not self._target(whole)
        ]

    def _read(self, whole: ast.Call) -> tuple[ast.expr, list[Link]]:
        """What a chain begins with, and its links."""
        links: list[Link] = []
        node: ast.expr = whole
        while self._is_link(node):
            assert isinstance(node, ast.Call)
            assert isinstance(node.func, ast.Attribute)
            links.append(_link(node, node.func.attr))
            node = node.func.value
        return node, links[::-1]

    def _target(self, value: ast.AST) -> str:
        """The local name that a value is assigned to."""
        match self._parents.get(value):
            case (
                ast.Assign(targets=[ast.Name(name)])
                | ast.AnnAssign(target=ast.Name(name))
                | ast.NamedExpr(target=ast.Name(name))
            ):
                return name
        return ""

    @cached_property
    def _named(self) -> list[Chain]:
        roots: dict[str, Chain] = {}
        for node in self.nodes:
            name = self._target(node)
            if not name or not isinstance(node, ast.Call) or name in roots:
                continue
            root, _ = self._read(node)
            if not isinstance(root, ast.Call):
                continue
            if self.file.is_deferred(root, self.scope):
                roots[name] = Chain(root, name)
            elif self._is_unknown(root):
                roots[name] = Chain(root, name, is_presumed=True)
        for name, chain in roots.items():
            bindings = self.scope.bindings.get(name, ())
            kinds = {binding.kind for binding in bindings}
            chain.is_handed_on = not kinds <= {"value", "annotation"} or self._escapes(name)
            chain.links += sorted(self._links_of(name), key=_place)
            if self._is_made_here(chain.root):
                fired = self._fired(name)
                chain.is_idle = not fired
                chain.is_only_completed = fired == {"callback"}
        return [chain for chain in roots.values() if chain.links]

    def _is_made_here(self, root: ast.Call) -> bool:
        """Whether a Deferred is fired by nobody but who has it from here; a list fires itself."""
        is_class = isinstance(self.file.resolver.type_of(root.func, self.scope), ClassObject)
        return is_class and Role.DEFERRED_LIST not in self.file.roles(root.func, self.scope)

    def _fired(self, name: str) -> set[str]:
        """The methods by which a Deferred under some name is fired."""
        return {
            node.attr
            for node in all_nodes(self.node, ast.Attribute)
            if node.attr in _FIRES and is_name(node.value, name)
        }

    def _links_of(self, name: str) -> Iterator[Link]:
        for whole in self._whole:
            root, links = self._read(whole)
            if is_name(root, name) or self._target(whole) == name:
                yield from links
        for node in self.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in node.decorator_list:
                    match decorator:
                        case ast.Attribute(ast.Name(of), method) if of == name:
                            yield _decorated(decorator, method, node)

    def _escapes(self, name: str) -> bool:
        """Whether somebody else gets hold of what a name holds."""
        return any(
            is_name(node, name) and isinstance(node.ctx, ast.Load) and not self._is_mere_use(node)
            for node in all_nodes(self.node)
        )

    def _is_mere_use(self, name: ast.Name) -> bool:
        attribute = self._parents.get(name)
        if not isinstance(attribute, ast.Attribute):
            return isinstance(attribute, ast.Compare | ast.If | ast.UnaryOp | ast.BoolOp)
        whole = self._parents.get(attribute)
        if attribute.attr in _LOOKS or (attribute.attr in _FIRES and isinstance(whole, ast.Call)):
            return not isinstance(whole, ast.Call) or whole.func is attribute
        if isinstance(whole, ast.FunctionDef | ast.AsyncFunctionDef):
            return whole in self.nodes  # A decorator.
        while (user := self._user(whole) if whole else None) is not None:
            whole = user
        return whole in self._whole and (
            isinstance(self._parents.get(whole), ast.Expr) or self._target(whole) == name.id
        )


def _link(call: ast.Call, method: str) -> Link:
    given = call.args
    first = given[0] if given else None
    if method == "addCallbacks":
        second = given[1] if len(given) > 1 else None
        second = second or next((k.value for k in call.keywords if k.arg == "errback"), None)
        return Link(method, call, first, second, tuple(given[2:]))
    others = (*given[1:], *(keyword.value for keyword in call.keywords))
    return _of_method(method, call, first, others)


def _decorated(decorator: ast.expr, method: str, function: FunctionNode) -> Link:
    return _of_method(method, decorator, function, ())


def _of_method(
    method: str,
    node: ast.expr,
    function: ast.expr | FunctionNode | None,
    others: tuple[ast.expr, ...],
) -> Link:
    callback = function if method in ("addCallback", "addBoth") else None
    errback = function if method in ("addErrback", "addBoth") else None
    return Link(method, node, callback, errback, others)


def _place(link: Link) -> tuple[int, int]:
    """Where a link is added: the later of two in one expression ends later."""
    return link.node.end_lineno or 0, link.node.end_col_offset or 0
