from collections.abc import Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Awaited or entered; until then no file is opened.

class AiofilesContextManager(Generic[T]):
    def __await__(self) -> Generator[Any, Any, T]: ...
    async def __aenter__(self) -> T: ...
    async def __aexit__(self, *args: Any) -> None: ...
