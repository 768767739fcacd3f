"""An errback swallows a failure, and the next callback runs on its `None`.

## Why

An errback that returns nothing has dealt with the failure: the chain goes on with `None` as result,
and the *callback* behind it is called. One that was written for an answer fails there with
`AttributeError: 'NoneType' object has no attribute ...`, which is what is logged in the end, in
place of what went wrong.

The shape of [txHL7 7](https://github.com/johnpaulett/txHL7/pull/7), where messages went on to be
processed behind an errback that had answered them.

It is reported where the errback is known to give `None`, and the callback is seen to use what it is
given without a look at it.

## Bad

```python
from twisted.internet.defer import Deferred
from twisted.python import log


class Page:
    def fetch(self) -> "Deferred[bytes]":
        return Deferred()

    def show(self, text):
        print(text.decode())

    def load(self):
        d = self.fetch()
        d.addErrback(log.err)
        d.addCallback(self.show)
        return d
```

## Good

```python
from twisted.internet.defer import Deferred
from twisted.python import log


class Page:
    def fetch(self) -> "Deferred[bytes]":
        return Deferred()

    def show(self, text):
        print(text.decode())

    def load(self):
        d = self.fetch()
        d.addCallback(self.show)
        d.addErrback(log.err)
        return d
```

## Fix

None: whether the errback belongs behind the callback, beside it (`addCallbacks`), or has to give a
value in place of the answer, is for a person to say.

## When not to use it

Callbacks that do not use what they are given, as clean-up, are silent, and so are those that ask
whether there is anything.

## Use instead

`addCallbacks(show, failed)`, or `async def` with `try`;
`logctx_lint.runtime.run_as_background_process` logs what fails in it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.deferreds.deferred_chains import Chains, Link
from logctx_lint.analysis.deferreds.request_callbacks import RequestCallbacks
from logctx_lint.analysis.own_class import own_methods
from logctx_lint.analysis.units import File, Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Applies, Rule
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    is_name,
    is_none,
    mentions_name,
    own_attribute,
    own_nodes,
)

_Callback = FunctionNode | ast.Lambda
_LOGGING = frozenset({Role.LOG_WRITER})
_LONGEST_WAY = 2
"""How many methods a result is handed on to."""
_TRAPS = frozenset({"trap", "raiseException", "check"})
_NEEDING = frozenset({"int", "float", "len", "iter", "list", "tuple", "set", "dict", "sorted"})
"""Built-in functions that fail on None."""


def check(context: TreeContext) -> None:
    for node, scope in context.unit.scopes.items():
        if not isinstance(node, FunctionNode):
            continue
        for chain in Chains(context.file, node, scope).found:
            for before, behind in zip(chain.links, chain.links[1:], strict=False):
                _check_links(context, scope, before, behind)


def _check_links(context: TreeContext, scope: Scope, before: Link, behind: Link) -> None:
    errback, callback = before.errback, behind.callback
    if before.method != "addErrback" or errback is None or callback is None:
        return
    if not _gives_none(context.file, scope, errback):
        return
    used = _used(context, scope, callback)
    if used is None:
        return
    context.report(
        RULE.code,
        behind.node,
        f"where something fails, `{_label(errback)}` gives None, and `{_label(callback)}` runs on "
        f"that: `{ast.unparse(used)}` (line {used.lineno}) fails; put the errback behind the "
        "callback, or use `addCallbacks`",
    )


def _label(node: ast.expr | FunctionNode) -> str:
    return node.name if isinstance(node, FunctionNode) else ast.unparse(node)


def _gives_none(file: File, scope: Scope, errback: ast.expr | FunctionNode) -> bool:
    """Whether an errback takes every failure and gives None."""
    match errback:
        case ast.Lambda(body=ast.Constant(None)):
            return True
        case ast.Lambda(body=ast.Call(func)):
            return _logs(file, scope, func)
        case ast.Name() | ast.Attribute() if _logs(file, scope, errback):
            return True
    trees = list(_bodies(file, scope, errback))
    return bool(trees) and all(
        isinstance(each, ast.FunctionDef) and _ends_in_none(each) for each in trees
    )


def _logs(file: File, scope: Scope, node: ast.expr) -> bool:
    return bool(file.roles(node, scope) & _LOGGING)


def _ends_in_none(node: ast.FunctionDef) -> bool:
    """Whether a function neither returns anything, nor raises or hands on what it is given."""
    if node.decorator_list:
        return False
    for each in body_nodes(node):
        match each:
            case ast.Return(ast.expr() as value):
                if not is_none(value):
                    return False
            case ast.Raise() | ast.Yield() | ast.YieldFrom():
                return False
            case ast.Attribute(_, name) if name in _TRAPS:
                return False
    # A stub or a base class's method says nothing.
    return any(body_nodes(node, ast.Call))


def _bodies(file: File, scope: Scope, callback: ast.expr | FunctionNode) -> Iterator[_Callback]:
    if isinstance(callback, FunctionNode | ast.Lambda):
        yield callback
    elif isinstance(callback, ast.Name | ast.Attribute):
        yield from RequestCallbacks(file, scope).trees(callback)


def _used(context: TreeContext, scope: Scope, callback: ast.expr | FunctionNode) -> ast.expr | None:
    """Where a callback does something with its result that None does not have."""
    trees = list(_bodies(context.file, scope, callback))
    found = [_use(context, each, 0, _LONGEST_WAY) for each in trees]
    return found[0] if found and all(found) else None


def _parameter(node: _Callback, index: int) -> str:
    """The name of a parameter by its place, empty where there is none."""
    parameters = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
    own = [each for each in parameters if each not in ("self", "cls")]
    return own[index] if index < len(own) else ""


def _use(context: TreeContext, node: _Callback, index: int, ways: int) -> ast.expr | None:
    """The same of one of its parameters, which it may hand on to a method of its class."""
    name = _parameter(node, index)
    if not name or isinstance(node, ast.AsyncFunctionDef) or _is_looked_at(node, name):
        return None
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    for each in own_nodes(body):
        match each:
            case ast.Attribute(ast.Name(used)) | ast.Subscript(ast.Name(used)) if used == name:
                return each
            case ast.Call(ast.Name(called), [ast.Name(used)]) if used == name:
                if called in _NEEDING:
                    return each
            case ast.Call(func, given) if ways and any(is_name(e, name) for e in given):
                place = next(i for i, e in enumerate(given) if is_name(e, name))
                method = _method(context, func)
                if method is not None and _use(context, method, place, ways - 1):
                    return each
            case (
                ast.For(iter=ast.Name(used) as looped)
                | ast.comprehension(iter=ast.Name(used) as looped)
            ) if used == name:
                return looped
    return None


def _method(context: TreeContext, func: ast.expr) -> FunctionNode | None:
    """The method of the same class that `self.write` is, where there is but one."""
    found = [each for each in own_methods(context) if each.name == own_attribute(func)]
    return found[0] if len(found) == 1 and not found[0].decorator_list else None


def _is_looked_at(node: _Callback, name: str) -> bool:
    """Whether a function asks anything about its result, or binds the name anew."""
    for each in all_nodes(node):
        match each:
            case ast.If(test) | ast.IfExp(test) | ast.While(test) | ast.Assert(test):
                if mentions_name(test, name):
                    return True
            case ast.BoolOp() | ast.Compare() | ast.Try():
                if mentions_name(each, name):
                    return True
            case ast.Name(used) if used == name and isinstance(each.ctx, ast.Store):
                return True
            case ast.comprehension(ifs=tests) if any(mentions_name(test, name) for test in tests):
                return True
    return False


def screen(unit: Unit) -> bool:
    """Whether the unit adds both errbacks and callbacks to a Deferred."""
    return "addErrback" in unit.text and "add" in unit.text.replace("addErrback", "")


RULE = Rule(
    code="LCX506",
    fixes="none",
    screen=screen,
    check=check,
    applies=Applies.TWISTED,
)
