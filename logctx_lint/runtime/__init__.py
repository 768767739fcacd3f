"""The reference runtime: log contexts, background work, cancellation, task contexts, web.

The functions that the rules of logctx-lint point to. ``from logctx_lint.runtime import context``
stands in for ``synapse.logging.context``, ``from logctx_lint.runtime import tasks`` for
``aiotask_context``; every name can also be imported from here. Names that need Twisted are
fetched when first asked for, so importing this package imports neither Twisted nor the linter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

_NEEDS_TWISTED = {
    "ObservableDeferred": "deferreds",
    "concurrently_execute": "deferreds",
    "defer_to_thread": "deferreds",
    "defer_to_threadpool": "deferreds",
    "gather_optional_coroutines": "deferreds",
    "make_deferred_yieldable": "deferreds",
    "maybe_awaitable": "deferreds",
    "preserve_fn": "deferreds",
    "run_as_background_process": "deferreds",
    "run_coroutine_in_background": "deferreds",
    "run_in_background": "deferreds",
    "timeout_deferred": "deferreds",
    "unwrapFirstError": "deferreds",
    "yieldable_gather_results": "deferreds",
    "async_render": "web",
    "blocking_render": "web",
}

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
else:

    def __getattr__(name: str) -> Any:
        if name not in _NEEDS_TWISTED:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        try:
            module = import_module(f"{__name__}.{_NEEDS_TWISTED[name]}")
        except ImportError as error:
            raise ImportError(f"{__name__}.{name}: {error}") from error
        return getattr(module, name)


__all__ = [
    "SENTINEL_CONTEXT",
    "ContextResourceUsage",
    "LogContextError",
    "LoggingContext",
    "LoggingContextFilter",
    "ObservableDeferred",
    "PreserveLoggingContext",
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
