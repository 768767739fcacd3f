"""A structlog processor that puts the current log context on each event. Needs no import of it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from .log_filter import context_fields

__all__ = ["add_log_context"]


def add_log_context(
    logger: Any, method_name: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The event with ``request``, ``server_name`` and the context's attributes, where the call
    has not set them itself. Put it first in ``structlog.configure(processors=[...])``."""
    for name, value in context_fields().items():
        event_dict.setdefault(name, value)
    return event_dict
