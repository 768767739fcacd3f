"""A Deferred is fired or cancelled in a log context that others then run in.

## Why

`d.callback(...)`, `d.errback(...)` and `d.cancel()` run at once whatever waits for `d`. With log
contexts in thread-local storage that code finds the context of whoever fires `d`, and leaves its
own behind when it is done: the code after the call logs to the wrong request, or to one that is
over.

## Bad

```python
# settings: framework=twisted, storage=thread-local
from twisted.internet.defer import Deferred


class Lock:
    def __init__(self) -> None:
        self._released: "Deferred[None]" = Deferred()

    def release(self) -> None:
        self._released.callback(None)
        print("released")
```

## Good

```python
# settings: framework=twisted, storage=thread-local
from twisted.internet.defer import Deferred

from logctx_lint.runtime import PreserveLoggingContext


class Lock:
    def __init__(self) -> None:
        self._released: "Deferred[None]" = Deferred()

    def release(self) -> None:
        with PreserveLoggingContext():
            self._released.callback(None)
        print("released")
```

## Fix

Unsafe: `with PreserveLoggingContext():` is put around the statement, with its import. It changes
the log context that the waiters start in.

## Settings

`vocabulary` adds the project's own `sentinel-guard` names.

## Use instead

`logctx_lint.runtime.PreserveLoggingContext`; or `run_in_background(d.callback, result)`, with
`logctx_lint.runtime.run_in_background`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import libcst as cst

from logctx_lint.findings import Applicability, Edit, Fix
from logctx_lint.project.modules import Function
from logctx_lint.project.scopes import Scope
from logctx_lint.project.types import ClassObject, FunctionType, Kind, members_of, without_none
from logctx_lint.rules.base import Applies, Rule, RuleVisitor
from logctx_lint.rules.edits import helper
from logctx_lint.rules.imports import insertion
from logctx_lint.rules.nodes import all_code
from logctx_lint.screen import File, Unit, units
from logctx_lint.vocabulary import Role

_FIRING = frozenset({"callback", "errback", "cancel"})
_FROM_REACTOR = frozenset({Role.TIMER, Role.CALLBACK_TAKER})


class CallbackInContext(RuleVisitor):
    def visit_Call(self, node: cst.Call) -> None:
        context, func = self.context, node.func
        if not isinstance(func, cst.Attribute) or func.attr.value not in _FIRING:
            return
        found = context.expression(func.value)
        if (
            not found
            or not _is_deferred(context.file, *found)
            or context.in_sentinel_guard(node)
            or self._has_no_waiters(func.value, node)
            or self._ends_the_work(node)
            or self._runs_outside(node)
        ):
            return
        guard = helper(context, Role.SENTINEL_GUARD)
        name = guard.text if guard else "PreserveLoggingContext"
        edits = self._guarded(node, name) if guard else None
        fixes: tuple[Fix, ...] = ()
        if guard and edits:
            title = f"Do it in `with {name}():`"
            fixes = (Fix(title, Applicability.UNSAFE, (*edits, *guard.imports)),)
        label = " ".join(context.text(func).split())
        context.report(
            RULE.code,
            node,
            f"`{label}()` runs what waits for the Deferred in this log context, and may come back "
            f"in another one: do it in `with {name}():`",
            fixes,
        )

    def _ends_the_work(self, node: cst.Call) -> bool:
        """Whether it is the last thing that an asynchronous function does: nothing goes on."""
        context = self.context
        function = context.function_of(node)
        if not context.is_asynchronous(function):
            return False
        inner: cst.CSTNode = node
        for outer in context.around(node):
            if outer is function:
                return True
            match outer:
                case cst.SimpleStatementLine() | cst.IndentedBlock() | cst.SimpleStatementSuite():
                    if not all(_says_nothing(each) for each in _behind(outer.body, inner)):
                        return False
                case cst.Try() | cst.TryStar():
                    is_last = inner is outer.finalbody or not outer.finalbody
                    if not is_last or (outer.orelse and inner is outer.body):
                        return False
                case cst.With() | cst.For() | cst.While():
                    return False
            inner = outer
        return False

    # Who waits

    def _has_no_waiters(self, deferred: cst.BaseExpression, fired: cst.Call) -> bool:
        """Whether a Deferred was made in this function, and nobody else has got it yet."""
        context = self.context
        function, found = context.function_of(fired), context.expression(deferred)
        if not isinstance(deferred, cst.Name) or not isinstance(function, cst.FunctionDef):
            return False
        if not found or not self._is_made_here(found[0], found[1]):
            return False
        place = context.span(fired)
        return not any(
            isinstance(inner, cst.Name)
            and inner.value == deferred.value
            and context.span(inner) < place
            and self._gets_out(inner)
            for inner in all_code(function.body)
        )

    def _is_made_here(self, name: ast.expr, scope: Scope) -> bool:
        assert isinstance(name, ast.Name)
        bindings = scope.reaching(name.id, (name.lineno, name.col_offset))
        resolver = self.context.resolver
        return bool(bindings) and all(
            isinstance(binding.value, ast.Call)
            and isinstance(resolver.type_of(binding.value.func, scope), ClassObject)
            for binding in bindings
        )

    def _gets_out(self, name: cst.Name) -> bool:
        """Whether a use of a name lets somebody else have what it holds."""
        parent = self.context.parent(name)
        return not isinstance(parent, cst.Attribute | cst.AssignTarget | cst.AnnAssign)

    # Who calls

    def _runs_outside(self, node: cst.CSTNode) -> bool:
        """Whether the function is a Deferred's callback, or is called by Twisted itself."""
        context = self.context
        function = context.function_of(node)
        if isinstance(function, cst.Lambda):
            argument = context.parent(function)
            call = context.parent(argument) if isinstance(argument, cst.Arg) else None
            return isinstance(call, cst.Call) and _calls_outside(context.roles(call))
        scope = context.scope_of(function) if function else None
        if scope is None or scope.function is None:
            return False
        return _overrides_foreign(context.file, scope.function) or _is_handed_outside(
            context.file, scope.function
        )

    # The fix

    def _guarded(self, node: cst.Call, name: str) -> tuple[Edit, ...] | None:
        """Put the statement into a `with` block; None where it is only a part of its line."""
        context = self.context
        statement = context.parent(node)
        line = context.parent(statement) if statement else None
        if not isinstance(statement, cst.Expr) or not isinstance(line, cst.SimpleStatementLine):
            return None
        span = context.span(line)
        lines = context.file.source.lines
        indent = lines[span.line - 1][: span.column]
        if len(line.body) > 1 or indent.strip() or _has_long_text(line):
            return None
        step = "\t" if indent.endswith("\t") else "    "
        opening = insertion(span.line, span.column, f"with {name}():\n{indent}{step}")
        rest = range(span.line + 1, span.end_line + 1)
        return (opening, *(insertion(each, 0, step) for each in rest if lines[each - 1].strip()))


def _behind(body: Sequence[cst.CSTNode], node: cst.CSTNode) -> Sequence[cst.CSTNode]:
    return body[next(i for i, each in enumerate(body) if each is node) + 1 :]


def _says_nothing(node: cst.CSTNode) -> bool:
    """`return`, `pass`."""
    if isinstance(node, cst.SimpleStatementLine):
        return all(_says_nothing(each) for each in node.body)
    return isinstance(node, cst.Pass) or (isinstance(node, cst.Return) and node.value is None)


def _has_long_text(node: cst.CSTNode) -> bool:
    """A text of several lines would change when it is indented."""
    return any(
        isinstance(inner, cst.SimpleString | cst.FormattedString) and inner.quote[1:]
        for inner in all_code(node)
    )


def _is_deferred(file: File, node: ast.expr, scope: Scope) -> bool:
    answer = file.resolver.awaitability(without_none(file.resolver.type_of(node, scope)))
    return answer.is_certain and answer.kind is Kind.DEFERRED


def _calls_outside(roles: frozenset[Role]) -> bool:
    """Whether a callee adds callbacks, or is Twisted's own way to have something called."""
    return Role.CHAINER in roles or (Role.RAW_AWAITABLE in roles and bool(roles & _FROM_REACTOR))


def _overrides_foreign(file: File, function: Function) -> bool:
    """Whether a method is one of those that a class of another library calls."""
    owner = function.owner
    return owner is not None and any(
        ancestor.module.is_stub and function.name in ancestor.facts.functions
        for ancestor, _ in file.resolver.classes.ancestors(owner)
    )


def _is_handed_outside(file: File, function: Function) -> bool:
    """Whether the function is added as a callback, or handed to the reactor, in this file."""
    return any(
        _is_named(file, argument, scope, function)
        for unit in units(file, file.tree)
        if function.name in unit.text
        for call, scope in unit.nodes(ast.Call)
        for argument in _handed(call)
        if function.name == getattr(argument, "attr", getattr(argument, "id", ""))
        if _calls_outside(file.roles(call.func, scope))
    )


def _handed(call: ast.Call) -> Iterator[ast.expr]:
    """The arguments of a call; of a lambda, what it calls."""
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        match argument:
            case ast.Lambda(_, ast.Call(func)):
                yield func
            case _:
                yield argument


def _is_named(file: File, node: ast.expr, scope: Scope, function: Function) -> bool:
    return any(
        isinstance(member, FunctionType) and member.function == function
        for member in members_of(file.resolver.type_of(node, scope))
    )


def screen(unit: Unit) -> bool:
    """Whether the unit fires or cancels a Deferred."""
    return any(
        isinstance(call.func, ast.Attribute)
        and call.func.attr in _FIRING
        and _is_deferred(unit.file, call.func.value, scope)
        for call, scope in unit.nodes(ast.Call)
    )


RULE = Rule(
    code="LCX403",
    name="callback-in-context",
    fixes="`with PreserveLoggingContext():` (unsafe)",
    visitor=CallbackInContext,
    screen=screen,
    module=__name__,
    applies=Applies.THREAD_LOCAL,
)
