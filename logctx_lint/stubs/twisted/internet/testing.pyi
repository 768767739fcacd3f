from typing import Any

from twisted.internet import _Reactor
from twisted.internet.interfaces import IAddress, IConsumer, IPushProducer, ITransport
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock

class AccumulatingProtocol(Protocol):
    data: bytes
    made: int
    closed: int

class StringTransport(ITransport, IConsumer, IPushProducer):
    disconnecting: bool
    producer: Any
    def __init__(self, hostAddress: Any = None, peerAddress: Any = None) -> None: ...
    def clear(self) -> None: ...
    def value(self) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def abortConnection(self) -> None: ...
    def getPeer(self) -> IAddress: ...
    def getHost(self) -> IAddress: ...

class StringTransportWithDisconnection(StringTransport):
    protocol: Any

class MemoryReactor(_Reactor):
    tcpClients: list[Any]
    tcpServers: list[Any]
    sslClients: list[Any]
    sslServers: list[Any]
    triggers: dict[str, Any]
    whenRunningHooks: list[Any]

class MemoryReactorClock(MemoryReactor, Clock): ...
