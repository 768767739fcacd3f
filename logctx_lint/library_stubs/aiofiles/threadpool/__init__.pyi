from typing import Any

from aiofiles.base import AiofilesContextManager
from aiofiles.threadpool.binary import AsyncBufferedIOBase

def open(
    file: Any, mode: str = "r", *args: Any, **kwargs: Any
) -> AiofilesContextManager[AsyncBufferedIOBase]: ...
