"""What a decorator makes of a function, inferred from the wrapper that it returns.

    def logged(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper

Nothing is annotated here, and yet `@logged async def send()` gives a coroutine. So the body of the
decorator is read with its parameter standing for the decorated function: what it returns is the
function itself, a wrapper whose own body is read in turn, an object that is called, or one of
several, of which `iscoroutinefunction(function)` may choose.

A decorator whose source is not at hand most likely gives a function of the same kind: routes,
retries, caches and registrations do. So does one whose wrapper lets an object run the function,
a lock or a retrier of which nothing is known. Only *likely* is what is so known.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.vocabulary import Role
from logctx_lint.incremental.memo import Store
from logctx_lint.inference import annotation_types
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import enclosing_scope, signature_scope
from logctx_lint.inference.definitions import Variable
from logctx_lint.inference.known_names import (
    FUNCTION_TESTS,
    MAKE_OBJECTS,
    RUNNERS,
    names_manager_maker,
)
from logctx_lint.inference.passed_arguments import filled
from logctx_lint.inference.types import (
    UNKNOWN,
    CallableType,
    Certainty,
    ClassObject,
    External,
    ExternalInstance,
    FunctionType,
    Instance,
    Presumed,
    Type,
    members_of,
    union_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.awaitable_names import INLINE_CALLBACKS
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import child_blocks, is_name

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver

_GIVE_FIRST_ARGUMENT = frozenset({"functools.update_wrapper"})
_WRAPS = "functools.wraps"
_DEFER = "twisted.internet.defer"
_Decide = Callable[[ast.expr], "bool | None"]
"""How a test comes out, if that is known."""


class Decorators:
    """Answers what decorators give; part of the resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._applied: Store[Type] = {}

    def named_by(self, node: ast.expr, scope: Scope, *, is_believed: bool = True) -> Type:
        """What an expression behind the `@` gives: the decorator itself, that of `make(...)`.

        `is_believed`: whether the annotation of such a maker counts, where it has one.
        """
        if isinstance(node, ast.Call):
            maker = self._maker(self._resolver.type_of(node.func, scope))
            tree = maker.source_tree() if maker else None
            if maker and tree and not (is_believed and maker.facts.returns):
                inside = Scope.of_body(maker, tree)
                left = _left_out(maker, node)
                made = [
                    binding.function
                    for value in _returned(tree.body, lambda test: _is_given(test, left, False))
                    for each in _arms(value, lambda test: _is_given(test, left, False))
                    if isinstance(each, ast.Name)
                    for binding in inside.bindings.get(each.id, ())
                    if binding.function
                ]
                if len(made) == 1:
                    return FunctionType(made[0])
        return self._resolver.type_of(node, scope)

    def applied(self, decorator: Type, stage: Type, function: Function, *, is_bare: bool) -> Type:
        """What `decorator` makes of `stage`, inferred from source; UNKNOWN if that says nothing.

        `stage` is `function` after its inner decorators; `is_bare` if there are none.
        """
        maker = self._maker(decorator)
        if maker is None or maker.module.is_stub:
            return UNKNOWN
        kind = _kind_of(function) if is_bare else ""
        return self._resolver.memo.get(
            self._applied, (maker, stage, kind), lambda: self._apply(maker, stage, kind), UNKNOWN
        )

    def constructed(self, decorator: Type, stage: Type) -> Type:
        """What an object of a class that decorates `stage` gives when it is called."""
        if not isinstance(decorator, ClassObject) or decorator.cls.module.is_stub:
            return UNKNOWN
        called = decorator.cls.function("__call__")
        init = decorator.cls.function("__init__")
        parameters = init[-1].facts.parameters[1:] if init else []
        if not called or not parameters:
            return UNKNOWN
        kept = {
            f"{called[-1].facts.parameters[0].name}.{name}": stage
            for name, variables in decorator.cls.facts.variables.items()
            if called[-1].facts.parameters
            and any(each.value == parameters[0].name for each in variables)
        }
        if not kept:
            return UNKNOWN
        return self._resolver.memo.get(
            self._applied,
            (called[-1], stage, "kept"),
            lambda: self._result(called[-1], "", "", kept),
            UNKNOWN,
        )

    def presumed(self, decorator: str, stage: Type, function: Function) -> Type:
        """What a decorator that is not known makes of a function that gives an awaitable."""
        given = self._resolver.call_type(stage)
        if not self._resolver.awaitability(given).is_likely or names_manager_maker(decorator):
            return UNKNOWN
        if self._makes_object(parse_expression(decorator), enclosing_scope(function)):
            return UNKNOWN
        if isinstance(given, Presumed):
            return CallableType(given)
        return CallableType(Presumed(given, (function,), by_decorator=True))

    def run_by_object(self, decorator: Type, stage: Type, function: Function) -> Type:
        """What a function gives whose wrapper hands it to an object of which nothing is known.

        `return self.lock.run(function, *args)`: very likely what the function itself gives.
        """
        maker = self._maker(decorator)
        tree = maker.source_tree() if maker else None
        if maker is None or tree is None or not maker.facts.parameters:
            return UNKNOWN
        given = self._resolver.call_type(stage)
        wrappers = self._wrappers_of(maker, tree)
        name = maker.facts.parameters[0].name
        if (
            wrappers
            and self._resolver.awaitability(given).is_certain
            and all(_lets_run(each, name) for each in wrappers)
        ):
            return CallableType(Presumed(given, (function,), by_decorator=True))
        return UNKNOWN

    def inline_callbacks(self, decorator: str, function: Function) -> Type | None:
        """The decorator itself, if it goes by the name of Twisted's and stands on a generator."""
        name = decorator.partition("(")[0].rpartition(".")[2]
        if name not in INLINE_CALLBACKS or not function.facts.is_generator:
            return None
        module = self._resolver.modules.find(_DEFER, function.module.root)
        found = module and self._resolver.definitions.member(module, "inlineCallbacks")
        return self._resolver.value_of(found[0]) if found else None

    def wrappers(self, function: Function) -> list[Function]:
        """The functions that run when a decorated function is called, as far as they are known."""
        for text in function.facts.decorators:
            node = parse_expression(text)
            decorator = self.named_by(node, enclosing_scope(function)) if node else UNKNOWN
            maker = self._maker(decorator)
            tree = maker.source_tree() if maker else None
            return [] if maker is None or tree is None else self._wrappers_of(maker, tree)
        return []

    def _wrappers_of(self, maker: Function, tree: FunctionNode) -> list[Function]:
        """The functions inside a decorator that it returns."""
        scope = Scope.of_body(maker, tree)
        return [
            binding.function
            for value in _returned(tree.body, lambda _: None)
            if isinstance(value, ast.Name)
            for binding in scope.bindings.get(value.id, ())
            if binding.function
        ]

    def _makes_object(self, node: ast.expr | None, scope: Scope) -> bool:
        """Whether a decorator comes from a library whose decorators make something else."""
        names: list[str] = []
        for _ in range(5):
            if isinstance(node, ast.Call):
                node = node.func
            if node is None:
                break
            names += self._resolver.names(node, scope)
            root = node
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Call):
                node = root
                continue
            definition, found = self._resolver.define(root, scope)
            names += found
            if not isinstance(definition, Variable) or len(definition.facts) != 1:
                break
            # `app = Typer()`: what made the object says whose it is.
            node, scope = parse_expression(definition.facts[0].value), Scope(definition.module)
        return any(name.startswith(MAKE_OBJECTS) for name in names)

    def _maker(self, decorator: Type) -> Function | None:
        """The function that a decorator is, or whose call it is."""
        if isinstance(decorator, Instance):
            method = self._resolver.classes.member(decorator, "__call__")
            decorator = method if method is not None else UNKNOWN
        if not isinstance(decorator, FunctionType):
            return None
        function = decorator.function.implementation
        # What its own decorators make of a decorator is another question.
        return None if function.facts.decorators or function.facts.is_async else function

    def _apply(self, maker: Function, stage: Type, kind: str) -> Type:
        parameters = maker.facts.parameters
        first = 1 if self._resolver.bindings.first_parameter(maker) else 0
        tree = maker.tree()
        if tree is None or len(parameters) <= first or parameters[first].kind == "**":
            return UNKNOWN
        name = parameters[first].name
        scope = Scope.of_body(maker, tree)
        scope.given = {name: stage}
        results = [
            self._value(value, scope, stage, name, kind)
            for value in _returned(tree.body, lambda test: self._decide(test, scope, name, kind))
        ]
        return _all_known(results)

    def _value(self, value: ast.expr, scope: Scope, stage: Type, name: str, kind: str) -> Type:
        """What one `return` of a decorator gives."""
        match value:
            case ast.Name(found) if found == name:
                return stage
            case ast.Name():
                return self._local(value, scope, stage, name, kind)
            case ast.IfExp():
                arms = _arms(value, lambda test: self._decide(test, scope, name, kind))
                return _all_known([self._value(arm, scope, stage, name, kind) for arm in arms])
            case ast.Call(func, [ast.Name() as inner, *_]) if self._hands_through(func, scope):
                return self._value(inner, scope, stage, name, kind)
            case ast.Call(func, [_, ast.Name() as inner]) if self._casts(func, scope):
                return self._value(inner, scope, stage, name, kind)
            case ast.Call(func, [ast.Name(found)], []) if found == name:
                made = self._made_by(self._resolver.type_of(func, scope), stage, kind)
                if made is not None:
                    return made
        return self._resolver.type_of(value, scope)

    def _local(self, value: ast.Name, scope: Scope, stage: Type, name: str, kind: str) -> Type:
        """What a local name of a decorator is that it returns: a wrapper, or a value."""
        values = []
        for binding in scope.reaching_name(value):
            if binding.function:
                values.append(self._wrapper(binding.function, name, kind))
            elif binding.kind == "value" and binding.value and not binding.path:
                values.append(self._value(binding.value, scope, stage, name, kind))
            else:
                return UNKNOWN
        return _all_known(values)

    def _made_by(self, callee: Type, stage: Type, kind: str) -> Type | None:
        """What another decorator or class makes of the function; None if it is neither."""
        made = self.constructed(callee, stage)
        if made != UNKNOWN:
            return CallableType(made)
        maker = self._maker(callee)
        if maker is None or maker.module.is_stub:
            return None
        return self._resolver.memo.get(
            self._applied,
            (maker, stage, kind),
            lambda: self._apply(maker, stage, kind),
            UNKNOWN,
        )

    def _hands_through(self, func: ast.expr, scope: Scope) -> bool:
        """Whether a call gives its first argument: `update_wrapper(w, f)`, `wraps(f)(w)`."""
        if isinstance(func, ast.Call):
            return _WRAPS in self._resolver.names(func.func, scope)
        return not _GIVE_FIRST_ARGUMENT.isdisjoint(self._resolver.names(func, scope))

    def _casts(self, func: ast.expr, scope: Scope) -> bool:
        names = self._resolver.names(func, scope)
        return annotation_types.special_form(names) == "cast"

    def _wrapper(self, wrapper: Function, name: str, kind: str) -> Type:
        """What a function inside the decorator is, after its own decorators."""
        result = self._result(wrapper, name, kind)
        if result == UNKNOWN:
            return UNKNOWN
        current: Type = CallableType(result)
        scope = enclosing_scope(wrapper)
        for text in reversed(wrapper.facts.decorators):
            if _WRAPS in self._resolver.names_of_text(text, scope):
                continue
            node = parse_expression(text)
            decorator = self.inline_callbacks(text, wrapper) or (
                self._resolver.type_of(node, scope) if node else UNKNOWN
            )
            applied = self._resolver.call_with(decorator, current)
            # One that is not known most likely leaves the function as it is.
            current = current if is_external(applied) else applied
        return current

    def _result(
        self, wrapper: Function, name: str, kind: str, kept: dict[str, Type] | None = None
    ) -> Type:
        """What a call of the wrapper gives."""
        node, facts = wrapper.tree(), wrapper.facts
        if node is None:
            return UNKNOWN
        declared = annotation_types.evaluate(
            self._resolver, parse_expression(facts.returns), signature_scope(wrapper)
        )
        scope = Scope.of_body(wrapper, node)
        if kept:
            scope.given = kept
        given = declared
        is_open = self._resolver.awaitability(declared).certainty is Certainty.SOME
        if declared == UNKNOWN or is_open:
            # What may be either, the function tells.
            inferred = _all_known(
                [
                    self._resolver.type_of(value, scope)
                    for value in _returned(
                        node.body, lambda test: self._decide(test, scope, name, kind)
                    )
                ]
            )
            given = declared if inferred == UNKNOWN else inferred
        if facts.is_generator:
            base = "AsyncGenerator" if facts.is_async else "Generator"
            if declared != UNKNOWN:
                return declared
            return self._resolver.typed(base, UNKNOWN, UNKNOWN, given)
        if facts.is_async:
            return self._resolver.typed("Coroutine", UNKNOWN, UNKNOWN, given)
        return given

    def _decide(self, test: ast.expr, scope: Scope, name: str, kind: str) -> bool | None:
        """How a test of the decorated function's kind comes out; None if it is no such test."""
        match test:
            case ast.UnaryOp(ast.Not(), operand):
                truth = self._decide(operand, scope, name, kind)
                return None if truth is None else not truth
            case ast.Call(func, [ast.Name(asked)]) if kind and asked == name:
                wanted = [
                    FUNCTION_TESTS[each]
                    for each in self._resolver.names(func, scope)
                    if each in FUNCTION_TESTS
                ]
                return wanted[0] == kind if wanted else None
        return _is_given(test, {name}, True)


def decorator_roles(
    resolver: Resolver, vocabulary: Vocabulary, function: Function
) -> frozenset[Role]:
    """The roles of a function's decorators."""
    scope = enclosing_scope(function)
    return frozenset(
        role
        for text in function.facts.decorators
        for role in vocabulary.roles(resolver.names_of_text(text, scope))
    )


def is_external(type_: Type) -> bool:
    """Whether something stands outside all known code."""
    return isinstance(type_, External | ExternalInstance)


def _lets_run(wrapper: Function, name: str) -> bool:
    """Whether all that a wrapper gives is what an object gives that runs the function `name`."""
    tree, facts = wrapper.tree(), wrapper.facts
    if tree is None or facts.is_async or facts.is_generator or facts.returns:
        return False
    returned = list(_returned(tree.body, lambda _: None))
    return bool(returned) and all(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr in RUNNERS
        and any(is_name(given, name) for given in each.args)
        for each in returned
    )


def _kind_of(function: Function) -> str:
    facts = function.facts
    if facts.is_generator:
        return "asynchronous generator" if facts.is_async else "generator"
    return "coroutine" if facts.is_async else "plain"


def _left_out(function: Function, call: ast.Call) -> set[str]:
    """The parameters, with None as default, that a call says nothing of."""
    given = filled(call, function.facts.parameters)
    return {
        each.name
        for each in function.facts.parameters
        if each.default == "None" and each.name not in given
    }


def _is_given(test: ast.expr, names: set[str], truth: bool) -> bool | None:
    """How a test comes out for names that are all true, or all None; None for other tests."""
    match test:
        case ast.UnaryOp(ast.Not(), operand):
            inner = _is_given(operand, names, truth)
            return None if inner is None else not inner
        case ast.Name(name) | ast.Call(ast.Name("callable"), [ast.Name(name)]) if name in names:
            return truth
        case ast.Compare(ast.Name(name), [ast.Is()], [ast.Constant(None)]) if name in names:
            return not truth
        case ast.Compare(ast.Name(name), [ast.IsNot()], [ast.Constant(None)]) if name in names:
            return truth
    return None


def _arms(value: ast.expr, decide: _Decide) -> list[ast.expr]:
    """The expressions that a conditional expression may give, going by the tests that are known."""
    if not isinstance(value, ast.IfExp):
        return [value]
    truth = decide(value.test)
    taken = [value.body, value.orelse] if truth is None else [value.body if truth else value.orelse]
    return [arm for each in taken for arm in _arms(each, decide)]


def _returned(body: list[ast.stmt], decide: _Decide) -> Iterator[ast.expr]:
    """What the `return` statements give that can be reached, going by the tests that are known."""
    for statement in body:
        match statement:
            case ast.Return(value):
                if value is not None:
                    yield value
                return
            case ast.If(test, then, orelse):
                truth = decide(test)
                if truth is None:
                    yield from _returned(then, decide)
                    yield from _returned(orelse, decide)
                    continue
                taken = then if truth else orelse
                yield from _returned(taken, decide)
                if taken and isinstance(taken[-1], ast.Return | ast.Raise):
                    return
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                continue
            case _:
                for block in child_blocks(statement):
                    yield from _returned(block, decide)


def _all_known(types: list[Type]) -> Type:
    """The union; UNKNOWN if one of several is not known, or there is none."""
    members = [member for each in types for member in members_of(each)]
    return UNKNOWN if UNKNOWN in members else union_of(members)
