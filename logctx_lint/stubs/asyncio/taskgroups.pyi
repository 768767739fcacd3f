from asyncio.tasks import Task
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

class TaskGroup:
    async def __aenter__(self) -> TaskGroup: ...
    async def __aexit__(self, *args: Any) -> None: ...
    def create_task(
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Any = None
    ) -> Task[T]: ...
