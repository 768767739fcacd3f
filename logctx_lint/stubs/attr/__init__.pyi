from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from attr import exceptions as exceptions
from attr import validators as validators

T = TypeVar("T")

NOTHING: Any

class Attribute(Generic[T]):
    name: str
    default: T | None
    type: Any
    metadata: Mapping[Any, Any]

class Factory(Generic[T]):
    factory: Callable[..., T]
    takes_self: bool
    def __init__(self, factory: Callable[..., T], takes_self: bool = False) -> None: ...

# Class decorators, with and without arguments: the class stays what it is.
def attrs(maybe_cls: T = ..., *args: Any, **kwargs: Any) -> T: ...
def define(maybe_cls: T = ..., **kwargs: Any) -> T: ...
def frozen(maybe_cls: T = ..., **kwargs: Any) -> T: ...

s = attrs
attributes = attrs
dataclass = attrs
mutable = define

# The type of an attribute is its annotation.
def attrib(default: Any = ..., *args: Any, **kwargs: Any) -> Any: ...
def field(*, default: Any = ..., **kwargs: Any) -> Any: ...

ib = attrib
attr = attrib

def asdict(inst: Any, *args: Any, **kwargs: Any) -> dict[str, Any]: ...
def astuple(inst: Any, *args: Any, **kwargs: Any) -> Any: ...
def evolve(inst: T, /, **changes: Any) -> T: ...
def fields(cls: Any) -> Any: ...
def fields_dict(cls: Any) -> dict[str, Attribute[Any]]: ...
def has(cls: Any) -> bool: ...
def validate(inst: Any) -> None: ...
