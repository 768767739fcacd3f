"""JSON log lines with the log context on each, written by a thread of their own."""

from __future__ import annotations

import json
import logging
import logging.config
import logging.handlers
import queue
from typing import Any

PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: the message, and whatever filters and ``extra=`` have added."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update((k, v) for k, v in record.__dict__.items() if k not in PLAIN)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        elif record.exc_text:  # a queue handler has formatted it already
            line["exception"] = record.exc_text
        return json.dumps(line, default=str)


class KeepingQueueHandler(logging.handlers.QueueHandler):
    """Leaves the record as it is: the queue stays in the process, so nothing has to be pickled."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"context": {"()": "logctx_lint.runtime.LoggingContextFilter"}},
    "formatters": {"json": {"()": JsonFormatter}},
    "handlers": {
        "output": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "json",
        },
        # The filter belongs here, where the record is made. On "output" it would run in the
        # listener's thread, which has no log context.
        "queue": {"()": KeepingQueueHandler, "queue": queue.SimpleQueue(), "filters": ["context"]},
    },
    "root": {"level": "INFO", "handlers": ["queue"]},
}


def start_logging() -> logging.handlers.QueueListener:
    """Configure logging; the result has to be stopped at the end, or the last lines are lost."""
    config: dict[str, Any] = {**LOGGING, "root": {"level": "INFO", "handlers": ["queue", "output"]}}
    logging.config.dictConfig(config)
    root = logging.getLogger()
    into_queue, output = root.handlers
    assert isinstance(into_queue, logging.handlers.QueueHandler)
    root.removeHandler(output)
    listener = logging.handlers.QueueListener(into_queue.queue, output)
    listener.start()
    return listener
