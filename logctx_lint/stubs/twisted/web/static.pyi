from typing import Any

from twisted.web.resource import Resource

class File(Resource):
    def __init__(self, path: Any, *args: Any, **kwargs: Any) -> None: ...

class Data(Resource):
    data: bytes
    def __init__(self, data: bytes, type: Any) -> None: ...
