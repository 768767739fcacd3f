from typing import Any

from aiogram.methods.base import TelegramMethod

class CallbackQuery:
    id: str
    from_user: Any
    message: Any
    data: str | None
    bot: Any
    def answer(self, *args: Any, **kwargs: Any) -> TelegramMethod[Any]: ...
