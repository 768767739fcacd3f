"""The types of the elements of a mapping without annotation: `self._tasks = {}`.

The values are read in the code that can reach the mapping in its file: the methods of the class,
the functions of the module, or those inside one function.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.deferreds.shared_state import LOOK_UPS
from logctx_lint.analysis.units import File
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.types import Awaitability, Kind
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import body_nodes

_STARTS = ("create_task", "ensure_future", "create_future", "Future(", "Deferred(", "Task(")
"""Words without one of which a file makes no eager awaitables itself."""
_MAPPINGS = frozenset({"dict", "OrderedDict", "WeakValueDictionary"})
_EAGER = frozenset({Kind.DEFERRED, Kind.FUTURE, Kind.TASK})
_Body = tuple[FunctionNode, Scope]


def stored_in_mapping(file: File, node: ast.expr, scope: Scope) -> Awaitability | None:
    """What `mapping[key]` or `mapping.get(key)` gives, if all that is put in runs by itself."""
    match node:
        case ast.Name(name) if name in scope.bindings:
            value = _bound_to(node, scope)
            return stored_in_mapping(file, value, scope) if value else None
        case ast.Subscript(container, key) if not isinstance(key, ast.Slice):
            pass
        case ast.Call(ast.Attribute(container, name)) if name in LOOK_UPS:
            pass
        case _:
            return None
    if not any(map(file.source.mentions, _STARTS)):
        return None
    found: list[Awaitability] = []
    text = ast.unparse(container)
    for body, inner in _bodies(file, container, scope):
        for value in _values(body, text):
            answer = file.resolver.awaitability(file.resolver.type_of(value, inner))
            if not answer.is_certain or answer.kind not in _EAGER:
                return None
            found.append(answer)
    return found[0] if found else None


def _bound_to(name: ast.Name, scope: Scope) -> ast.expr | None:
    """The expression, other than a name, that a name is bound to."""
    bindings = scope.reaching_name(name)
    if len(bindings) != 1 or bindings[0].kind != "value" or bindings[0].path:
        return None
    value = bindings[0].value
    return None if isinstance(value, ast.Name) else value


def _values(body: FunctionNode, text: str) -> Iterator[ast.expr]:
    """What one function puts into the mapping of that name."""
    for node in body_nodes(body):
        match node:
            case ast.Assign(targets, value):
                for target in targets:
                    if isinstance(target, ast.Subscript) and ast.unparse(target.value) == text:
                        yield value
            case ast.Call(ast.Attribute(receiver, "setdefault"), [_, value]):
                if ast.unparse(receiver) == text:
                    yield value


def _bodies(file: File, container: ast.expr, scope: Scope) -> Iterator[_Body]:
    """The code that may fill a mapping which begins empty."""
    match container:
        case ast.Attribute(ast.Name("self"), name):
            owner = scope.enclosing_class
            if owner and owner.module is file.module:
                yield from _of_class(owner, name)
        case ast.Name(name):
            home: Scope | None = scope
            while home and not (home.node and name in home.bindings):
                home = home.parent
            if home is None:
                yield from _of_module(file, name)
            elif isinstance(home.node, FunctionNode) and home is not scope:
                is_mapping = _begin_empty(binding.value for binding in home.bindings[name])
                yield from _inside(home.node, home) if is_mapping else ()


def _of_class(owner: Class, name: str) -> Iterator[_Body]:
    if _begin_empty(parse_expression(each.value) for each in owner.facts.variables.get(name, ())):
        yield from _of_functions(owner.methods())


def _of_module(file: File, name: str) -> Iterator[_Body]:
    facts = file.module.facts
    if _begin_empty(parse_expression(each.value) for each in facts.variables.get(name, ())):
        for function, table in facts.functions.items():
            qualified_name = f"{file.module.name}.{function}"
            yield from _of_functions(
                [Function(file.module, qualified_name, each.line, each) for each in table]
            )


def _of_functions(functions: list[Function]) -> Iterator[_Body]:
    for function in functions:
        node = function.tree()
        if node is not None:
            yield node, Scope.of_body(function, node)


def _inside(node: FunctionNode, scope: Scope) -> Iterator[_Body]:
    """A function, and those in it."""
    yield node, scope
    for inner in body_nodes(node):
        if isinstance(inner, FunctionNode):
            for binding in scope.bindings.get(inner.name, ()):
                if binding.function and binding.function.line == inner.lineno:
                    yield from _inside(inner, Scope.of_body(binding.function, inner))


def _begin_empty(values: Iterator[ast.expr | None]) -> bool:
    """Whether a mapping is all that a variable ever is, and holds nothing at first."""
    found = list(values)
    return bool(found) and all(map(_is_empty_mapping, found))


def _is_empty_mapping(value: ast.expr | None) -> bool:
    match value:
        case ast.Dict([], []):
            return True
        case ast.Call(ast.Name(name) | ast.Attribute(_, name), [], []):
            return name in _MAPPINGS
    return False
