"""A `LoopingCall` is started, and nobody would notice that it has ended.

## Why

When the function of a `LoopingCall` fails once, the loop stops for good. The failure goes to the
Deferred that `start()` gave; where that was dropped, Twisted logs it when the garbage collector
finds it, which is late, and never while the loop is kept in an attribute. What was to be done every
minute is not done any more.

The shape of [autopush 805](https://github.com/mozilla-services/autopush/issues/805) and
[synapse 3929](https://github.com/matrix-org/synapse/issues/3929).

And so `stop()`, which fails where the loop does not run, may fail any time later: ask `running`
before (profile `strict`).

## Bad

```python
from twisted.internet.task import LoopingCall


class Poller:
    def fetch(self) -> None:
        raise OSError("no network")

    def start(self) -> None:
        self.loop = LoopingCall(self.fetch)
        self.loop.start(60)
```

## Good

```python
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

log = Logger()


class Poller:
    def fetch(self) -> None:
        raise OSError("no network")

    def start(self) -> None:
        self.loop = LoopingCall(self.fetch)
        done = self.loop.start(60)
        done.addErrback(lambda failure: log.failure("polling has ended", failure))


class Careful:
    def fetch(self) -> None:
        try:
            raise OSError("no network")
        except Exception:
            log.failure("will try again")

    def start(self) -> None:
        self.loop = LoopingCall(self.fetch)
        self.loop.start(60)
```

## Fix

None: whether the loop starts anew or the program ends is for a person to say.

## When not to use it

Where the loop may end unseen. Functions that catch every error are silent; with the profile
`recommended`, so are those of which it is not seen that they raise, wait for others, or are handed
over by a caller.

## Use instead

An errback on what `start()` gives, or a `try` in the function;
`logctx_lint.runtime.run_as_background_process` logs the failures of what it runs.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.analysis.deferreds.observed_chains import is_seen
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.raised_errors import RaisedErrors
from logctx_lint.inference.types import UNKNOWN, Certainty, FunctionType, Instance, Type, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.rules.rule import Applies, Rule
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, is_name, own_nodes

_START = "twisted.internet.task.LoopingCall.start"
_STOP = "twisted.internet.task.LoopingCall.stop"
_DRIVING = frozenset({Role.HAND_STARTER, Role.BACKGROUND_STARTER})
_SEEING = frozenset({"addErrback", "addBoth", "addCallbacks"})


def check(context: TreeContext) -> None:
    for call, _ in context.unit.nodes(ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "stop":
            _check_stop(context, call)
        if not isinstance(call.func, ast.Attribute) or call.func.attr != "start":
            continue
        if not context.is_placed(call) or not _gives_deferred(context, call):
            continue
        made = _made(context, call.func.value)
        functions, is_known = _looped(context, made)
        if not _is_dropped(context, call) or (
            is_known and not any(_may_fail(context, each) for each in functions)
        ):
            continue
        if is_seen(context, call):
            continue
        name = f"`{functions[0].name}()`" if functions else "its function"
        context.report(
            RULE.code,
            call,
            f"this loop ends for good when {name} fails once, and nobody looks at the Deferred "
            "that `start()` gives: add an errback",
            profile=_profile(context, made, functions),
        )


def _gives_deferred(context: TreeContext, call: ast.Call) -> bool:
    """Whether it is the `start()` of a loop, and of nothing else that gives no Deferred."""
    return _START in context.names(call) and not any(
        context.resolver.awaitability(context.resolver.call_type(each)).certainty is Certainty.NO
        for each in members_of(context.type_of(call.func))
    )


def _check_stop(context: TreeContext, call: ast.Call) -> None:
    """`self.loop.stop()` where the loop may have ended by itself, or never have begun."""
    function = context.function_of(call)
    if not isinstance(call.func, ast.Attribute) or not isinstance(function, FunctionNode):
        return
    loop = call.func.value
    if not isinstance(loop, ast.Attribute) or _STOP not in context.names(call):
        return
    functions, is_known = _looped(context, _made(context, loop))
    if (
        not is_known
        or not any(_may_fail(context, each) for each in functions)
        or _is_guarded(context, call, loop.attr)
    ):
        return
    if any(each.name == function.name for each in functions):
        return  # It runs, as this is what it calls.
    context.report(
        RULE.code,
        call,
        f"`stop()` fails where the loop does not run, as when `{functions[0].name}()` has failed: "
        f"ask `{ast.unparse(loop)}.running`",
        profile=Profile.STRICT,
    )


def _is_guarded(context: TreeContext, call: ast.Call, name: str) -> bool:
    """Whether code looks whether a loop runs or is there, or takes what `stop()` raises."""
    for outer in context.around(call):
        if isinstance(outer, FunctionNode):
            return any(
                each.attr == "running"
                and name in (getattr(each.value, "attr", name), getattr(each.value, "id", ""))
                for each in all_nodes(outer, ast.Attribute)
            )
        attempt = as_try(outer)
        if attempt is not None and attempt.handlers:
            return True
        if isinstance(outer, ast.If | ast.IfExp | ast.BoolOp) and any(
            each.attr == name
            for each in all_nodes(
                outer.test if not isinstance(outer, ast.BoolOp) else outer, ast.Attribute
            )
            if each is not getattr(call.func, "value", None)
        ):
            return True
    return False


def _profile(
    context: TreeContext, made: list[tuple[ast.Call, Scope]], functions: list[Function]
) -> Profile:
    """Recommended for what is known to fail now and then: whatever a caller hands over, work that
    waits for others, and what raises by itself."""
    if functions:
        is_likely = any(_waits_or_raises(context, each) for each in functions)
    else:
        is_likely = any(
            isinstance(call.args[0], ast.Name)
            and any(each.kind == "parameter" for each in scope.bindings.get(call.args[0].id, ()))
            for call, scope in made
            if call.args
        )
    return Profile.RECOMMENDED if is_likely else Profile.STRICT


def _waits_or_raises(context: TreeContext, function: Function) -> bool:
    node = function.tree()
    if function.facts.is_async or Role.INLINE_CALLBACKS in context.decorator_roles(function):
        return True
    if node is None:
        return False
    errors = RaisedErrors(context.resolver, Scope.of_body(function, node))
    return any(errors.coming_out(node.body))


def _is_dropped(context: TreeContext, call: ast.Call) -> bool:
    """Whether nobody adds an errback to what a call gives."""
    node: ast.AST = call
    while (method := context.method_call(node)) is not None:
        if isinstance(method.func, ast.Attribute) and method.func.attr in _SEEING:
            return False
        node = method
    parent = context.parent(node)
    match parent:
        case ast.Expr():
            return True
        case ast.Assign([ast.Name(name)]):
            return all(
                isinstance(each.ctx, ast.Store) or _gets_callback(context, each)
                for each in all_nodes(context.unit.node)
                if is_name(each, name)
            )
        case ast.Assign([ast.Attribute(_, name)]):
            places = (each for each in all_nodes(context.unit.node) if _is_attribute(each, name))
            told = sum(_gets_callback(context, each) for each in places)
            return _uses(context.file.tree, ast.Attribute, name) == 1 + told
    return False


def _is_attribute(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name


def _gets_callback(context: TreeContext, name: ast.AST) -> bool:
    """`finished.addCallback(f)`, as a statement: nothing that sees a failure."""
    call = context.method_call(name)
    return (
        call is not None
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "addCallback"
        and isinstance(context.parent(call), ast.Expr)
    )


def _uses(tree: ast.AST, kind: type[ast.expr], name: str) -> int:
    """How often a local name or an attribute of this name stands in some code."""
    field = "id" if kind is ast.Name else "attr"
    return sum(isinstance(node, kind) and getattr(node, field) == name for node in all_nodes(tree))


def _looped(
    context: TreeContext, loops: list[tuple[ast.Call, Scope]]
) -> tuple[list[Function], bool]:
    """The functions that some loops call, and whether all of them are known."""
    found: list[Function] = []
    is_known = False
    for made, scope in loops:
        if not made.args:
            return [], False
        function = made.args[0]
        if isinstance(function, ast.Lambda):
            # Lambdas see the names of where they stand.
            if not isinstance(function.body, ast.Call):
                return [], True
            function = _called(context, function.body, scope.child(function)).func
        members = members_of(_type(context, function, scope))
        if not all(isinstance(each, FunctionType) for each in members):
            return [], False
        found += [each.function for each in members if isinstance(each, FunctionType)]
        is_known = True
    return found, is_known


def _called(context: TreeContext, call: ast.Call, scope: Scope) -> ast.Call:
    """The call inside `ensureDeferred(self.poll())`, and any other call itself."""
    match call.args:
        case [ast.Call() as inner, *_] if context.file.roles(call.func, scope) & _DRIVING:
            return inner
    return call


def _type(context: TreeContext, node: ast.expr, scope: Scope) -> Type:
    """The type of an expression; of `self.f` in facts of a class, which say nothing of `self`."""
    match node:
        case ast.Attribute(ast.Name("self"), name) if scope.is_class_body and scope.owner:
            return context.resolver.classes.member(Instance(scope.owner), name) or UNKNOWN
    return context.resolver.type_of(node, scope)


def _made(context: TreeContext, loop: ast.expr) -> list[tuple[ast.Call, Scope]]:
    """The calls that may have made a loop, each with the scope that it is read in."""
    scope = context.scopes[loop]
    match loop:
        case ast.Call():
            return [(loop, scope)]
        case ast.Name(name):
            values = [each.value for each in scope.reaching_name(loop)]
            return [(each, scope) for each in values if isinstance(each, ast.Call)]
        case ast.Attribute(receiver, name):
            here = _set_here(context, loop)
            return [(value, scope) for value in here] or [
                (value, Scope(member.cls.module, owner=member.cls))
                for member in members_of(context.type_of(receiver))
                if isinstance(member, Instance)
                for ancestor, _ in context.resolver.classes.ancestors(member.cls)
                for item in ancestor.facts.variables.get(name, ())
                if isinstance(value := parse_expression(item.value), ast.Call)
            ]
    return []


def _set_here(context: TreeContext, place: ast.Attribute) -> list[ast.Call]:
    """What the function itself puts there: `self.state.loop = LoopingCall(f)`."""
    function = context.function_of(place)
    if not isinstance(function, FunctionNode):
        return []
    text = ast.unparse(place)
    return [
        node.value
        for node in body_nodes(function, ast.Assign)
        if isinstance(node.value, ast.Call)
        and any(ast.unparse(target) == text for target in node.targets)
    ]


def _may_fail(context: TreeContext, function: Function) -> bool:
    """Whether anything in a function can raise out of it."""
    node = function.source_tree()
    if node is None:
        return False
    errors = RaisedErrors(context.resolver, Scope.of_body(function, node))
    if any(isinstance(each, ast.Expr) and _is_ellipsis(each.value) for each in node.body):
        return True  # Its overrides may.
    body = [each for each in node.body if not _is_harmless(each)]
    if len(body) == 1 and (attempt := as_try(body[0])) is not None:
        return not any(map(errors.takes_all, attempt.handlers))
    return any(isinstance(each, ast.Call | ast.Raise | ast.Subscript) for each in own_nodes(body))


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _is_harmless(statement: ast.stmt) -> bool:
    """A docstring, `pass`, `return None`: nothing to fail."""
    match statement:
        case ast.Pass() | ast.Import() | ast.ImportFrom() | ast.Global():
            return True
        case ast.Expr(ast.Constant()) | ast.Return(None | ast.Constant()):
            return True
    return False


def screen(unit: Unit) -> bool:
    """Whether the unit starts or stops something, in a file that has loops."""
    is_used = ".start(" in unit.text or ".stop(" in unit.text
    return is_used and unit.file.source.mentions("LoopingCall")


RULE = Rule(
    code="LCX504",
    fixes="none",
    screen=screen,
    check=check,
    applies=Applies.TWISTED,
)
