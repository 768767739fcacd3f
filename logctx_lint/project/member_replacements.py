"""Code that replaces the members of a class: loops over them, and what modules pass to such loops.

    def wrap_all(cls):
        for name in dir(cls):
            if inspect.iscoroutinefunction(getattr(cls, name)):
                setattr(cls, name, blocking(getattr(cls, name)))

    wrap_all(Client)                   # as the module is imported

It works as follows: a loop over the members of a class, or over the names of some, sets each anew,
itself or by a helper that is passed the class and the name. What it sets is a wrapper, whose own
`return` statements say whether callers still get what the method gives.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple

from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    assigned_to,
    body_nodes,
    call_arguments,
    last_name,
    names_in,
    own_nodes,
    returned_values,
)

_SETTERS = frozenset({"setattr", "__setattr__"})
_WITH_INHERITED = frozenset({"dir", "getmembers"})
_MEMBERS = _WITH_INHERITED | {"vars", "__dict__"}
"""What lists the members of a class."""
_MOST_STEPS = 3

Find = Callable[[str], "FunctionNode | None"]
"""The function that a dotted name stands for."""


class Wrapping(Enum):
    """What a method gives once it has been replaced."""

    SAME = "same"
    """The wrapper is asynchronous as well, or returns what the method returns."""
    EITHER = "either"
    """It runs the coroutine, or returns it: where the event loop runs, say."""
    OTHER = "other"
    """It runs the coroutine, or is not known."""


class Replacement(NamedTuple):
    """What a loop does to the members of a class."""

    holder: str
    """The expression that is the class, or the namespace it will be made of."""
    is_deep: bool
    """Inherited members are replaced, too."""
    leaves_private: bool
    """Those that begin with an underscore are left alone."""
    wrapping: Wrapping
    names: tuple[str, ...] = ()
    """The members that it replaces, where the loop lists them."""

    def concerns(self, name: str) -> bool:
        """Whether a member of this name may be among those that are replaced."""
        if self.names:
            return name in self.names
        return not (self.leaves_private and name.startswith("_"))


class ModuleReplacements(NamedTuple):
    """What the code of a module replaces that runs as it is imported."""

    functions: tuple[str, ...]
    """The names of functions that may replace members of what they are passed."""
    here: tuple[Replacement, ...]
    """What loops outside of functions replace."""
    passed: tuple[tuple[str, str], ...]
    """The names of functions that are called there, each with one of its arguments: a dotted name,
    or `module.*` for each class of a module."""


def module_replacements(tree: ast.Module) -> ModuleReplacements:
    """Find them."""
    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    nodes = list(own_nodes(tree.body))
    # `wrap_models()`, which takes nothing, runs here, too.
    for call in [each for each in nodes if isinstance(each, ast.Call)]:
        called = functions.get(last_name(call.func))
        if called and not call_arguments(call):
            nodes += body_nodes(called)
    find = functions.get
    loops = [each for each in nodes if isinstance(each, ast.For)]
    return ModuleReplacements(
        tuple(name for name, each in functions.items() if any(replacements(each, find))),
        tuple(_in_loops(loops, tree, find)),
        tuple(dict.fromkeys(_passed(nodes))),
    )


def replacements(function: FunctionNode, find: Find) -> Iterator[Replacement]:
    """What the loops of a function replace."""
    return _in_loops(list(all_nodes(function, ast.For)), function, find)


def _in_loops(loops: list[ast.For], around: ast.AST, find: Find) -> Iterator[Replacement]:
    namespaces = {
        argument.id
        for call in all_nodes(around, ast.Call)
        if last_name(call.func) in ("__new__", "type")
        for argument in call.args[1:]
        if isinstance(argument, ast.Name)
    }
    for loop in loops:
        names = _member_names(loop, namespaces)
        private = names and any(
            isinstance(each, ast.Call)
            and isinstance(each.func, ast.Attribute)
            and each.func.attr == "startswith"
            and last_name(each.func.value) in names
            for each in body_nodes(loop)
        )
        is_deep = any(last_name(each) in _WITH_INHERITED for each in all_nodes(loop.iter))
        for inner in body_nodes(loop) if names else ():
            for holder, value, where in _set(inner, names, namespaces, around, find):
                wrapping = _wrapping(value, where, find)
                text, listed = ast.unparse(holder), _listed(loop.iter)
                yield Replacement(text, is_deep, bool(private), wrapping, listed)


def _listed(source: ast.expr) -> tuple[str, ...]:
    """The texts of a display of nothing but texts."""
    elements = getattr(source, "elts", ())
    texts = [each.value for each in elements if isinstance(each, ast.Constant)]
    names = [each for each in texts if isinstance(each, str)]
    return tuple(names) if len(names) == len(elements) else ()


def _member_names(loop: ast.For, namespaces: set[str]) -> set[str]:
    """The variables of a loop over the members of a class, or over the names of some.

    `setattr(cls, option, value)` of what a class is declared with replaces no method.
    """
    names = names_in(loop.target)
    is_over_members = any(
        last_name(each) in _MEMBERS or (isinstance(each, ast.Name) and each.id in namespaces)
        for each in all_nodes(loop.iter)
    )
    are_looked_up = any(
        last_name(each.func) == "getattr"
        and len(each.args) > 1
        and isinstance(each.args[1], ast.Name)
        and each.args[1].id in names
        for each in body_nodes(loop, ast.Call)
    )
    return names if is_over_members or are_looked_up else set()


def _set(
    node: ast.AST, names: set[str], namespaces: set[str], around: ast.AST, find: Find
) -> Iterator[tuple[ast.expr, ast.expr | None, ast.AST]]:
    """What a node sets members of, to what, and the code in which that is written."""
    match node:
        case ast.Call(func, [*_, holder, ast.Name(name), value]) if last_name(func) in _SETTERS:
            if name in names:
                yield holder, value, around
        case ast.Assign([ast.Subscript(ast.Name(holder) as target, ast.Name(name))], value):
            if holder in namespaces and name in names:
                yield target, value, around
        case ast.Call(ast.Name(helper), [holder, ast.Name(name), *_]) if name in names:
            called = find(helper)
            if called is None:
                return
            parameters = [each.arg for each in called.args.args[:2]]
            for call in all_nodes(called, ast.Call):
                match call:
                    case ast.Call(ast.Name("setattr"), [ast.Name(own), ast.Name(key), value]):
                        if [own, key] == parameters:
                            yield holder, value, called


def _wrapping(
    value: ast.expr | None, around: ast.AST | None, find: Find, steps: int = _MOST_STEPS
) -> Wrapping:
    """What a member gives that is set to a value."""
    if around is None or not steps:
        return Wrapping.OTHER
    inner = {each.name: each for each in all_nodes(around) if isinstance(each, FunctionNode)}
    match value:
        case ast.Name(name) if name in inner:
            return _gives(inner[name], around)
        case ast.Name(name):
            values = list(assigned_to(name, all_nodes(around)))
            if len(values) == 1:
                return _wrapping(values[0], around, find, steps - 1)
        case ast.Constant() | ast.Dict() | ast.List() | ast.Set() | ast.Call(args=[], keywords=[]):
            return Wrapping.SAME  # A value, or a copy of one: no function of a method.
        case ast.Call(func):
            maker = inner.get(last_name(func)) or find(ast.unparse(func))
            made = list(returned_values(maker)) if maker else []
            found = {_wrapping(each, maker, find, steps - 1) for each in made}
            # Of several, one is for coroutine functions.
            return next((each for each in Wrapping if each in found), Wrapping.OTHER)
    return Wrapping.OTHER


def _gives(wrapper: FunctionNode, around: ast.AST) -> Wrapping:
    """What a function gives that is written inside of what knows the method."""
    if isinstance(wrapper, ast.AsyncFunctionDef):
        return Wrapping.SAME
    outside = {
        each.id if isinstance(each, ast.Name) else each.arg
        for each in all_nodes(around)
        if isinstance(each, ast.arg) or (isinstance(each, ast.Name) and _is_stored(each))
    }
    nodes = body_nodes(wrapper)

    def is_handed_on(given: ast.expr) -> bool:
        if isinstance(given, ast.Name):
            return any(map(is_handed_on, assigned_to(given.id, nodes)))
        match given:
            case ast.Call(ast.Name(name)):
                return name in outside
        return False

    found = {is_handed_on(each) for each in returned_values(wrapper)}
    if True not in found:
        return Wrapping.OTHER
    return Wrapping.EITHER if False in found else Wrapping.SAME


def _is_stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _passed(nodes: list[ast.AST]) -> Iterator[tuple[str, str]]:
    """The functions that are called with names, and these."""
    loops = [each for each in nodes if isinstance(each, ast.For)]
    for call in nodes:
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name | ast.Attribute):
            for given in call_arguments(call):
                if isinstance(given, ast.Name | ast.Attribute):
                    for each in _meant(given, loops, nodes):
                        yield ast.unparse(call.func), each


def _meant(given: ast.expr, loops: list[ast.For], nodes: list[ast.AST]) -> Iterator[str]:
    """The objects that a name stands for, which may be the variable of a loop."""
    own = last_name(given) if isinstance(given, ast.Name) else ""
    for loop in loops if own else ():
        match loop:
            case ast.For(ast.Name(name), ast.Tuple(elements) | ast.List(elements)) if name == own:
                yield from map(ast.unparse, elements)
                return
            case ast.For(ast.Name(variable), ast.Call(ast.Name("dir"), [module])):
                for value in assigned_to(own, nodes):
                    match value:
                        case ast.Call(ast.Name("getattr"), [_, ast.Name(name), *_]):
                            if name == variable:
                                yield f"{ast.unparse(module)}.*"
    yield ast.unparse(given)
