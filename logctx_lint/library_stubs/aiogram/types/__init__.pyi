from aiogram.types.callback_query import CallbackQuery as CallbackQuery
from aiogram.types.message import Message as Message
