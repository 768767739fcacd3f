from typing import Any

class AsyncTranscriptions:
    async def create(self, **kwargs: Any) -> Any: ...
