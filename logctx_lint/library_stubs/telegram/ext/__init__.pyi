from telegram.ext._application import Application as Application
from telegram.ext._callbackcontext import CallbackContext as CallbackContext
from telegram.ext._contexttypes import ContextTypes as ContextTypes
from telegram.ext._extbot import ExtBot as ExtBot
from telegram.ext._updater import Updater as Updater
