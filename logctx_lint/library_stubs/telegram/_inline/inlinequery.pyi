from typing import Any

from telegram._user import User

class InlineQuery:
    id: str
    query: str
    from_user: User
    async def answer(self, *args: Any, **kwargs: Any) -> bool: ...
