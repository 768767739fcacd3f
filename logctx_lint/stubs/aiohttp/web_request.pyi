from asyncio import AbstractEventLoop, Task
from collections.abc import Iterator, MutableMapping
from typing import Any

from aiohttp.streams import StreamReader
from aiohttp.web_app import Application

class BaseRequest(MutableMapping[str, Any]):
    method: str
    host: str
    remote: str | None
    url: Any
    path: str
    path_qs: str
    query: Any
    query_string: str
    headers: Any
    cookies: Any
    content: StreamReader
    task: Task[None]
    transport: Any
    loop: AbstractEventLoop
    can_read_body: bool
    body_exists: bool
    def __getitem__(self, key: str) -> Any: ...
    def __iter__(self) -> Iterator[str]: ...
    def clone(self, **kwargs: Any) -> BaseRequest: ...
    def get_extra_info(self, name: str, default: Any = None) -> Any: ...
    async def release(self) -> None: ...
    async def read(self) -> bytes: ...
    async def text(self) -> str: ...
    async def json(self, **kwargs: Any) -> Any: ...
    async def multipart(self) -> Any: ...
    async def post(self) -> Any: ...

class Request(BaseRequest):
    app: Application
    match_info: Any
