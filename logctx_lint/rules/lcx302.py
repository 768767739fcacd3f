"""The first failure of gathered Deferreds comes out wrapped in `FirstError`.

## Why

`gatherResults` passes `cancel()` on to every Deferred that it waits for, and wraps the first
failure that it sees in a `FirstError`. So a cancellation comes out as `FirstError(CancelledError)`,
which `except CancelledError: raise` does not recognise and the next `except Exception` swallows;
and callers that look for their own exceptions do not find them.

## Bad

```python
from twisted.internet import defer


async def both(first: "defer.Deferred[int]", second: "defer.Deferred[int]") -> None:
    await defer.gatherResults([first, second], consumeErrors=True)
```

## Good

```python
from twisted.internet import defer

from logctx_lint.runtime import unwrapFirstError


async def both(first: "defer.Deferred[int]", second: "defer.Deferred[int]") -> None:
    await defer.gatherResults([first, second], consumeErrors=True).addErrback(unwrapFirstError)
```

## Fix

Safe where the project has an unwrapper: `.addErrback(unwrapFirstError)` is added with its import.
Where it has none, the fix brings in the reference runtime's, and is unsafe.

## Settings

`vocabulary` adds the project's own `gatherer` and `first-error-unwrapper` names.

## Use instead

`logctx_lint.runtime.unwrapFirstError`, or the helpers that unwrap already:
`logctx_lint.runtime.yieldable_gather_results`, `logctx_lint.runtime.gather_optional_coroutines`.
"""

from __future__ import annotations

import ast

import libcst as cst

from logctx_lint.findings import Fix
from logctx_lint.project.modules import Function
from logctx_lint.project.scopes import Scope
from logctx_lint.project.types import FunctionType, members_of
from logctx_lint.project.walk import all_nodes, own_nodes
from logctx_lint.rules.base import Applies, Rule, RuleVisitor
from logctx_lint.rules.edits import after, helper
from logctx_lint.rules.gathering import OF_DEFERREDS, may_gather
from logctx_lint.rules.nodes import own_code
from logctx_lint.screen import File, Unit
from logctx_lint.vocabulary import Role

_PASSERS = frozenset({Role.YIELDABLE_WRAPPER, Role.CANCELLATION_SHIELD, Role.DEFERRED_PASSER})
_FIRST_ERRBACK = "fireOnOneErrback"
_FIRST_ERRBACK_INDEX = 2
_UNWRAPPING = ("subFailure", "FirstError")
"""Words that an errback which unwraps cannot do without."""
_LONGEST_DETOUR = 4
"""How many helpers may pass a gathered Deferred on."""


class WrappedFirstError(RuleVisitor):
    def visit_Call(self, node: cst.Call) -> None:
        found = self.context.expression(node)
        if not found or not isinstance(found[0], ast.Call):
            return
        if not _gathers(self.context.file, found[0], found[1], _LONGEST_DETOUR):
            return
        use = self._use(node)
        if use is None or self._knows_first_error(node):
            return
        unwrapper = helper(self.context, Role.FIRST_ERROR_UNWRAPPER)
        name = unwrapper.text if unwrapper else "unwrapFirstError"
        callee = " ".join(self.context.text(node.func).split())
        fixes: tuple[Fix, ...] = ()
        if unwrapper:
            edits = (after(self.context, node, f".addErrback({name})"), *unwrapper.imports)
            fixes = (Fix(f"Add .addErrback({name})", unwrapper.applicability, edits),)
        self.context.report(
            RULE.code,
            node,
            f"the result of `{callee}()` is {use} with its first failure wrapped, so that a "
            f"cancellation comes out as FirstError: add `.addErrback({name})`",
            fixes,
        )

    def _use(self, node: cst.CSTNode, seen: frozenset[str] = frozenset()) -> str | None:
        """How a gathered result ends up with its failure wrapped; None if it does not."""
        context = self.context
        parent = context.parent(node)
        match parent:
            case cst.Await():
                return "awaited"
            case cst.Yield():
                function = context.function_of(parent)
                return "awaited" if context.awaits_by_yield(function) else None
            case cst.Return():
                return "returned"
            case cst.Attribute():
                call = context.parent(parent)
                if not isinstance(call, cst.Call) or Role.CHAINER not in context.roles(call):
                    return None
                if any(self._unwraps(argument.value) for argument in call.args):
                    return None
                return self._use(call, seen)
            case cst.Arg() | cst.Lambda():
                return self._use_of_argument(parent, seen)
            case (
                cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))])
                | cst.AnnAssign(target=cst.Name(value=name))
            ):
                return self._use_of_name(parent, name, seen)
            case cst.NamedExpr(target=cst.Name(value=name)):
                return self._use_of_name(parent, name, seen) or self._use(parent, seen)
            case cst.IfExp() | cst.BooleanOperation():
                return self._use(parent, seen)
        return None

    def _use_of_argument(self, node: cst.Arg | cst.Lambda, seen: frozenset[str]) -> str | None:
        """Handed to a wrapper; or what a callback gives, which its Deferred then waits for."""
        context = self.context
        argument = context.parent(node) if isinstance(node, cst.Lambda) else node
        call = context.parent(argument) if isinstance(argument, cst.Arg) else None
        if not isinstance(call, cst.Call):
            return None
        roles = context.roles(call)
        passes = Role.CHAINER in roles if isinstance(node, cst.Lambda) else roles & _PASSERS
        return self._use(call, seen) if passes else None

    def _use_of_name(self, node: cst.CSTNode, name: str, seen: frozenset[str]) -> str | None:
        """The first use of a local name that lets the wrapped failure out, if none unwraps it."""
        function = self.context.function_of(node)
        if not isinstance(function, cst.FunctionDef) or name in seen:
            return None
        uses = []
        for inner in own_code(function.body):
            if isinstance(inner, cst.Name) and inner.value == name:
                if self._is_unwrapped_here(inner):
                    return None
                uses.append(self._use(inner, seen | {name}))
        return next((use for use in uses if use), None)

    def _is_unwrapped_here(self, name: cst.CSTNode) -> bool:
        """`d.addErrback(unwrapFirstError)`, further callbacks in between or not."""
        attribute = self.context.parent(name)
        while isinstance(attribute, cst.Attribute):
            call = self.context.parent(attribute)
            if not isinstance(call, cst.Call):
                return False
            if any(self._unwraps(argument.value) for argument in call.args):
                return True
            attribute = self.context.parent(call)
        return False

    def _unwraps(self, errback: cst.BaseExpression) -> bool:
        found = self.context.expression(errback)
        return found is not None and _unwraps(self.context.file, *found)

    def _knows_first_error(self, node: cst.CSTNode) -> bool:
        """`except FirstError` or `isinstance(e, FirstError)` in the same function."""
        function = self.context.function_of(node)
        return isinstance(function, cst.FunctionDef) and any(
            isinstance(inner, cst.Name | cst.Attribute)
            and Role.FIRST_ERROR in self.context.roles(inner)
            for inner in own_code(function.body)
        )


def _gathers(file: File, call: ast.Call, scope: Scope, detour: int) -> bool:
    """Whether a call gives a Deferred that wraps the first failure, itself or through a helper."""
    roles = file.roles(call.func, scope)
    if Role.GATHERER in roles:
        return True
    if Role.DEFERRED_LIST in roles:
        return _fires_on_one_errback(call)
    return detour > 0 and any(
        isinstance(member, FunctionType)
        and _returns_gathered(file, member.function.implementation, detour - 1)
        for member in members_of(file.resolver.type_of(call.func, scope))
    )


def _fires_on_one_errback(call: ast.Call) -> bool:
    flags = [keyword.value for keyword in call.keywords if keyword.arg == _FIRST_ERRBACK]
    flags += call.args[_FIRST_ERRBACK_INDEX:][:1]
    return any(not isinstance(flag, ast.Constant) or bool(flag.value) for flag in flags)


def _returns_gathered(file: File, function: Function, detour: int) -> bool:
    """Whether a plain function of the project merely returns what a gatherer gives, each time."""
    facts = function.facts
    if facts.is_async or facts.is_generator or function.module.is_stub:
        return False
    if function.name not in file.traits.gathering:
        return False
    node = function.tree()
    if node is None:
        return False
    scope = Scope.of_body(function, node)
    unwrapped = _unwrapped_names(file, node, scope)
    given = [
        inner.value
        for inner in own_nodes(node.body)
        if isinstance(inner, ast.Return) and inner.value and not _is_fired(file, inner.value, scope)
    ]
    return bool(given) and all(
        _is_gathered(file, value, scope, unwrapped, detour) for value in given
    )


def _is_fired(file: File, node: ast.expr, scope: Scope) -> bool:
    """`succeed(None)` and the like: nothing is waited for on this path."""
    return isinstance(node, ast.Constant) or (
        isinstance(node, ast.Call) and Role.FIRED in file.roles(node.func, scope)
    )


def _unwrapped_names(file: File, node: ast.AST, scope: Scope) -> set[str]:
    """The local names to which an unwrapper is added, as in `d.addErrback(unwrapFirstError)`."""
    return {
        inner.func.value.id
        for inner in all_nodes(node)
        if isinstance(inner, ast.Call)
        and isinstance(inner.func, ast.Attribute)
        and isinstance(inner.func.value, ast.Name)
        and any(_unwraps(file, argument, scope) for argument in inner.args)
    }


def _is_gathered(
    file: File, node: ast.expr, scope: Scope, unwrapped: set[str], detour: int
) -> bool:
    """Whether an expression is a gathered Deferred that nothing has unwrapped."""
    if isinstance(node, ast.Name):
        return node.id not in unwrapped and any(
            binding.kind == "value"
            and isinstance(binding.value, ast.Call)
            and _is_gathered(file, binding.value, scope, unwrapped, detour)
            for binding in scope.reaching(node.id, (node.lineno, node.col_offset))
        )
    if not isinstance(node, ast.Call):
        return False
    roles = file.roles(node.func, scope)
    if Role.CHAINER in roles and isinstance(node.func, ast.Attribute):
        return not any(_unwraps(file, argument, scope) for argument in node.args) and (
            _is_gathered(file, node.func.value, scope, unwrapped, detour)
        )
    if roles & _PASSERS:
        return any(_is_gathered(file, each, scope, unwrapped, detour) for each in node.args)
    return _gathers(file, node, scope, detour)


def _unwraps(file: File, errback: ast.expr, scope: Scope) -> bool:
    """Whether a callback takes the failure out of a FirstError."""
    if isinstance(errback, ast.Lambda):
        return _mentions_unwrapping(errback)
    if Role.FIRST_ERROR_UNWRAPPER in file.roles(errback, scope):
        return True
    return any(
        isinstance(member, FunctionType) and _mentions_unwrapping(member.function.tree())
        for member in members_of(file.resolver.type_of(errback, scope))
    )


def _mentions_unwrapping(node: ast.AST | None) -> bool:
    return node is not None and any(
        (isinstance(inner, ast.Attribute) and inner.attr in _UNWRAPPING)
        or (isinstance(inner, ast.Name) and inner.id in _UNWRAPPING)
        for inner in all_nodes(node)
    )


def screen(unit: Unit) -> bool:
    """Whether the unit calls a gatherer, or a helper that may be one."""
    return any(
        may_gather(unit.file, call, scope, OF_DEFERREDS) for call, scope in unit.nodes(ast.Call)
    )


RULE = Rule(
    code="LCX302",
    name="wrapped-first-error",
    fixes="`.addErrback(unwrapFirstError)` + import (safe; unsafe if new to the project)",
    visitor=WrappedFirstError,
    screen=screen,
    module=__name__,
    applies=Applies.TWISTED,
)
