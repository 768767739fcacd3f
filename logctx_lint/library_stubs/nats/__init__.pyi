from typing import Any

from nats.aio.client import Client

async def connect(*args: Any, **options: Any) -> Client: ...
