from collections.abc import Callable
from typing import Any

from telegram._update import Update
from telegram.ext._callbackcontext import CallbackContext

_Callback = Callable[[Update, CallbackContext], Any]

class BaseHandler:
    callback: Any
    def check_update(self, update: Any) -> Any: ...

class CommandHandler(BaseHandler):
    def __init__(self, command: Any, callback: _Callback, *args: Any, **kw: Any) -> None: ...

class MessageHandler(BaseHandler):
    def __init__(self, filters: Any, callback: _Callback, *args: Any, **kw: Any) -> None: ...

class CallbackQueryHandler(BaseHandler):
    def __init__(self, callback: _Callback, *args: Any, **kw: Any) -> None: ...

class InlineQueryHandler(BaseHandler):
    def __init__(self, callback: _Callback, *args: Any, **kw: Any) -> None: ...
