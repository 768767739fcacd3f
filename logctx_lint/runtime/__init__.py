"""The reference runtime: log contexts, background work, cancellation, task contexts, web.

The functions that the rules of logctx-lint point to. ``from logctx_lint.runtime import context``
stands in for ``synapse.logging.context``, ``from logctx_lint.runtime import tasks`` for
``aiotask_context``; every name can also be imported from here. Names that need Twisted are
fetched when first asked for, so importing this package imports neither Twisted nor the linter.
``import *`` brings in what can be used with what is installed.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from . import _lazy, context
from .cancellation import (
    cancellable,
    delay_cancellation,
    is_function_cancellable,
    stop_cancellation,
)
from .context import (
    SENTINEL_CONTEXT,
    ContextResourceUsage,
    LogContextError,
    LoggingContext,
    LoggingContextFilter,
    PreserveLoggingContext,
    configure,
    current_context,
    nested_logging_context,
    set_current_context,
)
from .futures import ObservableFuture, make_future_yieldable
from .locks import Linearizer, ReadWriteLock

# Synapse has these in the same module as the contexts.
_IN_CONTEXT: dict[str, str] = {
    "defer_to_thread": "deferreds",
    "defer_to_threadpool": "deferreds",
    "make_deferred_yieldable": "deferreds",
    "preserve_fn": "deferreds",
    "run_coroutine_in_background": "deferreds",
    "run_in_background": "deferreds",
}
_NEEDS_TWISTED: dict[str, str] = {
    **_IN_CONTEXT,
    "ObservableDeferred": "deferreds",
    "concurrently_execute": "deferreds",
    "gather_optional_coroutines": "deferreds",
    "maybe_awaitable": "deferreds",
    "run_as_background_process": "deferreds",
    "timeout_deferred": "deferreds",
    "unwrapFirstError": "deferreds",
    "yieldable_gather_results": "deferreds",
    "async_render": "web",
    "blocking_render": "web",
}
_MODULES = (
    "aiohttp_middleware",
    "asgi",
    "cancellation",
    "deferreds",
    "futures",
    "locks",
    "opentelemetry_bridge",
    "structlog_processor",
    "tasks",
    "testing",
    "web",
)

_lazy.offer(context, _IN_CONTEXT)
_lazy.offer(sys.modules[__name__], {**_NEEDS_TWISTED, **{name: name for name in _MODULES}})

if TYPE_CHECKING:
    from .deferreds import (
        ObservableDeferred,
        concurrently_execute,
        defer_to_thread,
        defer_to_threadpool,
        gather_optional_coroutines,
        make_deferred_yieldable,
        maybe_awaitable,
        preserve_fn,
        run_as_background_process,
        run_coroutine_in_background,
        run_in_background,
        timeout_deferred,
        unwrapFirstError,
        yieldable_gather_results,
    )
    from .web import async_render, blocking_render

__all__ = [
    "SENTINEL_CONTEXT",
    "ContextResourceUsage",
    "Linearizer",
    "LogContextError",
    "LoggingContext",
    "LoggingContextFilter",
    "ObservableDeferred",
    "ObservableFuture",
    "PreserveLoggingContext",
    "ReadWriteLock",
    "async_render",
    "blocking_render",
    "cancellable",
    "concurrently_execute",
    "configure",
    "current_context",
    "defer_to_thread",
    "defer_to_threadpool",
    "delay_cancellation",
    "gather_optional_coroutines",
    "is_function_cancellable",
    "make_deferred_yieldable",
    "make_future_yieldable",
    "maybe_awaitable",
    "nested_logging_context",
    "preserve_fn",
    "run_as_background_process",
    "run_coroutine_in_background",
    "run_in_background",
    "set_current_context",
    "stop_cancellation",
    "timeout_deferred",
    "unwrapFirstError",
    "yieldable_gather_results",
]

if not _lazy.is_installed("twisted"):
    __all__ = [name for name in __all__ if name not in _NEEDS_TWISTED]
