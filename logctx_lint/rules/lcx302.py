"""The first failure of gathered Deferreds comes out wrapped in `FirstError`.

## Why

`gatherResults` passes `cancel()` on to every Deferred that it waits for, and wraps the first failure
that it sees in a `FirstError`. So a cancellation comes out as `FirstError(CancelledError)`, which
`except CancelledError: raise` does not recognise and the next `except Exception` swallows; and
callers that look for their own exceptions do not find them.

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
from collections.abc import Iterator

import libcst as cst

from logctx_lint.findings import Fix
from logctx_lint.project.facts import own_nodes
from logctx_lint.project.modules import Function
from logctx_lint.project.scopes import Scope
from logctx_lint.rules.base import Applies, Rule, RuleVisitor
from logctx_lint.rules.edits import after, helper
from logctx_lint.rules.nodes import own_code
from logctx_lint.screen import File, Unit
from logctx_lint.vocabulary import Role

_GATHERERS = frozenset({Role.GATHERER, Role.DEFERRED_LIST})
_PASSERS = frozenset({Role.YIELDABLE_WRAPPER, Role.CANCELLATION_SHIELD, Role.DEFERRED_PASSER})
_UNWRAPPING = ("subFailure", "FirstError")
"""Words that an errback which unwraps cannot do without."""


class WrappedFirstError(RuleVisitor):
    def visit_Call(self, node: cst.Call) -> None:
        if not self._gathers(node):
            return
        use = self._use(node)
        if use is None or self._catches_first_error(node):
            return
        unwrapper = helper(self.context, Role.FIRST_ERROR_UNWRAPPER)
        name = unwrapper.text if unwrapper else "unwrapFirstError"
        callee = " ".join(self.context.text(node.func).split())
        fixes = ()
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

    def _gathers(self, call: cst.Call) -> bool:
        roles = self.context.roles(call)
        if Role.GATHERER in roles:
            return True
        if Role.DEFERRED_LIST in roles:
            return any(
                argument.keyword is not None
                and argument.keyword.value == "fireOnOneErrback"
                and self.context.text(argument.value) not in ("False", "0")
                for argument in call.args
            )
        return any(
            returns_gathered(self.context.file, function) for function in self.context.callees(call)
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
            case cst.Arg():
                call = context.parent(parent)
                if isinstance(call, cst.Call) and context.roles(call) & _PASSERS:
                    return self._use(call, seen)
                return None
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
        if Role.FIRST_ERROR_UNWRAPPER in self.context.roles(errback):
            return True
        if isinstance(errback, cst.Lambda):
            return any(word in self.context.text(errback) for word in _UNWRAPPING)
        return any(_mentions_unwrapping(f) for f in self.context.functions(errback))

    def _catches_first_error(self, node: cst.CSTNode) -> bool:
        function = self.context.function_of(node)
        return isinstance(function, cst.FunctionDef) and any(
            isinstance(inner, cst.ExceptHandler)
            and inner.type is not None
            and any(
                isinstance(part, cst.Name | cst.Attribute)
                and Role.FIRST_ERROR in self.context.roles(part)
                for part in own_code(inner.type)
            )
            for inner in own_code(function.body)
        )


def _mentions_unwrapping(function: Function) -> bool:
    node = function.tree()
    return node is not None and any(
        (isinstance(inner, ast.Attribute) and inner.attr in _UNWRAPPING)
        or (isinstance(inner, ast.Name) and inner.id in _UNWRAPPING)
        for inner in ast.walk(node)
    )


def returns_gathered(file: File, function: Function) -> bool:
    """Whether a plain function of the project merely returns what a gatherer gives."""
    facts = function.facts
    if facts.is_async or facts.is_generator or function.module.is_stub:
        return False
    node = function.tree()
    if node is None:
        return False
    scope = Scope(
        function.module, node, function.scope, function, function.owner, is_positioned=True
    )
    return any(
        _is_gathered(file, value, scope)
        for inner in own_nodes(node.body)
        if isinstance(inner, ast.Return) and inner.value
        for value in _wrapped(file, inner.value, scope)
    )


def _wrapped(file: File, node: ast.expr, scope: Scope) -> Iterator[ast.expr]:
    """An expression, and what it wraps without unwrapping its failure."""
    yield node
    if isinstance(node, ast.Call) and node.args and file.roles(node.func, scope) & _PASSERS:
        yield from _wrapped(file, node.args[-1], scope)


def _is_gathered(file: File, node: ast.expr, scope: Scope) -> bool:
    return isinstance(node, ast.Call) and Role.GATHERER in file.roles(node.func, scope)


def screen(unit: Unit) -> bool:
    """Whether the unit calls a gatherer."""
    file = unit.file
    if not any(word in file.source.text for word in ("gather", "DeferredList")) and not (
        file.vocabulary.has_additions(Role.GATHERER)
    ):
        return False
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name | ast.Attribute)
        and _may_gather(file, node.func, scope)
        for statement, scope in unit.statements
        for node in _own_expressions(statement)
    )


def _may_gather(file: File, node: ast.expr, scope: Scope) -> bool:
    if file.roles(node, scope) & _GATHERERS:
        return True
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return "gather" in name.lower()


def _own_expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """The expressions of one statement, not those of the statements inside it."""
    stack: list[ast.AST] = [
        child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.expr)
    ]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(ast.iter_child_nodes(node))


RULE = Rule(
    code="LCX302",
    name="wrapped-first-error",
    fixes="`.addErrback(unwrapFirstError)` + import (safe; unsafe if new to the project)",
    visitor=WrappedFirstError,
    screen=screen,
    module=__name__,
    applies=Applies.TWISTED,
)
