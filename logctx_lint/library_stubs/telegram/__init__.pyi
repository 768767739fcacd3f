from telegram._bot import Bot as Bot
from telegram._callbackquery import CallbackQuery as CallbackQuery
from telegram._chat import Chat as Chat
from telegram._files.file import File as File
from telegram._inline.inlinequery import InlineQuery as InlineQuery
from telegram._message import Message as Message
from telegram._update import Update as Update
from telegram._user import User as User
