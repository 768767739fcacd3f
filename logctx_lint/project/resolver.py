"""What an expression is: names, attributes, calls and operators, over the project's facts.

Answers depend on the text of the project alone, never on what was asked before.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable

from logctx_lint.project import annotations, calls
from logctx_lint.project.annotations import parse_expression, special_form
from logctx_lint.project.classes import Classes, enclosing_scope, signature_scope
from logctx_lint.project.definitions import (
    NOT_FOUND,
    Definition,
    Definitions,
    Found,
    Variable,
    function_type,
)
from logctx_lint.project.facts import own_nodes
from logctx_lint.project.memo import Memo
from logctx_lint.project.modules import STUBS, Class, Function, Module, Modules
from logctx_lint.project.scopes import Binding, Comprehension, Position, Scope
from logctx_lint.project.types import (
    NONE,
    UNKNOWN,
    Awaitability,
    CallableType,
    Certainty,
    ClassObject,
    External,
    ExternalInstance,
    FunctionType,
    Instance,
    Kind,
    ModuleType,
    TupleType,
    Type,
    TypeVariable,
    UnionType,
    Unknown,
    erase,
    members_of,
    substitute,
    type_variables,
    union_of,
    without_none,
)

_KINDS = (
    (frozenset({"typing.Coroutine", "types.CoroutineType"}), Kind.COROUTINE),
    (frozenset({"twisted.internet.defer.Deferred"}), Kind.DEFERRED),
    (frozenset({"asyncio.tasks.Task"}), Kind.TASK),
    (frozenset({"asyncio.futures.Future"}), Kind.FUTURE),
)
_RETURN_VALUE = frozenset({"twisted.internet.defer.returnValue"})
_BODIES_KEPT = 32
"""Function trees kept at a time: enough for neighbours, too few to cost memory."""


class Resolver:
    """Infers types. One for each project; it keeps answers about facts, never trees."""

    def __init__(self, modules: Modules) -> None:
        self.modules = modules
        self.memo = Memo()
        self.definitions = Definitions(modules)
        self.classes = Classes(self)
        self._decorated: dict[Hashable, Type] = {}
        self._results: dict[Hashable, Type] = {}
        self._variables: dict[Hashable, Type] = {}
        self._aliases: dict[Hashable, Type] = {}
        self._bodies: dict[Function, Scope] = {}
        self._builtins = modules.find("builtins", STUBS)
        self._typing = modules.find("typing", STUBS)

    # Names

    def define(self, node: ast.expr, scope: Scope) -> Found:
        """What a (dotted) name was bound to, and its qualified names on the way there."""
        if isinstance(node, ast.Name):
            return self._define_name(node.id, scope, _position(node, scope))
        if isinstance(node, ast.Attribute):
            value, names = self.define(node.value, scope)
            if isinstance(value, ModuleType):
                found = self.definitions.member(value.module, node.attr)
                if found:
                    return found
            if isinstance(value, ModuleType | External):
                full = tuple(f"{name}.{node.attr}" for name in names)
                return External(full[0] if full else node.attr), full
            if isinstance(value, ClassObject):
                member = self.classes.member(value, node.attr)
                full = tuple(f"{name}.{node.attr}" for name in self.classes.names(value.cls))
                return (UNKNOWN if member is None else member), full
        return NOT_FOUND

    def _define_name(self, name: str, scope: Scope, position: Position | None) -> Found:
        inner: Scope | None = scope
        while inner:
            if not inner.is_signature:
                found = self._in_scope(name, inner, position)
                if found:
                    return found
            if not isinstance(inner.node, Comprehension):
                # A function sees what its surroundings bind at any time.
                position = None
            inner = inner.parent
        return self._global(name, scope) or self._late_local(name, scope) or NOT_FOUND

    def _global(self, name: str, scope: Scope) -> Found | None:
        found = self.definitions.member(scope.module, name)
        if found is None and self._builtins:
            found = self.definitions.member(self._builtins, name)
        return found

    def _in_scope(self, name: str, scope: Scope, position: Position | None) -> Found | None:
        if scope.is_class_body:
            return self._in_class_body(name, scope)
        if scope.function and scope.node is None:
            # Read from facts: the parameters are at hand, the rest would need the tree.
            return self._facts_parameter(name, scope, scope.function)
        bindings = (
            scope.reaching(name, position) if position else list(scope.bindings.get(name, ()))
        )
        return self._define_bindings(bindings, scope) if bindings else None

    def _define_bindings(self, bindings: list[Binding], scope: Scope) -> Found:
        if len(bindings) == 1:
            return self._define_binding(bindings[0], scope)
        return union_of(self._type_of_binding(binding, scope) for binding in bindings), ()

    def _late_local(self, name: str, scope: Scope) -> Found | None:
        """A local of a function known from facts; last, because it costs a parse."""
        inner: Scope | None = scope
        while inner:
            if inner.function and inner.node is None and not inner.is_signature:
                bindings = inner.bindings.get(name)
                if bindings:
                    return self._define_bindings(bindings, inner)
            inner = inner.parent
        return None

    def _facts_parameter(self, name: str, scope: Scope, function: Function) -> Found | None:
        for index, parameter in enumerate(function.facts.parameters):
            if parameter.name == name:
                found = self._parameter_type(
                    function,
                    parse_expression(parameter.annotation),
                    parse_expression(parameter.default),
                    "self" if index == 0 and function.owner else parameter.kind,
                    scope,
                )
                return found, ()
        return None

    def _in_class_body(self, name: str, scope: Scope) -> Found | None:
        owner = scope.owner
        if owner is None:
            return None
        full_name = f"{owner.qualified_name}.{name}"
        inner = owner.facts.classes.get(name)
        if inner:
            return ClassObject(Class(owner.module, full_name, inner.line, inner, owner.scope)), (
                full_name,
            )
        functions = owner.function(name)
        if functions:
            return function_type(functions), (full_name,)
        if any(not item.method for item in owner.facts.variables.get(name, ())):
            return self.classes.member(ClassObject(owner), name) or UNKNOWN, (full_name,)
        return None

    def _define_binding(self, binding: Binding, scope: Scope) -> Found:
        if binding.imported:
            return self.definitions.imported(scope.module, binding.imported)
        if binding.function:
            return FunctionType(binding.function), (binding.function.qualified_name,)
        if binding.cls:
            return ClassObject(binding.cls), (binding.cls.qualified_name,)
        if (
            binding.kind == "value"
            and not binding.path
            and isinstance(binding.value, ast.Name | ast.Attribute)
        ):
            # `sleep = clock.sleep`: a local alias keeps its qualified names.
            return self._type_of_binding(binding, scope), self.names(binding.value, scope)
        return self._type_of_binding(binding, scope), ()

    def names(self, node: ast.expr, scope: Scope) -> tuple[str, ...]:
        """Every qualified name under which the thing that `node` names is known."""
        definition, names = self.define(node, scope)
        if names or not isinstance(node, ast.Attribute):
            return names
        return self._member_names(self.type_of(node.value, scope), node.attr)

    def _member_names(self, receiver: Type, name: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for member in members_of(receiver):
            if isinstance(member, Instance | ClassObject):
                for class_name in self.classes.names(member.cls):
                    found[f"{class_name}.{name}"] = None
            elif isinstance(member, ExternalInstance | External):
                found[f"{member.name}.{name}"] = None
            elif isinstance(member, ModuleType):
                item = self.definitions.member(member.module, name)
                found.update(dict.fromkeys(item[1] if item else ()))
        return tuple(found)

    def names_of_text(self, text: str, scope: Scope) -> tuple[str, ...]:
        """The names of an expression in facts; of the callee, where it is a call."""
        node = parse_expression(text)
        if isinstance(node, ast.Call):
            node = node.func
        return self.names(node, scope) if node else ()

    # Expressions

    def type_of(self, node: ast.expr, scope: Scope) -> Type:
        """What the value of an expression can be."""
        match node:
            case ast.Name():
                return self._value(self.define(node, scope)[0])
            case ast.Attribute(value, name):
                return self._attribute(node, value, name, scope)
            case ast.Call():
                return calls.result(self, node, scope)
            case ast.Await(value):
                return self.awaited(self.type_of(value, scope))
            case ast.Yield(value) if value is not None:
                # Only `@inlineCallbacks` gives anything back here that is of interest.
                return self.awaited(self.type_of(value, scope))
            case ast.Subscript(value, index):
                return self._subscript(self.type_of(value, scope), index, scope)
            case ast.IfExp(_, body, orelse):
                return union_of([self.type_of(body, scope), self.type_of(orelse, scope)])
            case ast.BoolOp(ast.Or(), values):
                # Whatever is passed over was false, so it was not None only if it is last.
                types = [self.type_of(value, scope) for value in values]
                return union_of([*map(without_none, types[:-1]), types[-1]])
            case ast.BoolOp(_, values):
                return union_of(
                    [*([NONE] if len(values) > 1 else []), self.type_of(values[-1], scope)]
                )
            case ast.NamedExpr(_, value):
                return self.type_of(value, scope)
            case ast.Constant(value):
                return NONE if value is None else self.builtin(type(value).__name__)
            case ast.JoinedStr():
                return self.builtin("str")
            case ast.Compare() | ast.UnaryOp(ast.Not(), _):
                return self.builtin("bool")
            case ast.Tuple(elements):
                if any(isinstance(element, ast.Starred) for element in elements):
                    return self.builtin("tuple")
                return TupleType(tuple(self.type_of(element, scope) for element in elements))
            case ast.List(elements) | ast.Set(elements):
                return self.builtin(
                    type(node).__name__.lower(),
                    union_of(self.type_of(element, scope) for element in elements[:8]),
                )
            case ast.Dict(keys, values):
                return self.builtin(
                    "dict",
                    union_of(self.type_of(key, scope) for key in keys[:1] if key),
                    union_of(self.type_of(value, scope) for value in values[:8]),
                )
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self._comprehension(node, scope)
            case ast.Lambda(_, body):
                return CallableType(self.type_of(body, scope.child(node)))
            case ast.BinOp(left, ast.Add() | ast.Mod() | ast.BitOr(), _):
                left_type = self.type_of(left, scope)
                return left_type if _is_plain(left_type) else UNKNOWN
        return UNKNOWN

    def _comprehension(self, node: Comprehension, scope: Scope) -> Type:
        inner = scope.child(node)
        if isinstance(node, ast.DictComp):
            return self.builtin(
                "dict", self.type_of(node.key, inner), self.type_of(node.value, inner)
            )
        element = self.type_of(node.elt, inner)
        if isinstance(node, ast.GeneratorExp):
            return self._typed("Iterator", element)
        return self.builtin("list" if isinstance(node, ast.ListComp) else "set", element)

    def _attribute(self, node: ast.Attribute, value: ast.expr, name: str, scope: Scope) -> Type:
        definition, names = self.define(node, scope)
        if names:
            return self._value(definition)
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            method = scope.method
            if value.func.id == "super" and method and method.owner:
                receiver = self.self_type(scope) or UNKNOWN
                if isinstance(receiver, Instance | ClassObject):
                    return self.classes.member(receiver, name, skip=1) or UNKNOWN
        return self.member(self.type_of(value, scope), name)

    def member(self, receiver: Type, name: str) -> Type:
        """The type of an attribute of `receiver`."""
        match receiver:
            case UnionType(members):
                return union_of(self.member(member, name) for member in members if member != NONE)
            case Instance(cls) | ClassObject(cls):
                found = self.classes.member(receiver, name)
                if found is not None:
                    return found
                unknown = next((base for base in self.classes.unknown_bases(cls) if base), None)
                return External(f"{unknown}.{name}") if unknown else UNKNOWN
            case ModuleType(module):
                found_ = self.definitions.member(module, name)
                return self._value(found_[0]) if found_ else External(f"{module.name}.{name}")
            case External(outer) | ExternalInstance(outer):
                return External(f"{outer}.{name}")
            case TypeVariable(_, bound):
                return self.member(bound, name) if bound != UNKNOWN else UNKNOWN
            case TupleType(elements):
                return self.member(self.builtin("tuple", union_of(elements)), name)
        return UNKNOWN

    def _subscript(self, receiver: Type, index: ast.expr, scope: Scope) -> Type:
        match receiver:
            case UnionType(members):
                return union_of(
                    self._subscript(member, index, scope) for member in members if member != NONE
                )
            case TupleType(elements):
                match index:
                    case ast.Constant(int(position)) if -len(elements) <= position < len(elements):
                        return elements[position]
                    case ast.Slice():
                        return self.builtin("tuple", union_of(elements))
                return union_of(elements)
            case Instance():
                if isinstance(index, ast.Slice):
                    return receiver
                return self.call_type(self.member(receiver, "__getitem__"))
            case ClassObject(cls):
                items = index.elts if isinstance(index, ast.Tuple) else [index]
                return ClassObject(
                    cls, tuple(annotations.evaluate(self, item, scope) for item in items)
                )
        return UNKNOWN

    # Definitions

    def _value(self, definition: Definition) -> Type:
        if isinstance(definition, Variable):
            return self.memo.get(
                self._variables, definition, lambda: self._variable(definition), UNKNOWN
            )
        if isinstance(definition, FunctionType) and definition.receiver is None:
            return self.value_of_functions([definition.function])
        return definition

    def _variable(self, variable: Variable) -> Type:
        scope = Scope(variable.module)
        declared = [item.annotation for item in variable.facts if item.annotation]
        if declared and not any(text in ("Final", "TypeAlias") for text in declared):
            return union_of(
                annotations.evaluate(self, parse_expression(text), scope) for text in declared
            )
        types = []
        for item in variable.facts:
            node = parse_expression(item.value)
            types.append(UNKNOWN if node is None else self.type_of(node, scope))
        values = union_of(types)
        return UNKNOWN if values == NONE else values

    def alias(self, variable: Variable, arguments: tuple[Type, ...] = ()) -> Type:
        """What a module variable means in an annotation: an alias, TypeVar or NewType."""
        found = self.memo.get(self._aliases, variable, lambda: self._alias(variable), UNKNOWN)
        parameters = type_variables(found)
        return substitute(found, dict(zip(parameters, arguments, strict=False)))

    def _alias(self, variable: Variable) -> Type:
        scope = Scope(variable.module)
        types = []
        for item in variable.facts:
            node = parse_expression(item.value)
            if isinstance(node, ast.Call):
                types.append(self._type_from_call(variable, node, scope))
            elif node is not None:
                types.append(annotations.evaluate(self, node, scope))
        return union_of(types)

    def _type_from_call(self, variable: Variable, node: ast.Call, scope: Scope) -> Type:
        form = special_form(self.names(node.func, scope))
        if form in ("TypeVar", "ParamSpec", "TypeVarTuple"):
            bound: Type = UNKNOWN
            for keyword in node.keywords:
                if keyword.arg == "bound":
                    bound = annotations.evaluate(self, keyword.value, scope)
            return TypeVariable(f"{variable.module.name}.{variable.name}", bound)
        if form == "NewType" and len(node.args) == 2:
            return annotations.evaluate(self, node.args[1], scope)
        return UNKNOWN

    def base_from_call(self, text: str, scope: Scope) -> Type:
        """A base class that an expression computes, as `with_metaclass(M, Base)` does."""
        node = parse_expression(text)
        if node is None:
            return UNKNOWN
        found = self.type_of(node, scope)
        return Instance(found.cls, found.arguments) if isinstance(found, ClassObject) else UNKNOWN

    def _type_of_binding(self, binding: Binding, scope: Scope) -> Type:
        return self.memo.get(
            scope.types, binding, lambda: self._infer_binding(binding, scope), UNKNOWN
        )

    def _infer_binding(self, binding: Binding, scope: Scope) -> Type:
        found = self._unpacked_binding(binding, scope)
        for index in binding.path:
            found = self.element(found, index)
        return found

    def _unpacked_binding(self, binding: Binding, scope: Scope) -> Type:
        if binding.imported or binding.function or binding.cls:
            return self._value(self._define_binding(binding, scope)[0])
        value = binding.value
        # A comprehension's source, but not its own variables, belongs to the outer scope.
        outer = scope
        match binding.kind:
            case "parameter":
                return self._parameter_type(
                    scope.function, binding.annotation, value, binding.parameter, scope
                )
            case "annotation":
                return annotations.evaluate(self, value, scope)
            case "value" if value is not None:
                return self.type_of(value, scope)
            case "element" | "async element" if value is not None:
                if isinstance(scope.node, Comprehension) and scope.parent:
                    outer = scope.parent if value is scope.node.generators[0].iter else scope
                is_async = binding.kind == "async element"
                return self.iterated(self.type_of(value, outer), is_async=is_async)
            case "entered" | "async entered" if value is not None:
                is_async = binding.kind == "async entered"
                return self.entered(self.type_of(value, scope), is_async=is_async)
            case "except" if value is not None:
                caught = self.type_of(value, scope)
                options = caught.elements if isinstance(caught, TupleType) else (caught,)
                return union_of(
                    Instance(option.cls) if isinstance(option, ClassObject) else UNKNOWN
                    for option in options
                )
        return UNKNOWN

    def _parameter_type(
        self,
        function: Function | None,
        annotation: ast.expr | None,
        default: ast.expr | None,
        kind: str,
        scope: Scope,
    ) -> Type:
        if annotation is not None:
            where = signature_scope(function) if function else scope
            found = annotations.evaluate(self, annotation, where)
            if kind == "*":
                return self.builtin("tuple", found)
            if kind == "**":
                return self.builtin("dict", self.builtin("str"), found)
            return found
        if kind == "self":
            return self.self_type(scope) or UNKNOWN
        if default is not None:
            where = enclosing_scope(function) if function else scope.parent or scope
            # A default of None says nothing; another one is one of several possibilities.
            given = without_none(self.type_of(default, where))
            return union_of([given, UNKNOWN])
        return UNKNOWN

    def self_type(self, scope: Scope) -> Type | None:
        """What the first parameter of the enclosing method is."""
        method = scope.method
        if method is None:
            return None
        owner, function = method.owner, method.function
        if owner is None or function is None:
            return None
        own = tuple(TypeVariable(name) for name in self.classes.parameters(owner))
        where = enclosing_scope(function)
        for decorator in function.facts.decorators:
            names = self.names_of_text(decorator, where)
            if "builtins.staticmethod" in names:
                return None
            if "builtins.classmethod" in names:
                return ClassObject(owner, own)
        if function.name in ("__new__", "__init_subclass__", "__class_getitem__"):
            return ClassObject(owner, own)
        return Instance(owner, own)

    # Functions

    def value_of_functions(self, functions: list[Function]) -> Type:
        """What the name of these definitions is, after their decorators."""
        own = function_type(functions)
        values = []
        for member in members_of(own):
            if not isinstance(member, FunctionType):
                continue
            decorated = self.decorated(member.function)
            is_object = isinstance(decorated, Instance | ClassObject)
            values.append(decorated if is_object else member)
        return union_of(values)

    def decorated(self, function: Function) -> Type:
        """The type of a function after its decorators (itself, if they change nothing)."""
        return self.memo.get(
            self._decorated, function, lambda: calls.decorate(self, function), UNKNOWN
        )

    def plain_result(self, function: Function) -> Type:
        """What a call of the undecorated function gives, type variables included."""
        return self.memo.get(self._results, function, lambda: self._plain_result(function), UNKNOWN)

    def _plain_result(self, function: Function) -> Type:
        facts = function.facts
        if facts.returns:
            node = parse_expression(facts.returns)
            declared = annotations.evaluate(self, node, signature_scope(function))
            if declared == CallableType(UNKNOWN) and not function.module.is_stub:
                # A bare `-> Callable` says less than the body does.
                declared = self._inferred_result(function)
        elif function.module.is_stub:
            declared = UNKNOWN
        else:
            declared = self._inferred_result(function)
        if facts.is_generator:
            if facts.returns:
                return declared
            base = "AsyncGenerator" if facts.is_async else "Generator"
            return self._typed(base, UNKNOWN, UNKNOWN, declared)
        if facts.is_async:
            return self._typed("Coroutine", UNKNOWN, UNKNOWN, declared)
        return declared

    def body_scope(self, function: Function) -> Scope:
        """The scope that facts about a function's body are read in."""
        if function not in self._bodies:
            if len(self._bodies) >= _BODIES_KEPT:
                self._bodies.pop(next(iter(self._bodies)))
            self._bodies[function] = Scope(
                function.module,
                None,
                enclosing_scope(function) if function.owner else function.scope,
                function,
                function.owner,
            )
        return self._bodies[function]

    def _inferred_result(self, function: Function) -> Type:
        node = self.body_scope(function).tree
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return UNKNOWN
        scope = Scope(
            function.module, node, function.scope, function, function.owner, is_positioned=True
        )
        results: list[Type] = []
        for inner in own_nodes(node.body):
            if isinstance(inner, ast.Return):
                results.append(self.type_of(inner.value, scope) if inner.value else NONE)
            elif isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name | ast.Attribute):
                if "returnValue" in ast.dump(inner.func) and _RETURN_VALUE & set(
                    self.names(inner.func, scope)
                ):
                    results += [self.type_of(value, scope) for value in inner.args]
        if results:
            return union_of(results)
        # A body that only raises or says nothing is there to be overridden.
        body = [item for item in node.body if not _says_nothing(item)]
        return UNKNOWN if not body or isinstance(body[-1], ast.Raise) else NONE

    def call_type(self, callee: Type, arguments: calls.Arguments | None = None) -> Type:
        """What calling `callee` gives."""
        return calls.call(self, callee, arguments or calls.NO_ARGUMENTS)

    # Protocols

    def builtin(self, name: str, *arguments: Type) -> Type:
        """An instance of a built-in class."""
        return self._instance(self._builtins, name, arguments)

    def _typed(self, name: str, *arguments: Type) -> Type:
        return self._instance(self._typing, name, arguments)

    def _instance(self, module: Module | None, name: str, arguments: tuple[Type, ...]) -> Type:
        found = module and self.definitions.member(module, name)
        if found and isinstance(found[0], ClassObject):
            return Instance(found[0].cls, arguments)
        return UNKNOWN

    def awaited(self, type_: Type) -> Type:
        """What `await` gives back."""
        match type_:
            case UnionType(members):
                return union_of(self.awaited(member) for member in members if member != NONE)
            case Instance():
                for name, index in (
                    ("typing.Coroutine", 2),
                    ("twisted.internet.defer.Deferred", 0),
                    ("asyncio.futures.Future", 0),
                    ("typing.Awaitable", 0),
                ):
                    arguments = self.classes.arguments_as(type_, name)
                    if arguments is not None:
                        return arguments[index] if index < len(arguments) else UNKNOWN
                generator = self.call_type(self.member(type_, "__await__"))
                if isinstance(generator, Instance) and len(generator.arguments) == 3:
                    return generator.arguments[2]
            case TypeVariable(_, bound):
                return self.awaited(bound) if bound != UNKNOWN else UNKNOWN
        return UNKNOWN

    def iterated(self, type_: Type, *, is_async: bool = False) -> Type:
        """What a loop over the value gives."""
        match type_:
            case UnionType(members):
                return union_of(
                    self.iterated(member, is_async=is_async) for member in members if member != NONE
                )
            case TupleType(elements):
                return union_of(elements)
            case Instance():
                name = "typing.AsyncIterable" if is_async else "typing.Iterable"
                arguments = self.classes.arguments_as(type_, name)
                if arguments:
                    return arguments[0]
                iterator = self.call_type(
                    self.member(type_, "__aiter__" if is_async else "__iter__")
                )
                if isinstance(iterator, Instance):
                    base = "typing.AsyncIterator" if is_async else "typing.Iterator"
                    arguments = self.classes.arguments_as(iterator, base)
                    if arguments:
                        return arguments[0]
        return UNKNOWN

    def entered(self, type_: Type, *, is_async: bool = False) -> Type:
        """What `with ... as` binds."""
        if is_async:
            return self.awaited(self.call_type(self.member(type_, "__aenter__")))
        return self.call_type(self.member(type_, "__enter__"))

    def element(self, type_: Type, index: int) -> Type:
        """What unpacking gives at `index`."""
        match type_:
            case TupleType(elements):
                return elements[index] if index < len(elements) else UNKNOWN
            case UnionType(members):
                return union_of(self.element(member, index) for member in members if member != NONE)
        return self.iterated(type_)

    # Awaitables

    def awaitability(self, type_: Type) -> Awaitability:
        """Whether a value of this type is an awaitable, how surely, and of which kind."""
        kinds: list[Kind] = []
        others = unknowns = 0
        for member in members_of(type_):
            kind = self._kind(member)
            if isinstance(kind, Kind):
                kinds.append(kind)
            elif kind is None:
                unknowns += 1
            else:
                others += 1
        if kinds:
            return Awaitability(Certainty.SOME if others else Certainty.YES, kinds[0])
        return Awaitability(Certainty.UNKNOWN if unknowns else Certainty.NO)

    def _kind(self, type_: Type) -> Kind | bool | None:
        """The kind of awaitable, False for none, None for unknown."""
        match type_:
            case Unknown() | ExternalInstance() | External():
                return None
            case TypeVariable(_, bound):
                return None if bound == UNKNOWN else self._kind(erase(bound))
            case UnionType():
                answer = self.awaitability(type_)
                return answer.kind if answer.is_certain else None
            case Instance(cls):
                for names, kind in _KINDS:
                    if self.classes.has_ancestor(cls, names):
                        return kind
                if self.classes.member(type_, "__await__") is not None:
                    return Kind.AWAITABLE
                return None if any(True for _ in self.classes.unknown_bases(cls)) else False
        return False


def _position(node: ast.expr, scope: Scope) -> Position | None:
    return (node.lineno, node.col_offset) if scope.is_positioned else None


def _is_plain(type_: Type) -> bool:
    return isinstance(type_, Instance) and type_.cls.module.name == "builtins"


def _says_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )
