"""The resolver: infers the type of an expression, over the facts of the project.

Answers depend on the text of the project alone, never on what was asked before.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from logctx_lint.incremental.memo import Memo, Store
from logctx_lint.inference import annotation_types, calls, protocols
from logctx_lint.inference.annotation_types import parse_expression, special_form
from logctx_lint.inference.argument_types import CallSites
from logctx_lint.inference.arguments import NO_ARGUMENTS, Arguments
from logctx_lint.inference.bindings import Bindings
from logctx_lint.inference.body_scopes import BodyScopes
from logctx_lint.inference.class_members import Classes
from logctx_lint.inference.declared_parameters import DeclaredParameters
from logctx_lint.inference.decorators import Decorators
from logctx_lint.inference.definitions import Definition, Definitions, Found, Variable
from logctx_lint.inference.function_types import Functions
from logctx_lint.inference.name_lookup import Names
from logctx_lint.inference.references import References
from logctx_lint.inference.repeated_tests import chosen
from logctx_lint.inference.replaced_methods import ReplacedMethods
from logctx_lint.inference.types import (
    FOREIGN,
    NONE,
    UNKNOWN,
    Awaitability,
    CallableType,
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
    as_option,
    known,
    members_of,
    substitute,
    type_variables,
    union_of,
    with_options,
    without_none,
)
from logctx_lint.inference.unique_method_names import UniqueMethodNames
from logctx_lint.inference.use_def import Comprehension, Scope
from logctx_lint.inference.widening import widen
from logctx_lint.project.files import STUBS
from logctx_lint.project.modules import Module, Modules


class Resolver:
    """Infers types. One for each project; it keeps answers about facts, never trees."""

    def __init__(self, modules: Modules, hints: Mapping[str, str] | None = None) -> None:
        """`hints` says by their names what objects are of which nothing else is known."""
        self._hints = hints or {}
        self.modules = modules
        self.memo = Memo(modules.trace, widen)
        self.body_scopes = BodyScopes(self.memo)
        self.definitions = Definitions(modules)
        self.classes = Classes(self)
        self.replaced_methods = ReplacedMethods(self)
        self.lookup = Names(self)
        self.bindings = Bindings(self)
        self.functions = Functions(self)
        self.decorators = Decorators(self)
        self.references = References(modules, self.memo, self.body_scopes)
        self.call_sites = CallSites(self)
        self.declared_parameters = DeclaredParameters(self)
        self.unique_methods = UniqueMethodNames(self)
        self.kinds: Store[Kind | bool | None] = {}
        """Of awaitable that the instances of a class are; see `protocols`."""
        self._variables: Store[Type] = {}
        self._aliases: Store[Type] = {}
        self.builtins = modules.find("builtins", STUBS)
        self._typing = modules.find("typing", STUBS)

    def define(self, node: ast.expr, scope: Scope) -> Found:
        """What a (dotted) name was bound to, and its qualified names on the way there."""
        return self.lookup.define(node, scope)

    def names(self, node: ast.expr, scope: Scope) -> tuple[str, ...]:
        """Every qualified name under which the thing that `node` names is known."""
        if not scope.is_positioned:
            return self.lookup.names(node, scope)
        return self.memo.get(scope.names, node, lambda: self.lookup.names(node, scope), ())

    def names_of_text(self, text: str, scope: Scope) -> tuple[str, ...]:
        """The names of an expression in facts; of the callee, where it is a call."""
        return self.lookup.names_of_text(text, scope)

    def awaitability(self, type_: Type) -> Awaitability:
        """Whether a value of this type is an awaitable, how surely, and of which kind."""
        return protocols.awaitability(self, type_)

    def type_of(self, node: ast.expr, scope: Scope) -> Type:
        """What the value of an expression can be."""
        match node:
            case ast.Name():
                arm = chosen(node, scope)
                if arm is not None:
                    return self.type_of(arm, scope)
                return self._narrow(self.value_of(self.define(node, scope)[0]), node, scope)
            case ast.Attribute():
                if not scope.is_positioned or not self.memo.is_idle:
                    return self._narrowed_attribute(node, scope)
                # Rules ask about the same one, too. On circles it is no question of its own.
                return self.memo.get(
                    scope.types, node, lambda: self._narrowed_attribute(node, scope), UNKNOWN
                )
            case ast.Call():
                if not scope.is_positioned:
                    return calls.result(self, node, scope)
                # Several rules ask about the same call.
                return self.memo.get(
                    scope.types, node, lambda: calls.result(self, node, scope), UNKNOWN
                )
        return self._of_operation(node, scope)

    def _of_operation(self, node: ast.expr, scope: Scope) -> Type:
        match node:
            case ast.Await(value) | ast.Yield(ast.expr() as value):
                # Of `yield`, only `@inlineCallbacks` gives anything back that is of interest.
                return protocols.awaited(self, self.type_of(value, scope))
            case ast.Subscript(value, index):
                return self._subscript(self.type_of(value, scope), index, scope)
            case ast.IfExp(_, body, orelse):
                return union_of([self.type_of(body, scope), self.type_of(orelse, scope)])
            case ast.BoolOp():
                return self._of_junction(node, scope)
            case ast.NamedExpr(_, value):
                return self.type_of(value, scope)
            case ast.Lambda(_, body):
                return CallableType(self.type_of(body, scope.child(node)))
            case ast.BinOp(left, ast.Add() | ast.Mod() | ast.BitOr(), _):
                left_type = self.type_of(left, scope)
                return left_type if _is_plain(left_type) else UNKNOWN
            case ast.Compare() | ast.UnaryOp(ast.Not(), _):
                return self.builtin("bool")
        return self._of_display(node, scope)

    def _of_junction(self, node: ast.BoolOp, scope: Scope) -> Type:
        if isinstance(node.op, ast.Or):
            # Whatever is passed over was false, so it was not None only if it is last.
            types = [self.type_of(value, scope) for value in node.values]
            return union_of([*map(without_none, types[:-1]), types[-1]])
        passed_over = [NONE] if len(node.values) > 1 else []
        return union_of([*passed_over, self.type_of(node.values[-1], scope)])

    def _of_display(self, node: ast.expr, scope: Scope) -> Type:
        match node:
            case ast.Constant(value):
                return NONE if value is None else self.builtin(type(value).__name__)
            case ast.JoinedStr():
                return self.builtin("str")
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
        return UNKNOWN

    def _narrowed_attribute(self, node: ast.Attribute, scope: Scope) -> Type:
        found = self._attribute(node, node.value, node.attr, scope)
        if any(isinstance(each, FunctionType) for each in members_of(found)):
            value = scope.replaced(node)
            if value is not None:
                given = self.type_of(value, scope)
                return given if known(given) else FOREIGN
        return self._narrow(found, node, scope)

    def _hinted(self, name: str, scope: Scope) -> Type:
        """What the settings say of an object of this name."""
        module_name, _, class_name = self._hints.get(name, "").rpartition(".")
        module = self.modules.find(module_name, scope.module.root) if module_name else None
        found = self.definitions.member(module, class_name) if module else None
        return Instance(found[0].cls) if found and isinstance(found[0], ClassObject) else UNKNOWN

    def _narrow(self, found: Type, node: ast.Name | ast.Attribute, scope: Scope) -> Type:
        """What is left of a type after `isinstance` tests around its use, or what it is by name."""
        if self._hints and not known(found):
            found = self._hinted(node.id if isinstance(node, ast.Name) else node.attr, scope)
        tested = scope.narrowed(node)
        if tested is None:
            return found
        types = self.type_of(tested.classes, scope)
        options = types.elements if isinstance(types, TupleType) else (types,)
        classes = [option.cls for option in options if isinstance(option, ClassObject)]
        if len(classes) < len(options) and not tested.is_negative:
            return found
        names = frozenset(cls.qualified_name for cls in classes)
        members = members_of(found)
        kept = [each for each in members if self._is_one_of(each, names)]
        if tested.is_negative:
            return union_of(each for each in members if each not in kept)
        return union_of(kept or map(Instance, classes))

    def _is_one_of(self, member: Type, names: frozenset[str]) -> bool:
        return isinstance(member, Instance) and self.classes.has_ancestor(member.cls, names)

    def _comprehension(self, node: Comprehension, scope: Scope) -> Type:
        inner = scope.child(node)
        if isinstance(node, ast.DictComp):
            return self.builtin(
                "dict", self.type_of(node.key, inner), self.type_of(node.value, inner)
            )
        element = self.type_of(node.elt, inner)
        if isinstance(node, ast.GeneratorExp):
            return self.typed("Iterator", element)
        return self.builtin("list" if isinstance(node, ast.ListComp) else "set", element)

    def _attribute(self, node: ast.Attribute, value: ast.expr, name: str, scope: Scope) -> Type:
        if isinstance(value, ast.Name):
            given = scope.given_for(f"{value.id}.{name}")
            if given is not None:
                return given
        definition, names = self.define(node, scope)
        if names:
            return self.value_of(definition)
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            method = scope.method
            if value.func.id == "super" and method and method.owner:
                receiver = self.bindings.self_type(scope) or UNKNOWN
                if isinstance(receiver, Instance | ClassObject):
                    return self.classes.member(receiver, name, skip=1) or UNKNOWN
        return self.member(self.type_of(value, scope), name)

    def member(self, receiver: Type, name: str) -> Type:
        """The type of an attribute of `receiver`."""
        match receiver:
            case UnionType():
                members = [each for each in members_of(with_options(receiver)) if each != NONE]
                return union_of(
                    # One of several modules may have a function of another kind.
                    as_option(self.member(each, name))
                    if isinstance(each, ModuleType) and len(members) > 1
                    else self.member(each, name)
                    for each in members
                )
            case Instance(cls) | ClassObject(cls):
                found = self.classes.member(receiver, name)
                if found is not None:
                    return found
                unknown = next((base for base in self.classes.unknown_bases(cls) if base), None)
                if unknown:
                    return External(f"{unknown}.{name}")
                return self.classes.mixed_with(receiver, name)
            case ModuleType(module):
                found_ = self.definitions.member(module, name)
                return self.value_of(found_[0]) if found_ else External(f"{module.name}.{name}")
            case External(outer, is_option) | ExternalInstance(outer, is_option):
                return External(f"{outer}.{name}", is_option)
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
                if isinstance(index, ast.Slice):
                    return self.builtin("tuple", union_of(elements))
                position = _constant_index(index)
                if position is not None and -len(elements) <= position < len(elements):
                    return elements[position]
                return union_of(elements)
            case Instance():
                if isinstance(index, ast.Slice):
                    return receiver
                return self.call_type(self.member(receiver, "__getitem__"))
            case ClassObject(cls):
                items = index.elts if isinstance(index, ast.Tuple) else [index]
                return ClassObject(
                    cls, tuple(annotation_types.evaluate(self, item, scope) for item in items)
                )
        return UNKNOWN

    def value_of(self, definition: Definition) -> Type:
        """The type of what a name was bound to."""
        if isinstance(definition, Variable):
            return self.memo.get(
                self._variables, definition, lambda: self._variable(definition), UNKNOWN
            )
        if isinstance(definition, FunctionType) and definition.receiver is None:
            return self.functions.value_of_functions([definition.function])
        return definition

    def _variable(self, variable: Variable) -> Type:
        scope = Scope(variable.module)
        declared = [item.annotation for item in variable.facts if item.annotation]
        if declared and not any(text in ("Final", "TypeAlias") for text in declared):
            return union_of(
                annotation_types.evaluate(self, parse_expression(text), scope) for text in declared
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
        if isinstance(found, Instance) and not found.arguments:
            # `Dict = dict`: an alias of the class itself takes the class's parameters.
            return Instance(found.cls, arguments)
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
                types.append(annotation_types.evaluate(self, node, scope))
        return union_of(types)

    def _type_from_call(self, variable: Variable, node: ast.Call, scope: Scope) -> Type:
        form = special_form(self.names(node.func, scope))
        if form in ("TypeVar", "ParamSpec", "TypeVarTuple"):
            bounds = [keyword.value for keyword in node.keywords if keyword.arg == "bound"]
            # One of several classes is all that constraints leave.
            bound = union_of(
                annotation_types.evaluate(self, item, scope) for item in bounds or node.args[1:]
            )
            return TypeVariable(f"{variable.module.name}.{variable.name}", bound)
        if form == "NewType" and len(node.args) == 2:
            return annotation_types.evaluate(self, node.args[1], scope)
        return UNKNOWN

    def base_from_call(self, text: str, scope: Scope) -> Type:
        """A base class that an expression computes, as `with_metaclass(M, Base)` does."""
        node = parse_expression(text)
        if node is None:
            return UNKNOWN
        found = self.type_of(node, scope)
        return Instance(found.cls, found.arguments) if isinstance(found, ClassObject) else UNKNOWN

    def call_type(self, callee: Type, arguments: Arguments | None = None) -> Type:
        """What calling `callee` gives."""
        return calls.call(self, callee, arguments or NO_ARGUMENTS)

    def run_by_call(self, callee: Type) -> Type:
        """What runs when a value is called: the `__call__` of an object, else the value itself."""
        return union_of(
            self.classes.member(each, "__call__") or each if isinstance(each, Instance) else each
            for each in members_of(callee)
        )

    def call_with(self, callee: Type, argument: Type) -> Type:
        """What calling `callee` with one argument gives."""
        return calls.call(self, callee, Arguments((lambda: argument,)))

    @property
    def deferred(self) -> Type:
        """An instance of Twisted's Deferred, of which nothing more is known."""
        module = self.modules.find("twisted.internet.defer", STUBS)
        return self._instance(module, "Deferred", ())

    def builtin(self, name: str, *arguments: Type) -> Type:
        """An instance of a built-in class."""
        return self._instance(self.builtins, name, arguments)

    def typed(self, name: str, *arguments: Type) -> Type:
        """An instance of a class of `typing`."""
        return self._instance(self._typing, name, arguments)

    def _instance(self, module: Module | None, name: str, arguments: tuple[Type, ...]) -> Type:
        found = module and self.definitions.member(module, name)
        if found and isinstance(found[0], ClassObject):
            return Instance(found[0].cls, arguments)
        return UNKNOWN


def _constant_index(node: ast.expr) -> int | None:
    match node:
        case ast.Constant(int(position)):
            return position
        case ast.UnaryOp(ast.USub(), ast.Constant(int(position))):
            return -position
    return None


def _is_plain(type_: Type) -> bool:
    return isinstance(type_, Instance) and type_.cls.module.name == "builtins"
