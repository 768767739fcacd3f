from typing import Any

from aio_pika.abc import AbstractConnection

async def connect(*args: Any, **kwargs: Any) -> AbstractConnection: ...
