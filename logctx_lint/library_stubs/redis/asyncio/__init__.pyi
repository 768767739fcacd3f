from typing import Any

from redis.asyncio.client import Redis as Redis
from redis.asyncio.client import StrictRedis as StrictRedis

def from_url(url: str, **kwargs: Any) -> Redis: ...
