from typing import Any

class AsyncEmbeddings:
    async def create(self, **kwargs: Any) -> Any: ...
