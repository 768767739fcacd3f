from typing import Any

class AsyncCompletions:
    async def create(self, **kwargs: Any) -> Any: ...
