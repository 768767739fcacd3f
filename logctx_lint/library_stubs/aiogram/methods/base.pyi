from collections.abc import Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# A request, sent when it is awaited, or by what a handler returns.

class TelegramMethod(Generic[T]):
    def __await__(self) -> Generator[Any, Any, T]: ...
    async def emit(self, bot: Any) -> T: ...
