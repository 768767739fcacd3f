"""The rules. Each module is one rule, and its docstring is its page in docs/rules.md."""

from __future__ import annotations

from logctx_lint.rules.awaitables import (
    async_callback,
    awaitable_as_value,
    awaitable_never_used,
    escaping_return,
    late_await,
    raw_await,
    redundant_yieldable,
    sometimes_awaitable,
    unawaited_awaitable,
)
from logctx_lint.rules.background import (
    background_in_request,
    called_not_passed,
    dropped_task,
    fire_and_forget,
    gathered_in_foreground,
    outlived_context,
    timer_without_context,
)
from logctx_lint.rules.cancellation import (
    cancellable_write,
    shared_cancellable,
    swallowed_cancellation,
    unconsumed_errors,
    unsafe_cancellable,
    wrapped_first_error,
)
from logctx_lint.rules.deferreds import dropped_failure, hanging_request
from logctx_lint.rules.log_contexts import (
    callback_in_context,
    context_not_restored,
    finished_context_reused,
    manual_context,
)
from logctx_lint.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    unawaited_awaitable.RULE,
    awaitable_never_used.RULE,
    awaitable_as_value.RULE,
    late_await.RULE,
    raw_await.RULE,
    async_callback.RULE,
    sometimes_awaitable.RULE,
    redundant_yieldable.RULE,
    escaping_return.RULE,
    fire_and_forget.RULE,
    called_not_passed.RULE,
    gathered_in_foreground.RULE,
    dropped_task.RULE,
    outlived_context.RULE,
    background_in_request.RULE,
    timer_without_context.RULE,
    swallowed_cancellation.RULE,
    wrapped_first_error.RULE,
    shared_cancellable.RULE,
    unsafe_cancellable.RULE,
    cancellable_write.RULE,
    unconsumed_errors.RULE,
    finished_context_reused.RULE,
    context_not_restored.RULE,
    callback_in_context.RULE,
    manual_context.RULE,
    hanging_request.RULE,
    dropped_failure.RULE,
)
