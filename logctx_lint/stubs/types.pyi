from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar
from typing import AsyncGenerator as AsyncGeneratorType
from typing import Coroutine as CoroutineType
from typing import Generator as GeneratorType

# Exported though imported under another name.
__all__ = ["AsyncGeneratorType", "CoroutineType", "GeneratorType"]

K = TypeVar("K")
V = TypeVar("V")
F = TypeVar("F")

class TracebackType:
    tb_next: TracebackType | None
    tb_frame: FrameType
    tb_lineno: int

class FrameType:
    f_back: FrameType | None
    f_code: CodeType
    f_lineno: int
    f_locals: dict[str, Any]
    f_globals: dict[str, Any]

class CodeType:
    co_name: str
    co_filename: str
    co_firstlineno: int

class ModuleType:
    __name__: str
    __file__: str | None

class FunctionType:
    __name__: str
    __qualname__: str
    __code__: CodeType

class MethodType:
    __func__: Callable[..., Any]
    __self__: object

class SimpleNamespace: ...

class MappingProxyType(Mapping[K, V]):
    def __init__(self, mapping: Mapping[K, V]) -> None: ...
    def __getitem__(self, key: K) -> V: ...
    def __iter__(self) -> Iterator[K]: ...
    def copy(self) -> dict[K, V]: ...

def coroutine(func: F) -> F: ...
