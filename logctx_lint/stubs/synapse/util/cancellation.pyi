from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F")

def cancellable(function: F) -> F: ...
def is_function_cancellable(function: Callable[..., Any]) -> bool: ...
