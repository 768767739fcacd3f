"""A fast pre-check of expressions: by the names in them, which are certainly no awaitables?"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cached_property

from logctx_lint.inference.awaited_elsewhere import always_awaited, path_of
from logctx_lint.inference.calls import CHAINERS
from logctx_lint.inference.use_def import Binding, Comprehension, Scope
from logctx_lint.project.awaitable_names import PLAIN_BUILTINS, WORD, AwaitableNames
from logctx_lint.project.modules import Module, Modules
from logctx_lint.syntax.ast_walk import call_arguments, last_name

PLAIN = (
    ast.Constant, ast.JoinedStr, ast.Compare, ast.Lambda, ast.List, ast.Tuple, ast.Set, ast.Dict,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip
"""Expressions that are never awaitable themselves."""

_AWAITABLE_CLASSES = frozenset({"Deferred", "DeferredList", "Future", "Task"})
_TEXT_METHODS = frozenset(
    {"split", "rsplit", "strip", "lstrip", "rstrip", "lower", "upper", "encode", "decode",
     "startswith", "endswith", "splitlines", "partition", "rpartition", "isdigit"}
)  # fmt: skip
"""Names that nobody gives to what has to be awaited, so that looking closer would not pay."""

_OfBinding = Callable[[Binding, Scope], bool]
_DISPLAYS = (ast.Dict, ast.List, ast.Set, ast.Tuple)


class Prefilter:
    """For the expressions of one module. False is certain; True means "ask the resolver"."""

    def __init__(self, module: Module, modules: Modules) -> None:
        self._module = module
        self._modules = modules
        self._known: dict[str, bool] = {}
        self._locals: dict[tuple[Scope, str, str], bool] = {}

    def may_give_awaitable(self, call: ast.Call, scope: Scope) -> bool:
        """Whether an awaitable can come of a call."""
        match call.func:
            case ast.Attribute(ast.Constant() | ast.JoinedStr()):
                return False
            case ast.Attribute(_, name) as attribute:
                may_give = (
                    name in CHAINERS
                    or self._leads_to_awaitable(name)
                    or _is_tested(attribute, scope)
                )
            case ast.Name(name):
                may_give = self._may_name(name, scope)
            case _:
                return True
        return may_give or path_of(call.func) in self._always_awaited

    def gives_plain_value(self, call: ast.Call) -> bool:
        """What is so named makes an object or a text, or is a built-in function."""
        func = call.func
        name = last_name(func)
        if name[:1].isupper():
            return name not in _AWAITABLE_CLASSES
        if not isinstance(func, ast.Name):
            return name in _TEXT_METHODS or (
                isinstance(func, ast.Attribute)
                and isinstance(func.value, ast.Constant | ast.JoinedStr)
            )
        # What `sum` is given is its own affair: it calculates with it.
        is_builtin = name in PLAIN_BUILTINS or name == "sum"
        return is_builtin and not self._module.defines(name)

    def may_be_awaitable(self, node: ast.expr, scope: Scope) -> bool:
        """Whether the value of an expression can be an awaitable."""
        match node:
            case ast.Call():
                return self.may_give_awaitable(node, scope)
            case ast.Attribute(_, name):
                return self._leads_to_awaitable(name) or _is_tested(node, scope)
            case ast.Name(name):
                may_be = self._may_name(name, scope, self._may_bind)
                return may_be or _is_tested(node, scope)
            case ast.Subscript(value):
                return self.may_hold_awaitables(value, scope)
            case ast.IfExp(_, body, orelse):
                return self._any_is([body, orelse], scope)
            case ast.BoolOp(_, values):
                return self._any_is(values, scope)
        return not isinstance(node, PLAIN)

    def may_hold_awaitables(self, node: ast.expr, scope: Scope) -> bool:
        """Whether there can be awaitables in what an expression gives, as elements, say."""
        match node:
            case ast.Call(ast.Name(name)) if self._is_plain_builtin(name, scope):
                given = call_arguments(node)
                return any(self.may_hold_awaitables(each, scope) for each in given)
            case ast.Name(name):
                may_hold = self._may_name(name, scope, self._may_bind_several)
                return may_hold or _is_tested(node, scope)
            case ast.Call() | ast.Attribute():
                return self.may_be_awaitable(node, scope)
            case ast.Subscript(value):
                return self.may_hold_awaitables(value, scope)
            case ast.List(elements) | ast.Tuple(elements) | ast.Set(elements):
                # A display in it may hold some in its turn.
                return self._any_is(elements, scope) or any(
                    isinstance(each, _DISPLAYS) and self.may_hold_awaitables(each, scope)
                    for each in elements
                )
            case ast.Constant() | ast.JoinedStr():
                return False
        return True

    def may_mean_awaitable(self, annotation: ast.expr) -> bool:
        """Whether what is so annotated can be an awaitable, or hold some."""
        words: list[str] = []
        for node in ast.walk(annotation):
            match node:
                case ast.Name(name) | ast.Attribute(_, name):
                    words.append(name)
                case ast.Constant(str(text)):
                    words += WORD.findall(text)
        return any(map(self._leads_to_awaitable, words))

    def _any_is(self, nodes: list[ast.expr], scope: Scope) -> bool:
        return any(self.may_be_awaitable(node, scope) for node in nodes)

    def _may_name(self, name: str, scope: Scope, may_bind: _OfBinding | None = None) -> bool:
        """Whether a name leads to awaitables, or is bound to one by a function around its use."""
        inner: Scope | None = scope
        while inner and inner.node:
            if name in inner.bindings:
                return may_bind is None or self._may_any(name, inner, may_bind)
            inner = inner.parent
        is_builtin = name in PLAIN_BUILTINS and not self._module.defines(name)
        return not is_builtin and self._leads_to_awaitable(name)

    def _may_any(self, name: str, scope: Scope, may_bind: _OfBinding) -> bool:
        key = scope, name, may_bind.__name__
        if key not in self._locals:
            self._locals[key] = True  # For those that lead back to themselves.
            self._locals[key] = any(may_bind(each, scope) for each in scope.bindings[name])
        return self._locals[key]

    def _may_bind(self, binding: Binding, scope: Scope) -> bool:
        """Whether what a binding binds can be an awaitable."""
        if binding.kind == "value" and binding.value and not binding.path:
            return self.may_be_awaitable(binding.value, scope)
        return self._may_bind_several(binding, scope)

    def _may_bind_several(self, binding: Binding, scope: Scope) -> bool:
        """Whether there can be awaitables in what a binding binds, or in what that is part of."""
        if binding.annotation:
            return self.may_mean_awaitable(binding.annotation)
        if binding.kind in ("value", "element") and binding.value:
            outer = (isinstance(scope.node, Comprehension) and scope.parent) or scope
            return self.may_hold_awaitables(binding.value, outer)
        return True

    def _is_plain_builtin(self, name: str, scope: Scope) -> bool:
        return name in PLAIN_BUILTINS and not self._may_name(name, scope)

    def _leads_to_awaitable(self, name: str) -> bool:
        known = self._known.get(name)
        if known is None:
            self._modules.trace.used.append(self._names.part(name))
            known = self._known[name] = name in self._names.names
        return known

    @cached_property
    def _always_awaited(self) -> frozenset[str]:
        return always_awaited(self._module).everywhere

    @cached_property
    def _names(self) -> AwaitableNames:
        return self._modules.awaitable_names(self._module)


def _is_tested(node: ast.Name | ast.Attribute, scope: Scope) -> bool:
    """Whether `isinstance` says more of a name than where it comes from."""
    return scope.narrowed(node) is not None
