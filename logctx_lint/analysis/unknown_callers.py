"""Functions that are called by more than the calls show: looked up by name, or handed on."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.units import File
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import enclosing_scope
from logctx_lint.inference.types import ClassObject, FunctionType
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Class, Function, Module
from logctx_lint.syntax.ast_walk import all_nodes, last_name

_CALLED_BY_NAME = (
    "command_", "do_", "jsonrpc_", "perspective_", "remote_", "render_", "test", "view_", "xmlrpc_"
)  # fmt: skip
"""How methods begin that a dispatcher looks up; most take an awaitable or a value."""
_LOOK_UPS = {"getattr": 1, "hasattr": 1, "methodcaller": 0, "attrgetter": 0}
"""Functions that find a method by its name, and where that stands among their arguments."""


def has_unknown_callers(file: File, function: Function) -> bool:
    """Whether a function is called by code that is not known, and that says what it may give: a
    dispatcher that goes by names, whoever knows its base class, or is handed the function."""
    if function.name.startswith(_CALLED_BY_NAME):
        return True
    resolver = file.resolver
    if resolver.functions.decorated(function) != FunctionType(function):
        return True
    if _is_property(file, function) or _is_named_elsewhere(file, function.name):
        return True
    owner = function.owner
    if owner is None:
        return False
    if _is_dispatched(file, owner, function.name):
        return True
    return bool(resolver.classes.unknown_bases(owner)) or any(
        other != owner and other.function(function.name) for other in _declaring(file, owner)
    )


def _is_dispatched(file: File, owner: Class, name: str) -> bool:
    """Whether a class or its base looks methods up by how the name begins: `"cmd_" + word`."""
    prefix, underscore, _ = name.partition("_")
    if not prefix or not underscore:
        return False
    modules = {ancestor.module for ancestor, _ in file.resolver.classes.ancestors(owner)}
    return any(_has_text_from(module, f"{prefix}_") for module in modules)


def _has_text_from(module: Module, beginning: str) -> bool:
    """Whether a module has a text that something is put behind: `"cmd_"`, `"cmd_%s"`."""
    if not module.mentions(beginning):
        return False
    module.note_all()
    formats = (f"{beginning}%", f"{beginning}{{")
    texts = (
        node.value
        for node in all_nodes(module.file.tree or module.source.parse(), ast.Constant)
        if isinstance(node.value, str)
    )
    return any(text == beginning or text.startswith(formats) for text in texts)


def _is_property(file: File, function: Function) -> bool:
    scope = enclosing_scope(function)
    return any(
        name.endswith("property")
        for text in function.facts.decorators
        for name in file.resolver.names_of_text(text, scope)
    )


def _declaring(file: File, owner: Class) -> Iterator[Class]:
    """The base classes of a class, and the interfaces that it says it implements."""
    for ancestor, _ in file.resolver.classes.ancestors(owner):
        yield ancestor
        for text in ancestor.facts.decorators:
            node = parse_expression(text)
            for argument in node.args if isinstance(node, ast.Call) else ():
                found = file.resolver.type_of(argument, Scope(ancestor.module))
                if isinstance(found, ClassObject):
                    yield from (each for each, _ in file.resolver.classes.ancestors(found.cls))


def _is_named_elsewhere(file: File, name: str) -> bool:
    """Whether the file hands the function on without calling it, or looks it up by its name."""
    called = {node.func for node in all_nodes(file.tree, ast.Call)}
    is_text = computes = False
    for node in all_nodes(file.tree):
        match node:
            case ast.Name(found, ast.Load()) | ast.Attribute(_, found, ast.Load()):
                if found == name and node not in called:
                    return True
            case ast.ClassDef() | ast.Module():
                if any(_lists(each, name) for each in node.body):
                    return True
            case ast.Constant(str(found)):
                is_text |= found == name
            case ast.Call():
                looked_up = _looked_up(node)
                if any(isinstance(each, ast.Constant) and each.value == name for each in looked_up):
                    return True
                computes |= any(not isinstance(each, ast.Constant) for each in looked_up)
    return is_text and computes


def _looked_up(call: ast.Call) -> list[ast.expr]:
    """The names that a call looks up."""
    position = _LOOK_UPS.get(last_name(call.func))
    return [] if position is None else call.args[position : position + 1]


def _lists(statement: ast.stmt, name: str) -> bool:
    """Whether a class or module keeps `name` in a table or list, for whoever looks it up."""
    match statement:
        case ast.Assign([ast.Name("__all__")]):
            return False
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            parts = all_nodes(value)
            return any(isinstance(each, ast.Constant) and each.value == name for each in parts)
    return False
