from typing import Any, TypeVar

T = TypeVar("T")

class Enum:
    name: str
    value: Any
    _name_: str
    _value_: Any

class IntEnum(int, Enum):
    value: int

class StrEnum(str, Enum):
    value: str

class Flag(Enum): ...
class IntFlag(int, Flag): ...

class auto:
    value: Any

def unique(enumeration: T) -> T: ...
