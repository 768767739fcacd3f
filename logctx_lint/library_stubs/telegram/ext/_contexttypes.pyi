from telegram.ext._callbackcontext import CallbackContext

class ContextTypes:
    DEFAULT_TYPE = CallbackContext
