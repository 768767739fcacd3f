"""The built-in names of log contexts, context variables, tracing spans and loggers, by role.

A part of the vocabulary (`config/vocabulary.py`), which speaks of those who keep something in the
current context, bind it, read it and write it to logs.
"""

from __future__ import annotations

from collections.abc import Mapping

from logctx_lint.config.roles import Role

RUNTIME = "logctx_lint.runtime"
RUNTIME_MODULES = (RUNTIME, f"{RUNTIME}.*")
CONTEXT_MODULE = "synapse.logging.context"
_LOGGERS = (
    "logging", "logging.Logger", "loguru.logger", "loguru._logger.Logger",
    "structlog.stdlib.BoundLogger",
)  # fmt: skip
_SCOPES = ("push_scope", "new_scope", "isolation_scope", "use_scope", "use_isolation_scope")


def helpers(synapse_module: str, *names: str) -> tuple[str, ...]:
    """Synapse's helpers and those of the reference runtime, whose names are alike.

    The first name of a role is the one that fixes suggest where the project has no other.
    """
    modules = (synapse_module, *RUNTIME_MODULES)
    return tuple(f"{module}.{name}" for name in names for module in modules)


LOG_CONTEXTS: Mapping[Role, tuple[str, ...]] = {
    Role.SENTINEL_GUARD: helpers(CONTEXT_MODULE, "PreserveLoggingContext"),
    Role.SENTINEL_CONTEXT: ("*.SENTINEL_CONTEXT",),
    Role.CONTEXT_MANAGER: helpers(CONTEXT_MODULE, "LoggingContext", "nested_logging_context"),
    Role.NESTED_CONTEXT: helpers(CONTEXT_MODULE, "nested_logging_context"),
    Role.CONTEXT_SETTER: helpers(CONTEXT_MODULE, "set_current_context"),
    Role.CONTEXT_GETTER: helpers(CONTEXT_MODULE, "current_context"),
    Role.CONTEXT_BINDING: (
        "structlog.contextvars.bound_contextvars",
        "structlog.threadlocal.bound_threadlocal",
        "loguru.logger.contextualize",
        "loguru._logger.Logger.contextualize",
        *(f"sentry_sdk.{home}{name}" for home in ("", "api.", "scope.") for name in _SCOPES),
    ),
    Role.CONTEXT_TOKEN: (
        "contextvars.ContextVar.set",
        "opentelemetry.context.attach",
        "structlog.contextvars.bind_contextvars",
    ),
    Role.TOKEN_RESETTER: (
        "contextvars.ContextVar.reset",
        "opentelemetry.context.detach",
        "structlog.contextvars.reset_contextvars",
    ),
    Role.CONTEXT_UNBINDER: (
        "structlog.contextvars.clear_contextvars",
        "structlog.contextvars.unbind_contextvars",
    ),
    Role.CONTEXT_ATTACHER: ("opentelemetry.context.attach",),
    Role.ATTACHED_CONTEXT: ("opentelemetry.context.get_current",),
    Role.CONTEXT_VALUE: ("opentelemetry.context.set_value",),
    Role.CONTEXT_READER: (
        "contextvars.ContextVar.get",
        "asgi_correlation_id.correlation_id.get",
        "asgi_correlation_id.context.correlation_id.get",
        "aiotask_context.get",
        "structlog.contextvars.get_contextvars",
        "opentelemetry.trace.get_current_span",
        "opentelemetry.context.get_current",
        "opentelemetry.context.get_value",
        *helpers(CONTEXT_MODULE, "current_context"),
    ),
    Role.CONTEXT_LOGGER: tuple(
        f"{home}.{name}"
        for home in _LOGGERS
        for name in ("debug", "info", "warning", "error", "exception", "critical", "log")
    ),
    Role.LOG_WRITER: (
        "builtins.print",
        "traceback.print_*",
        *(f"{home}.*" for home in ("logging", "loguru", "structlog", "sys.stderr", "sys.stdout")),
        *(f"{home}.*" for home in ("twisted.logger", "twisted.python.log")),
    ),
    Role.CONTEXT_COPIER: ("contextvars.copy_context",),
    Role.TRACING_SPAN: (
        "synapse.logging.opentracing.start_active_span*",
        "opentracing.Scope",
        "opentracing.scope.Scope",
        "opentracing.Span",
        "opentracing.span.Span",
        "opentracing.*.start_active_span",
        "opentracing.*.start_span",
        "opentelemetry.trace.Span",
        "opentelemetry.trace.span.Span",
        "opentelemetry.trace.*.start_as_current_span",
        "opentelemetry.trace.use_span",
        "ddtrace.*.trace",
        "langfuse.*.start_as_current_*",
        "logfire.span",
        "logfire.*.span",
        "sentry_sdk.start_span",
        "sentry_sdk.start_transaction",
        "sentry_sdk.trace",
        "sentry_sdk.tracing.trace",
        "sentry_sdk.api.start_span",
        "sentry_sdk.api.start_transaction",
    ),
    Role.MEASUREMENT: (
        "synapse.util.metrics.Measure",
        "prometheus_client.*.time",
        "prometheus_client.*.track_inprogress",
        "prometheus_client.*.count_exceptions",
    ),
}
