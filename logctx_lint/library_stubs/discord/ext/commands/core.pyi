from collections.abc import Callable
from typing import Any, TypeVar

from discord.ext.commands.context import Context

_Command = TypeVar("_Command", bound=Callable[[Context], Any])

def command(name: str = ..., cls: Any = ..., **attrs: Any) -> Callable[[_Command], _Command]: ...
def group(name: str = ..., cls: Any = ..., **attrs: Any) -> Callable[[_Command], _Command]: ...
def hybrid_command(name: str = ..., **attrs: Any) -> Callable[[_Command], _Command]: ...
