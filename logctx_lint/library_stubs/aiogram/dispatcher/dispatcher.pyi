from typing import Any

from aiogram.dispatcher.router import Router

class Dispatcher(Router):
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
