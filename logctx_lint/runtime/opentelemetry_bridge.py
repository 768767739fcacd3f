"""OpenTelemetry: trace and span ids on log records, and a log context entered with a span."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

try:
    import opentelemetry.trace as trace
except ImportError as error:
    raise ImportError("this needs OpenTelemetry: pip install opentelemetry-api") from error

from .context import LoggingContext, current_context

__all__ = ["TraceContextFilter", "span_context"]


def _ids(span: trace.Span) -> tuple[str, str] | None:
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)


class TraceContextFilter(logging.Filter):
    """Adds ``trace_id`` and ``span_id`` of the current span to each log record.

    Put it on handlers, before or after ``LoggingContextFilter``. Without a current span, the ids
    are those that ``span_context`` has set on the log context, or empty: so a format may always
    use them. That is how they are found in thread-local storage, too, where callbacks run outside
    of the span's context variable.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        fields = record.__dict__
        ids = _ids(trace.get_current_span())
        if ids is None:
            attributes = getattr(current_context(), "__dict__", {})
            ids = attributes.get("trace_id", ""), attributes.get("span_id", "")
        fields.setdefault("trace_id", ids[0])
        fields.setdefault("span_id", ids[1])
        return True


@contextmanager
def span_context(
    tracer: trace.Tracer, name: str, *, request: Any = None, **span_arguments: Any
) -> Iterator[LoggingContext]:
    """Start a span, and enter a log context of that name that carries its ids.

    The context is a child of the current one, if any. What else is given is for
    ``tracer.start_span``.
    """
    span = tracer.start_span(name, **span_arguments)
    context = LoggingContext(name, parent_context=current_context() or None, request=request)
    ids = _ids(span)
    if ids is not None:
        context.trace_id, context.span_id = ids
    with context, trace.use_span(span, end_on_exit=True):
        yield context
