from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")

def getProcessOutput(executable: Any, *args: Any, **kwargs: Any) -> Deferred[bytes]: ...
def getProcessValue(executable: Any, *args: Any, **kwargs: Any) -> Deferred[int]: ...
def getProcessOutputAndValue(
    executable: Any, *args: Any, **kwargs: Any
) -> Deferred[tuple[bytes, bytes, int]]: ...
def runWithWarningsSuppressed(
    suppressedWarnings: Any, f: Callable[..., T], *a: Any, **kw: Any
) -> T: ...
