from aiogram import types as types
from aiogram.client.bot import Bot as Bot
from aiogram.dispatcher.dispatcher import Dispatcher as Dispatcher
from aiogram.dispatcher.router import Router as Router
