from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.resource import Resource

class XMLRPC(Resource):
    def __init__(self, allowNone: bool = False, useDateTime: bool = False) -> None: ...

class Proxy:
    def __init__(self, url: bytes, *args: Any, **kwargs: Any) -> None: ...
    def callRemote(self, method: str, *args: Any) -> Deferred[Any]: ...
