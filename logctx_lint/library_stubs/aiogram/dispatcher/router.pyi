from collections.abc import Callable
from typing import Any, TypeVar

from aiogram.types.callback_query import CallbackQuery
from aiogram.types.message import Message

_OfMessage = TypeVar("_OfMessage", bound=Callable[[Message], Any])
_OfQuery = TypeVar("_OfQuery", bound=Callable[[CallbackQuery], Any])

class _Messages:
    def __call__(self, *filters: Any, **kwargs: Any) -> Callable[[_OfMessage], _OfMessage]: ...
    def register(self, callback: Callable[[Message], Any], *filters: Any, **kw: Any) -> Any: ...

class _Queries:
    def __call__(self, *filters: Any, **kwargs: Any) -> Callable[[_OfQuery], _OfQuery]: ...
    def register(
        self, callback: Callable[[CallbackQuery], Any], *filters: Any, **kw: Any
    ) -> Any: ...

class Router:
    message: _Messages
    edited_message: _Messages
    channel_post: _Messages
    callback_query: _Queries
    def __init__(self, **kwargs: Any) -> None: ...
