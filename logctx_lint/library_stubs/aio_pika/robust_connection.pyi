from typing import Any

from aio_pika.abc import AbstractRobustConnection

async def connect_robust(*args: Any, **kwargs: Any) -> AbstractRobustConnection: ...
