from typing import Any

from tortoise.models import Model as Model

class Tortoise:
    @classmethod
    async def generate_schemas(cls, *args: Any, **kwargs: Any) -> None: ...
    @classmethod
    async def close_connections(cls) -> None: ...
