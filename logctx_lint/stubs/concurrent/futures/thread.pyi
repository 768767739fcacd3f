from concurrent.futures._base import Executor
from typing import Any

class ThreadPoolExecutor(Executor):
    def __init__(self, max_workers: int | None = None, *args: Any, **kwargs: Any) -> None: ...
