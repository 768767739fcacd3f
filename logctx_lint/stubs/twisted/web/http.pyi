from typing import IO, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.protocols.basic import LineReceiver
from twisted.web.http_headers import Headers
from twisted.web.iweb import IRequest

class PotentialDataLoss(Exception): ...

class Request(IRequest):
    channel: Any
    code: int
    code_message: bytes
    clientproto: bytes
    content: IO[bytes]
    cookies: list[bytes]
    finished: int
    method: bytes
    notifications: list[Deferred[None]]
    producer: Any
    queued: int
    requestHeaders: Headers
    responseHeaders: Headers
    sentLength: int
    startedWriting: int
    transport: Any
    uri: bytes
    def __init__(self, channel: Any, *args: Any, **kwargs: Any) -> None: ...
    def notifyFinish(self) -> Deferred[None]: ...
    def finish(self) -> None: ...
    def write(self, data: bytes) -> None: ...
    def process(self) -> None: ...
    def gotLength(self, length: int | None) -> None: ...
    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None: ...
    def registerProducer(self, producer: Any, streaming: bool) -> None: ...
    def unregisterProducer(self) -> None: ...
    def setLastModified(self, when: float) -> Any: ...
    def setETag(self, etag: bytes) -> Any: ...
    def getClientAddress(self) -> IAddress: ...
    def connectionLost(self, reason: Any) -> None: ...
    def loseConnection(self) -> None: ...

class HTTPChannel(LineReceiver):
    requests: list[Request]
    site: Any
    def isSecure(self) -> bool: ...
    def requestDone(self, request: Request) -> None: ...
    def loseConnection(self) -> None: ...
    def forceAbortClient(self) -> None: ...

class HTTPFactory(ServerFactory):
    timeOut: float
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def log(self, request: Request) -> None: ...

OK: int
CREATED: int
NO_CONTENT: int
FOUND: int
NOT_MODIFIED: int
BAD_REQUEST: int
UNAUTHORIZED: int
FORBIDDEN: int
NOT_FOUND: int
NOT_ALLOWED: int
CONFLICT: int
GONE: int
INTERNAL_SERVER_ERROR: int
NOT_IMPLEMENTED: int
BAD_GATEWAY: int
SERVICE_UNAVAILABLE: int
RESPONSES: dict[int, bytes]
CACHED: Any

def datetimeToString(msSinceEpoch: float | None = None) -> bytes: ...
def stringToDatetime(dateString: bytes) -> int: ...
