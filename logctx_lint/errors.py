"""Errors that the user of a command can correct."""

from __future__ import annotations


class UserError(Exception):
    """Something cannot be used as it is; the message is one line and says what and why."""
