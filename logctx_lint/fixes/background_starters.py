"""Fixes that start work in the background: by another starter, or as a background process."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from logctx_lint.analysis.callback_arguments import Taken, is_partial, target
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.units import File
from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Edit, Fix
from logctx_lint.fixes.edits import Helper, after, before, helper, passed_on, wrapped
from logctx_lint.inference import annotation_types
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import enclosing_scope, signature_scope
from logctx_lint.inference.types import (
    UNKNOWN,
    CallableType,
    FunctionType,
    Instance,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes

_PROCESSES = frozenset({Role.BACKGROUND_PROCESS})
_BUILT_IN = Vocabulary({})


def started_instead(
    context: TreeContext,
    taker: ast.Call,
    taken: Taken,
    starter: str,
    first: str = "",
    *,
    as_coroutine: bool = False,
) -> tuple[Edit, ...] | None:
    """Hand over `starter`, so that it starts the function with the same arguments."""
    function = taken.node
    if as_coroutine:
        return _coroutine_started(context, taker, function, starter)
    match function:
        case ast.Lambda(body=ast.Call() as call):
            return passed_on(context, call, starter, first)
        case ast.Call(args=[inner, *_]) if is_partial(context, function):
            return argument_before(context, inner, f"{starter}, {first}")
    if taken.passes_arguments and Role.CHAINER not in context.roles(taker):
        return (before(context, function, f"{starter}, {first}"),)
    if not _is_dotted(function):
        return None
    return (
        before(context, function, f"lambda *args: {starter}({first}"),
        after(context, function, ", *args)"),
    )


def _coroutine_started(
    context: TreeContext, taker: ast.Call, function: ast.expr, starter: str
) -> tuple[Edit, ...] | None:
    """`lambda *args: start(f(*args))`, for a starter that takes the coroutine."""
    if isinstance(function, ast.Lambda):
        return wrapped(context, function.body, starter)
    if not _is_dotted(function) or taker.keywords:
        return None
    return (
        before(context, function, f"lambda *args: {starter}("),
        after(context, function, "(*args))"),
    )


def argument_before(context: TreeContext, argument: ast.expr, text: str) -> tuple[Edit, ...] | None:
    """Arguments in front of another one."""
    return None if context.is_parenthesized(argument) else (before(context, argument, text),)


def _is_dotted(node: ast.expr) -> bool:
    """A name, which means the same when the callback runs."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


@dataclass(frozen=True, slots=True)
class Process:
    """How to start a function as a background process here."""

    starter: Helper
    first: str | None
    """The arguments before the function, each with its comma; None where they are not known."""


def process(context: TreeContext, function: ast.expr) -> Process | None:
    """The project's way to start a function as a background process."""
    starter = helper(
        context,
        Role.BACKGROUND_PROCESS,
        # Not the decorator.
        lambda name: Role.SAFE_DECORATOR not in _BUILT_IN.roles([name]),
    )
    if starter is None:
        return None
    is_runtime_s = context.file.vocabulary.runtime_of(starter.name) is not None
    if is_runtime_s and ".tasks." not in starter.name and not context.file.traits.uses_twisted:
        return None
    return Process(starter, _first_arguments(context, starter.name, function))


def process_fix(starter: Helper, edits: tuple[Edit, ...] | None) -> tuple[Fix, ...]:
    """The fix that starts work as a background process, by some edits."""
    if edits is None:
        return ()
    title = f"Start it with {starter.text}()"
    return (Fix(title, Applicability.UNSAFE, (*edits, *starter.imports)),)


def _first_arguments(context: TreeContext, starter: str, function: ast.expr) -> str | None:
    """A name for the process, and what else this file has for a parameter before the function."""
    label = _label(target(context, function))
    parameters = _before_function(context.file, starter)
    if label is None or not parameters:
        return None
    texts = [f'"{label}", ']
    for name in parameters[1:]:
        if not _has_attribute(context, name):
            return None
        texts.append(f"self.{name}, ")
    return "".join(texts)


def _label(function: ast.expr) -> str | None:
    match function:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name.lstrip("_")
    return None


def _before_function(file: File, starter: str) -> list[str]:
    """The names of the parameters in front of the function that a starter takes."""
    home, _, attribute = starter.rpartition(".")
    module = file.resolver.modules.find(home, file.module.root)
    found = module and file.resolver.definitions.member(module, attribute)
    type_ = file.resolver.value_of(found[0]) if found else UNKNOWN
    for member in members_of(type_):
        if isinstance(member, FunctionType):
            facts = member.function.facts
            for index, parameter in enumerate(facts.parameters):
                declared = annotation_types.evaluate(
                    file.resolver,
                    parse_expression(parameter.annotation),
                    signature_scope(member.function),
                )
                following = facts.parameters[index + 1 :][:1]
                if any(isinstance(each, CallableType) for each in members_of(declared)) or (
                    not parameter.annotation and any(each.kind == "*" for each in following)
                ):
                    return [each.name for each in facts.parameters[:index]]
    return []


def _has_attribute(context: TreeContext, name: str) -> bool:
    owner = context.unit.scope.enclosing_class
    resolver = context.resolver
    return owner is not None and resolver.classes.member(Instance(owner), name) is not None


def is_process(file: File, scope: Scope) -> bool:
    """Whether code runs in a function that is only started as a background process."""
    inner: Scope | None = scope
    while inner:
        if inner.function and (
            _decorated(file, inner.function) or _only_started(file, inner.function.name)
        ):
            return True
        inner = inner.parent
    return False


def _decorated(file: File, function: Function) -> bool:
    scope = enclosing_scope(function)
    return any(
        Role.BACKGROUND_PROCESS in file.vocabulary.roles(file.resolver.names_of_text(text, scope))
        for text in function.facts.decorators
    )


def _only_started(file: File, name: str) -> bool:
    """Whether every mention of a name in the file hands it to a background process."""
    mentions: set[ast.AST] = set()
    started: set[ast.AST] = set()
    for node in all_nodes(file.tree):
        match node:
            case ast.Name(found) | ast.Attribute(attr=found) if found == name:
                mentions.add(node)
            case ast.Call(func, args) if file.may_play(func, _PROCESSES):
                started.update(args)
    return bool(mentions) and mentions <= started
