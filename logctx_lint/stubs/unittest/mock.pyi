# A mock can be anything.
from typing import Any

Mock: Any
MagicMock: Any
NonCallableMock: Any
NonCallableMagicMock: Any
AsyncMock: Any
PropertyMock: Any
ANY: Any
DEFAULT: Any
sentinel: Any
call: Any
patch: Any

def create_autospec(spec: Any, *args: Any, **kwargs: Any) -> Any: ...
def mock_open(mock: Any = None, read_data: Any = "") -> Any: ...
def seal(mock: Any) -> None: ...
