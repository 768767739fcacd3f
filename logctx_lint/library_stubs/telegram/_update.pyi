from telegram._callbackquery import CallbackQuery
from telegram._chat import Chat
from telegram._inline.inlinequery import InlineQuery
from telegram._message import Message
from telegram._user import User

class Update:
    update_id: int
    message: Message | None
    edited_message: Message | None
    channel_post: Message | None
    callback_query: CallbackQuery | None
    inline_query: InlineQuery | None
    @property
    def effective_user(self) -> User | None: ...
    @property
    def effective_chat(self) -> Chat | None: ...
    @property
    def effective_message(self) -> Message | None: ...
