from typing import Any

class AsyncTranslations:
    async def create(self, **kwargs: Any) -> Any: ...
