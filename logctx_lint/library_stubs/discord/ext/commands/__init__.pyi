from discord.ext.commands.bot import AutoShardedBot as AutoShardedBot
from discord.ext.commands.bot import Bot as Bot
from discord.ext.commands.cog import Cog as Cog
from discord.ext.commands.cog import GroupCog as GroupCog
from discord.ext.commands.context import Context as Context
from discord.ext.commands.core import command as command
from discord.ext.commands.core import group as group
from discord.ext.commands.core import hybrid_command as hybrid_command
