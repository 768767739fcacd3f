# The reference runtime, for code that is linted where it is not to be found.
import logging
from typing import Any, Self

from logctx_lint.runtime.storage import SENTINEL_CONTEXT as SENTINEL_CONTEXT
from logctx_lint.runtime.storage import Sentinel

class LoggingContext:
    name: str
    server_name: str
    request: Any
    parent_context: LoggingContext | None
    finished: bool
    def __init__(
        self,
        name: str = "",
        *,
        server_name: str = "",
        parent_context: LoggingContext | None = None,
        request: Any = None,
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: Any) -> None: ...

class PreserveLoggingContext:
    def __init__(self, new_context: LoggingContext | Sentinel = ...) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *args: Any) -> None: ...

class LoggingContextFilter(logging.Filter):
    def __init__(self, request: str = "") -> None: ...

def current_context() -> LoggingContext | Sentinel: ...
def set_current_context(
    context: LoggingContext | Sentinel,
) -> LoggingContext | Sentinel: ...
def nested_logging_context(
    suffix: str, parent_context: LoggingContext | None = None
) -> LoggingContext: ...
