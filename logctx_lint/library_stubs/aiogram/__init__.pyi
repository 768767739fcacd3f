from aiogram import types as types
from aiogram.client.bot import Bot as Bot
