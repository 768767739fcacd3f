from typing import Any

class Sentinel:
    request: Any

SENTINEL_CONTEXT: Sentinel
