"""The filter that puts the current log context on log records."""

from __future__ import annotations

import logging
from typing import Any, Final

from . import accounting, storage
from .storage import SENTINEL_CONTEXT

__all__ = ["LoggingContextFilter", "context_fields"]

_here, _variable = storage.here, storage.variable

# Attributes that a log record has anyway; a context's field of the same name must not hide them.
_RECORD_FIELDS: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class LoggingContextFilter(logging.Filter):
    """Adds ``request``, ``server_name`` and the context's own attributes to each log record.

    Put it on *handlers*: a logger's filters are skipped for records that come from its
    children. Never drops a record. ``request`` is the default for records outside any context,
    so that ``%(request)s`` never fails; there, what somebody else put on the record is left
    alone. So is, everywhere, what a logging call has set itself (``extra=``), and the standard
    attributes of a record.
    """

    def __init__(self, request: str = "") -> None:
        super().__init__()
        self._default_request = request or str(SENTINEL_CONTEXT)

    def filter(self, record: logging.LogRecord) -> bool:
        context = (_here.cell if storage.thread_local else _variable.get())[0]
        if storage.slotted:
            accounting.follow(context)
        fields = record.__dict__
        if context is SENTINEL_CONTEXT:
            fields.setdefault("request", self._default_request)
            fields.setdefault("server_name", "")
            return True
        # What the call itself has put on the record, as `extra=`, stays.
        request = context.request
        if "server_name" not in fields:
            fields["server_name"] = context.server_name
        described = None
        if request is not None and type(request) is not str:
            described = _described(request)
        if "request" not in fields:
            fields["request"] = context.name if request is None or described else request
        if context.__dict__:
            _add_fields(fields, context.__dict__)
        if described:
            _add_fields(fields, described)
        return True


def context_fields() -> dict[str, Any]:
    """What the filter adds to a record of the code that is running."""
    record = logging.makeLogRecord({})
    before = frozenset(record.__dict__)
    LoggingContextFilter().filter(record)
    return {name: value for name, value in record.__dict__.items() if name not in before}


def _add_fields(record: dict[str, Any], fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        if name not in record and name not in _RECORD_FIELDS:
            record[name] = value


def _described(request: object) -> dict[str, Any] | None:
    """The fields of a request that is a dataclass or attrs object, None for a plain id."""
    names = getattr(request, "__dataclass_fields__", None)
    if names is None:
        names = [field.name for field in getattr(request, "__attrs_attrs__", ())]
    return {name: getattr(request, name) for name in names} or None
