from logctx_lint.runtime.cancellation import (
    cancellable as cancellable,
    delay_cancellation as delay_cancellation,
    is_function_cancellable as is_function_cancellable,
    stop_cancellation as stop_cancellation,
)
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT as SENTINEL_CONTEXT,
    LoggingContext as LoggingContext,
    LoggingContextFilter as LoggingContextFilter,
    PreserveLoggingContext as PreserveLoggingContext,
    current_context as current_context,
    nested_logging_context as nested_logging_context,
    set_current_context as set_current_context,
)
from logctx_lint.runtime.deferreds import (
    ObservableDeferred as ObservableDeferred,
    concurrently_execute as concurrently_execute,
    defer_to_thread as defer_to_thread,
    defer_to_threadpool as defer_to_threadpool,
    gather_optional_coroutines as gather_optional_coroutines,
    make_deferred_yieldable as make_deferred_yieldable,
    maybe_awaitable as maybe_awaitable,
    preserve_fn as preserve_fn,
    run_as_background_process as run_as_background_process,
    run_coroutine_in_background as run_coroutine_in_background,
    run_in_background as run_in_background,
    timeout_deferred as timeout_deferred,
    unwrapFirstError as unwrapFirstError,
    yieldable_gather_results as yieldable_gather_results,
)
from logctx_lint.runtime.web import async_render as async_render
from logctx_lint.runtime.web import blocking_render as blocking_render
