"""The parts that all commands of the command line share: their registration and their errors."""

from __future__ import annotations

import argparse
from typing import Any, Protocol

from logctx_lint.errors import UserError


class UsageError(UserError):
    """The command cannot be run as it was given; the message is one line."""


class Commands(Protocol):
    """What a command is added to."""

    def add_parser(self, name: str, **arguments: Any) -> argparse.ArgumentParser: ...
