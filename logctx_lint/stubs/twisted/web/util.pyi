from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.resource import Resource

class DeferredResource(Resource):
    def __init__(self, d: Deferred[Any]) -> None: ...

class Redirect(Resource):
    url: bytes
    def __init__(self, url: bytes) -> None: ...

def redirectTo(URL: bytes, request: Any) -> bytes: ...
