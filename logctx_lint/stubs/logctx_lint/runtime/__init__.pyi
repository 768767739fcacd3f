from logctx_lint.runtime.cancellation import (
    cancellable,
    delay_cancellation,
    is_function_cancellable,
    stop_cancellation,
)
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LoggingContext,
    LoggingContextFilter,
    PreserveLoggingContext,
    current_context,
    nested_logging_context,
    set_current_context,
)
from logctx_lint.runtime.deferreds import (
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
from logctx_lint.runtime.web import async_render, blocking_render
