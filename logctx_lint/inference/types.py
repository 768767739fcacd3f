"""What an expression can be, as far as this linter needs to know.

A type is built from what the source says and never guessed: where nothing is known it is
UNKNOWN, and rules are silent on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logctx_lint.project.modules import Class, Function, Module


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing is known."""


_UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class NoneType:
    """The type of None."""


@dataclass(frozen=True, slots=True)
class Instance:
    """An object of a class, with the class's type arguments."""

    cls: Class
    arguments: tuple[Type, ...] = ()


@dataclass(frozen=True, slots=True)
class ClassObject:
    """A class itself, as in `Type[C]` or the name of a class."""

    cls: Class
    arguments: tuple[Type, ...] = ()


@dataclass(frozen=True, slots=True)
class FunctionType:
    """A function or bound method that the project defines."""

    function: Function
    receiver: Instance | ClassObject | None = None
    """What it is bound to."""
    bindings: tuple[tuple[str, Type], ...] = ()
    """What the receiver's type variables stand for."""


@dataclass(frozen=True, slots=True)
class CallableType:
    """Something to call of which only the types matter."""

    returns: Type
    parameters: tuple[Type, ...] = ()
    """Where they are written out; type variables in them are solved by each call."""


@dataclass(frozen=True, slots=True)
class ModuleType:
    module: Module


@dataclass(frozen=True, slots=True)
class External:
    """A name outside all known code: only how it is called is known."""

    name: str
    is_option: bool = False
    """It belongs to one side of a union, so that the other side alone says nothing."""


@dataclass(frozen=True, slots=True)
class ExternalInstance:
    """An object of a class outside all known code."""

    name: str
    is_option: bool = False
    """As for `External`."""


FOREIGN = ExternalInstance("<foreign>")
"""What comes out of code that is not here, as far as one can tell."""
FOREIGN_OPTION = ExternalInstance(FOREIGN.name, is_option=True)
"""The same, of one side of a union."""


@dataclass(frozen=True, slots=True)
class TypeVariable:
    name: str
    """Qualified by the module (and class or function) that declares it."""
    bound: Type = field(default=_UNKNOWN, compare=False)


@dataclass(frozen=True, slots=True)
class TupleType:
    elements: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Presumed:
    """What any method of this name gives, on an unknown object; see `unique_method_names`."""

    type: Type
    functions: tuple[Function, ...]
    by_decorator: bool = False
    """What the function very likely still gives under a decorator that is not known."""

    @property
    def by_habit(self) -> bool:
        """Nothing is known but that all other calls like it are awaited."""
        return not self.functions


@dataclass(frozen=True, slots=True)
class UnionType:
    """One of several; may have UNKNOWN among its members."""

    members: tuple[Type, ...]


Type = (
    Unknown
    | NoneType
    | Instance
    | ClassObject
    | FunctionType
    | CallableType
    | ModuleType
    | External
    | ExternalInstance
    | TypeVariable
    | TupleType
    | Presumed
    | UnionType
)

_WITH_PARTS = (TypeVariable, Instance, ClassObject, UnionType, TupleType, CallableType)
UNKNOWN = _UNKNOWN
"""The only one."""
NONE = NoneType()
Substitution = Mapping[str, Type]
WIDEST = 64
"""Members of a union. What can be more different things is asked for each of them, at each use."""


def union_of(types: Iterable[Type]) -> Type:
    """The union, flattened, without repeats; UNKNOWN of nothing, and of more than says anything."""
    members: dict[Type, None] = {}
    for type_ in types:
        if isinstance(type_, UnionType):
            members.update(dict.fromkeys(type_.members))
        else:
            members[type_] = None
    if not members or len(members) > WIDEST:
        return UNKNOWN
    return next(iter(members)) if len(members) == 1 else UnionType(tuple(members))


def members_of(type_: Type) -> tuple[Type, ...]:
    """The members of a union; any other type alone."""
    return type_.members if isinstance(type_, UnionType) else (type_,)


def callees_of(type_: Type) -> list[FunctionType]:
    """The functions and bound methods that a value may be, as far as they are known."""
    return [each for each in members_of(type_) if isinstance(each, FunctionType)]


def functions_of(type_: Type) -> list[Function]:
    """The same, as they are defined."""
    return [each.function for each in callees_of(type_)]


def without_none(type_: Type) -> Type:
    """A type without None among the members of its union."""
    return union_of(member for member in members_of(type_) if member != NONE)


def with_options(type_: Type, *nothing_known: Type) -> Type:
    """A union of which one side is known, with what is of other classes marked as an option.

    `nothing_known` lists what has no class that is named, and is one of several all the same.
    """
    members = members_of(type_)
    if not any(isinstance(each, ExternalInstance) or each in nothing_known for each in members):
        return type_
    if len(members) < 2 or not any(isinstance(each, Instance) for each in members):
        return type_
    return union_of(
        FOREIGN_OPTION
        if each in nothing_known
        else ExternalInstance(each.name, is_option=True)
        if isinstance(each, ExternalInstance) and each != FOREIGN
        else each
        for each in members
    )


def as_option(type_: Type) -> Type:
    """A name outside all known code as one side of a union."""
    return External(type_.name, is_option=True) if isinstance(type_, External) else type_


def known(type_: Type) -> bool:
    """Whether anything at all is known, None alone counting as nothing."""
    return any(not isinstance(member, Unknown | NoneType) for member in members_of(type_))


def substitute(type_: Type, bindings: Substitution) -> Type:
    """`type_` with its type variables replaced; variables without a binding stay."""
    if not bindings or not isinstance(type_, _WITH_PARTS):
        return type_
    match type_:
        case TypeVariable(name):
            found = bindings.get(name, type_)
            # One that stands for itself stays as it was declared, with its bound.
            return type_ if found == type_ else found
        case Instance(cls, arguments) if arguments:
            return Instance(cls, substitute_all(arguments, bindings))
        case ClassObject(cls, arguments) if arguments:
            return ClassObject(cls, substitute_all(arguments, bindings))
        case UnionType(members):
            return union_of(substitute_all(members, bindings))
        case TupleType(elements):
            return TupleType(substitute_all(elements, bindings))
        case CallableType(returns, parameters):
            return CallableType(substitute(returns, bindings), substitute_all(parameters, bindings))
    return type_


def substitute_all(types: tuple[Type, ...], bindings: Substitution) -> tuple[Type, ...]:
    """Several types with their type variables replaced."""
    return tuple([substitute(each, bindings) for each in types]) if bindings else types


def type_variables(type_: Type) -> list[str]:
    """The names of the type variables in `type_`, in order, without repeats."""
    if isinstance(type_, Instance | ClassObject) and not type_.arguments:
        # As most types.
        return []
    match type_:
        case TypeVariable(name):
            return [name]
        case Instance(_, parts) | ClassObject(_, parts) | TupleType(parts) | UnionType(parts):
            return _variables_of(parts)
        case CallableType(returns, parameters):
            return _variables_of((*parameters, returns))
    return []


def _variables_of(parts: tuple[Type, ...]) -> list[str]:
    if not parts:
        return []
    return list(dict.fromkeys(name for part in parts for name in type_variables(part)))


def free_variables(type_: Type) -> list[str]:
    """The type variables that no later call will solve: `Callable[[F], F]` has none."""
    match type_:
        case TypeVariable(name):
            return [name]
        case Instance(_, parts) | ClassObject(_, parts) | TupleType(parts) | UnionType(parts):
            return list(dict.fromkeys(name for part in parts for name in free_variables(part)))
        case CallableType(returns, parameters):
            solved = {name for part in parameters for name in type_variables(part)}
            return [name for name in free_variables(returns) if name not in solved]
    return []


def erase(type_: Type, kept: Iterable[str] = ()) -> Type:
    """`type_` with the type variables that no later call solves made UNKNOWN, but for `kept`."""
    names = [name for name in free_variables(type_) if name not in set(kept)]
    return substitute(type_, dict.fromkeys(names, UNKNOWN)) if names else type_


class Kind(str, Enum):
    """The sorts of awaitable, named as messages name them."""

    COROUTINE = "coroutine"
    DEFERRED = "Deferred"
    FUTURE = "Future"
    TASK = "Task"
    AWAITABLE = "awaitable"

    @property
    def is_lazy(self) -> bool:
        """Nothing runs until somebody drives it."""
        return self is Kind.COROUTINE

    @property
    def with_article(self) -> str:
        return f"{'an' if self is Kind.AWAITABLE else 'a'} {self.value}"


class Certainty(Enum):
    """How sure the answer is that something is an awaitable."""

    YES = "yes"
    LIKELY = "likely"
    """By the name of a method alone."""
    SOME = "some branch"
    UNKNOWN = "unknown"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Awaitability:
    """Whether a type is awaitable and of which kind (of the first awaitable member)."""

    certainty: Certainty
    kind: Kind = Kind.AWAITABLE

    @property
    def is_certain(self) -> bool:
        return self.certainty is Certainty.YES

    @property
    def is_likely(self) -> bool:
        """Sure enough to speak of, not to change code that may be right."""
        return self.certainty in (Certainty.YES, Certainty.LIKELY)
