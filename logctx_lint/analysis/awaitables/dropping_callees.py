"""Functions that call a function passed to them, now or later, and discard its result.

def connect(self, slot):                  def emit(self, *args):
    self._slots.append(slot)                  for slot in self._slots:
                                                  slot(*args)

It works as follows: every use of the parameter, and of the attribute that keeps it, is classified
by what is around it. A use of which nothing is known may do anything with the function.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.awaitables.kept_callbacks import is_told_apart
from logctx_lint.analysis.callback_arguments import signatures
from logctx_lint.analysis.possible_values import possible_values
from logctx_lint.analysis.units import File
from logctx_lint.inference.future_uses import Body
from logctx_lint.inference.known_names import ADDERS
from logctx_lint.inference.passed_arguments import open_parameters, pairs
from logctx_lint.inference.types import FunctionType, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    is_name,
    own_attribute,
    own_place,
    returned_values,
)

_KEEPERS = ADDERS | {"append", "add", "appendleft", "insert"}
_UPKEEP = _KEEPERS | {"remove", "discard", "clear", "count", "index"}
_VIEWS = frozenset({"copy", "values", "get", "setdefault", "__getitem__"})
_COPIES = frozenset({"list", "tuple", "set", "frozenset", "reversed", "sorted"})
_ASKING = frozenset({"callable", "len", "bool", "id", "repr"})
_TESTS = (ast.If, ast.IfExp, ast.While, ast.BoolOp, ast.UnaryOp, ast.Compare, ast.Assert)


_FURTHEST = 2
"""Functions that one hands it on to in turn."""


@dataclass(frozen=True, slots=True)
class Dropping:
    """Where what a parameter holds is called, and its result dropped."""

    call: ast.Call
    scope: Scope
    method: str
    keeper: str
    """The attribute that keeps it until then; empty if it is called at once."""

    def said_of(self, function: Function) -> str:
        """What a function does with what it is given, in words."""
        called = f"calls it (line {self.call.lineno}) and drops what it returns"
        if not self.keeper:
            return f"`{function.name}()` {called}"
        return f"`{function.name}()` keeps it in `{self.keeper}`, and `{self.method}()` {called}"


def dropping(file: File, function: Function, name: str) -> Dropping | None:
    """Where a parameter of a function is called for nothing, if nothing else is done with it."""
    function = function.implementation
    node = function.source_tree()
    if node is None or is_told_apart(function, name):
        return None
    return _Parameter(file, function, node, _FURTHEST).dropping(name)


def dropping_decorator(file: File, decorator: ast.expr, scope: Scope) -> str:
    """What a decorator does with what stands below it, if it is called for nothing, in words.

    @bus.listener                           @bus.on("ready")
    async def ready(): ...                  async def ready(): ...
    """
    func = decorator.func if isinstance(decorator, ast.Call) else decorator
    callees = members_of(file.resolver.type_of(func, scope))
    if len(callees) != 1 or not isinstance(callees[0], FunctionType):
        return ""
    function = callees[0].function.implementation
    node = function.source_tree()
    if node is None or function.facts.is_async or function.facts.is_generator:
        return ""
    if isinstance(decorator, ast.Call):
        node = _returned(node)
        names = [each.arg for each in node.args.args] if node else []
    else:
        names = [each.name for each in open_parameters(file.resolver, callees[0])]
    if node is None or not names or is_told_apart(function, names[0]):
        return ""
    found = _Parameter(file, function, node, _FURTHEST).dropping(names[0])
    return found.said_of(function) if found else ""


def _returned(node: FunctionNode) -> FunctionNode | None:
    """The function inside another one that it returns."""
    values = (each for value in returned_values(node) for each in possible_values(value))
    returned = {getattr(each, "id", "") for each in values}
    inner = [each for each in body_nodes(node) if isinstance(each, ast.FunctionDef)]
    return inner[0] if len(inner) == 1 and inner[0].name in returned else None


class _Parameter:
    """What becomes of a parameter of a function, or of one inside of it."""

    def __init__(self, file: File, function: Function, node: FunctionNode, further: int) -> None:
        self._file = file
        self._function = function
        self._node = node
        self._further = further
        self._scope = Scope.of_body(function, function.tree() or node)
        self._body = Body(node)

    def dropping(self, name: str) -> Dropping | None:
        """The same, whether or not the kind of what is called is asked for."""
        body = self._body
        if any(_is_bound(each, name) for each in body.nodes):
            return None
        kept: set[str] = set()
        calls: list[ast.Call] = []
        handed: list[Dropping] = []
        for use in self._uses(name):
            if place := _kept_in(body, use):
                kept.add(place)
            elif there := self._handed_on(use):
                handed.append(there)
            else:
                done = _done_with(body, use)
                if done is None:
                    return None
                calls += done
        if calls and not kept:
            return Dropping(calls[0], self._scope, self._function.name, "")
        owner = _owner(self._function)
        if calls or len(kept) > 1 or (kept and owner is None):
            return None
        if kept and owner is not None:
            return _by_class(self._file, owner, kept.pop())
        return handed[0] if handed else None

    def _uses(self, name: str) -> Iterator[ast.Name]:
        for node in self._body.nodes:
            if is_name(node, name) and isinstance(node.ctx, ast.Load):
                # As a decorator does.
                is_returned = isinstance(self._body.parent(node), ast.Return)
                if not is_returned:
                    yield node

    def _handed_on(self, use: ast.Name) -> Dropping | None:
        """What becomes of it in a function, or a class, that it is handed on to."""
        outer = self._body.parent(use)
        call = self._body.parent(outer) if isinstance(outer, ast.keyword) else outer
        if not self._further or not isinstance(call, ast.Call) or call.func is use:
            return None
        found = list(signatures(self._file, call, self._scope))
        reached = members_of(self._file.resolver.type_of(call.func, self._scope))
        if len(found) != 1 or len(reached) != 1:
            return None
        callee, parameters = found[0]
        function = callee.function.implementation
        node = function.source_tree()
        for parameter, argument in pairs(call, parameters):
            if argument is use and node is not None and not is_told_apart(function, parameter.name):
                further = self._further - 1
                return _Parameter(self._file, function, node, further).dropping(parameter.name)
        return None


def _owner(function: Function) -> Class | None:
    """The class of a method, or of the method that a function is inside of."""
    while function.owner is None and function.scope is not None and function.scope.function:
        function = function.scope.function
    return function.owner


def _is_bound(node: ast.AST, name: str) -> bool:
    return is_name(node, name) and not isinstance(node.ctx, ast.Load)


def _kept_in(body: Body, use: ast.expr) -> str:
    """The attribute of the object that a statement puts a value into."""
    match body.parent(use):
        case ast.Assign([target], value) if value is use:
            return _attribute(target)
        case ast.Tuple(values) as several:
            # `self.function, self.name = function, name`
            match body.parent(several):
                case ast.Assign([ast.Tuple(targets)]) if len(targets) == len(values):
                    return _attribute(targets[values.index(use)])
        case ast.Call(ast.Attribute(receiver, method), given) as call if (
            method in _KEEPERS and use in given and isinstance(body.parent(call), ast.Expr)
        ):
            return _attribute(receiver)
    return ""


def _attribute(node: ast.AST) -> str:
    """`X` of `self.X`, `self.X[key]` and `self.X.setdefault(key, [])`."""
    match node:
        case ast.Call(ast.Attribute(inner, "setdefault" | "get")):
            return own_place(inner)
    return own_place(node)


def _done_with(body: Body, use: ast.expr) -> list[ast.Call] | None:
    """The calls of a value that are statements by themselves; None if more may be done with it."""
    outer = body.parent(use)
    match outer:
        case ast.Call(func) if func is use:
            return [outer] if isinstance(body.parent(outer), ast.Expr) else None
        case ast.Call(ast.Name(asking)) if asking in _ASKING:
            return []
        case ast.Call(ast.Attribute(_, method)) if method in _UPKEEP:
            return []
        case ast.Attribute(_, "__name__" | "__qualname__" | "__module__"):
            return []
    if isinstance(outer, _TESTS) and getattr(outer, "body", None) is not use:
        # `a or b` gives its operands to whoever takes the value.
        is_value = isinstance(outer, ast.BoolOp) and not isinstance(body.parent(outer), _TESTS)
        return None if is_value else []
    return None


def _by_class(file: File, owner: Class, name: str) -> Dropping | None:
    """Where the methods of a class call what an attribute keeps, and drop the result."""
    found: Dropping | None = None
    trees = dict(owner.method_trees())
    for method, tree in trees.items():
        calls = _calls_of_kept(Body(tree), name)
        if calls is None:
            return None
        if calls and found is None:
            found = Dropping(calls[0], Scope.of_body(method, tree), method.name, name)
    if found is None or _is_overridden(file, owner, found.method):
        return None
    owner.module.note_all()
    outside = _outside(owner, trees)
    if any(isinstance(node, ast.Attribute) and node.attr == name for node in outside):
        return None
    return found


def _calls_of_kept(body: Body, name: str) -> list[ast.Call] | None:
    """Where a method calls what an attribute keeps; None if more may be done with that."""
    found: list[ast.Call] = []
    for node in body.nodes:
        if isinstance(node, ast.Attribute) and node.attr == name:
            calls = _of_kept(body, node) if own_attribute(node) else None
            if calls is None:
                return None
            found += calls
    return found


def _outside(owner: Class, trees: dict[Function, FunctionNode]) -> Iterator[ast.AST]:
    """The nodes of a class's module that are in none of its methods."""
    spans = [(tree.lineno, tree.end_lineno or tree.lineno) for tree in trees.values()]
    for node in all_nodes(owner.module.file.tree or owner.module.source.parse()):
        line = getattr(node, "lineno", 0)
        if line and not any(first <= line <= last for first, last in spans):
            yield node


def _is_overridden(file: File, owner: Class, method: str) -> bool:
    return any(
        method in each.facts.functions for each in file.resolver.references.subclasses(owner)
    )


def _of_kept(body: Body, use: ast.expr) -> list[ast.Call] | None:
    """What is done with what an attribute keeps: one function, or a collection of them."""
    if not isinstance(getattr(use, "ctx", ast.Load()), ast.Load):
        return []
    outer = body.parent(use)
    match outer:
        case ast.Subscript(value) if value is use:
            return _of_kept(body, outer)
        case ast.Attribute():
            return _of_method(body, outer)
        case ast.Call(ast.Name(copy), [_]) if copy in _COPIES:
            return _of_kept(body, outer)
        case ast.For(target=ast.Name(name), iter=source) if source is use:
            return _of_name(body, outer, name)
        case ast.Assign([ast.Name(name)], value) if value is use:
            return _of_name(body, body.node, name)
        case ast.NamedExpr(ast.Name(name)):
            return _of_name(body, body.node, name)
        case ast.Compare() | ast.Delete():
            return []
    return _done_with(body, use)


def _of_method(body: Body, method: ast.Attribute) -> list[ast.Call] | None:
    """What is done with what a method of a collection gives."""
    call = body.parent(method)
    if not isinstance(call, ast.Call) or call.func is not method:
        return None
    is_dropped = isinstance(body.parent(call), ast.Expr)
    if method.attr in ("pop", *_VIEWS):
        return [] if is_dropped else _of_kept(body, call)
    if method.attr == "items":
        return _of_items(body, call)
    return [] if method.attr in _UPKEEP and is_dropped else None


def _of_items(body: Body, call: ast.Call) -> list[ast.Call] | None:
    match body.parent(call):
        case ast.For(target=ast.Tuple([_, ast.Name(name)]), iter=source) as loop if source is call:
            return _of_name(body, loop, name)
    return None


def _of_name(body: Body, around: ast.AST, name: str) -> list[ast.Call] | None:
    """What is done with a local name inside of some code."""
    calls: list[ast.Call] = []
    for node in Body(around).nodes:
        if is_name(node, name) and isinstance(node.ctx, ast.Load):
            outer = body.parent(node)
            if isinstance(outer, ast.For) and outer.iter is node:
                done = (
                    _of_name(body, outer, outer.target.id)
                    if isinstance(outer.target, ast.Name)
                    else None
                )
            else:
                done = _done_with(body, node)
            if done is None:
                return None
            calls += done
    return calls
