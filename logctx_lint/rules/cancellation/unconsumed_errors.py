"""Failures after the first are logged as unhandled, for nobody consumes them.

## Why

`gatherResults` and `DeferredList` tell their waiter of one failure. Without `consumeErrors=True`
every other failure stays in its own Deferred and is logged as unhandled when that is collected:
noise that looks like a bug, and without a log context. The same holds for an `ObservableDeferred`
that is kept where nobody may be observing it when it fails.

Opt-in: where each Deferred has an errback of its own, there is nothing to consume.

## Bad

```python
from twisted.internet import defer
from twisted.internet.defer import Deferred


def both(first: "Deferred[int]", second: "Deferred[int]") -> "Deferred[list[int]]":
    return defer.gatherResults([first, second])
```

## Good

```python
from twisted.internet import defer
from twisted.internet.defer import Deferred


def both(first: "Deferred[int]", second: "Deferred[int]") -> "Deferred[list[int]]":
    return defer.gatherResults([first, second], consumeErrors=True)
```

## Fix

`consumeErrors=True` is added. Safe on a gatherer: the first failure comes out as before. Unsafe on
an `ObservableDeferred`: callbacks that are added to the Deferred inside it get None then.

## Settings

`enable = ["LCX306"]` switches it on. `vocabulary` adds the project's own `gatherer`,
`deferred-list` and `observable` names.

## Use instead

`logctx_lint.runtime.yieldable_gather_results` or `logctx_lint.runtime.gather_optional_coroutines`,
which consume them.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Edit, Fix
from logctx_lint.fixes.edits import after
from logctx_lint.rules.rule import Applies, Rule, RuleVisitor
from logctx_lint.syntax.cst_walk import own_code
from logctx_lint.syntax.lazy_libcst import cst

_FLAG = "consumeErrors"
# Where the flag stands when it is given by its place.
_POSITIONS = {Role.GATHERER: 1, Role.DEFERRED_LIST: 3, Role.OBSERVABLE: 1}
_ROLES = frozenset(_POSITIONS)


class UnconsumedErrors(RuleVisitor):
    def visit_Call(self, node: cst.Call) -> None:
        roles = self.context.roles(node) & _ROLES
        if not roles or any(argument.star for argument in node.args):
            return
        flag = _flag(node, _POSITIONS[next(iter(roles))])
        if flag is not None and not _is_false(flag.value):
            return
        is_observable = Role.OBSERVABLE in roles
        if is_observable and (flag or not self._is_shared(node) or self._has_errback(node)):
            return
        callee = " ".join(self.context.text(node.func).split())
        what = (
            "a failure that nobody observes" if is_observable else "every failure after the first"
        )
        self.context.report(
            RULE.code,
            node,
            f"`{callee}()` leaves {what} to be logged as unhandled when it is collected: add "
            f"`{_FLAG}=True`",
            self._fixes(node, flag, Applicability.UNSAFE if is_observable else Applicability.SAFE),
        )

    def _fixes(
        self, node: cst.Call, flag: cst.Arg | None, applicability: Applicability
    ) -> tuple[Fix, ...]:
        context = self.context
        if flag is not None:
            edit = Edit(context.span(flag.value), "True")
        elif node.args and isinstance(node.args[-1].comma, cst.Comma):
            edit = after(context, node.args[-1].value, f", {_FLAG}=True")
        elif node.args and not _needs_parentheses(node):
            edit = after(context, node.args[-1], f", {_FLAG}=True")
        else:
            return ()
        return (Fix(f"Add {_FLAG}=True", applicability, (edit,)),)

    def _has_errback(self, node: cst.Call) -> bool:
        """Whether the function sees to the failures of what it makes observable."""
        observed = node.args[0].value if node.args else None
        function = self.context.function_of(node)
        return (
            isinstance(observed, cst.Name)
            and isinstance(function, cst.FunctionDef)
            and any(
                isinstance(inner, cst.Attribute)
                and inner.attr.value in ("addErrback", "addBoth", "addCallbacks")
                and isinstance(inner.value, cst.Name)
                and inner.value.value == observed.value
                for inner in own_code(function.body)
            )
        )

    def _is_shared(self, node: cst.Call) -> bool:
        """Whether an observable is kept where it may be without an observer when it fails."""
        parent = self.context.parent(node)
        if isinstance(parent, cst.Arg):
            return True
        targets: list[cst.BaseExpression] = []
        if isinstance(parent, cst.Assign):
            targets = [target.target for target in parent.targets]
        elif isinstance(parent, cst.AnnAssign):
            targets = [parent.target]
        function = self.context.function_of(node)
        return any(
            not isinstance(target, cst.Name)
            or not isinstance(function, cst.FunctionDef)
            or self._is_put_away(target.value, function)
            for target in targets
        )

    def _is_put_away(self, name: str, function: cst.FunctionDef) -> bool:
        """Whether a local name is stored or handed on, or is no local name."""
        for inner in own_code(function.body):
            if isinstance(inner, cst.Global | cst.Nonlocal):
                if any(item.name.value == name for item in inner.names):
                    return True
            elif isinstance(inner, cst.Name) and inner.value == name:
                parent = self.context.parent(inner)
                if isinstance(parent, cst.Arg | cst.Element | cst.DictElement):
                    return True
                if isinstance(parent, cst.Assign) and parent.value is inner:
                    return True
        return False


def _flag(node: cst.Call, position: int) -> cst.Arg | None:
    for index, argument in enumerate(node.args):
        name = argument.keyword.value if argument.keyword else None
        if name == _FLAG or (name is None and index == position):
            return argument
    return None


def _is_false(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name) and node.value == "False"


def _needs_parentheses(node: cst.Call) -> bool:
    """`gatherResults(f(x) for x in xs)`: beside another argument it would need its own."""
    value = node.args[-1].value
    return isinstance(value, cst.GeneratorExp) and not value.lpar


def screen(unit: Unit) -> bool:
    """Whether the unit gathers, or makes something observable."""
    return any(
        unit.file.may_play(call.func, _ROLES) and unit.file.roles(call.func, scope) & _ROLES
        for call, scope in unit.nodes(ast.Call)
    )


RULE = Rule(
    code="LCX306",
    fixes="`consumeErrors=True` (safe; unsafe on an observable)",
    visitor=UnconsumedErrors,
    screen=screen,
    applies=Applies.TWISTED,
)
