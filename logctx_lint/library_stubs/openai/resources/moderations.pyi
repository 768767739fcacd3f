from typing import Any

class AsyncModerations:
    async def create(self, **kwargs: Any) -> Any: ...
