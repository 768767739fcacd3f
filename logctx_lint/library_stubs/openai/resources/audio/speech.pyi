from typing import Any

class AsyncSpeech:
    async def create(self, **kwargs: Any) -> Any: ...
