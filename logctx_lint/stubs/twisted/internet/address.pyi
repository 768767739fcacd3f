from twisted.internet.interfaces import IAddress

class IPv4Address(IAddress):
    type: str
    host: str
    port: int
    def __init__(self, type: str, host: str, port: int) -> None: ...

class IPv6Address(IAddress):
    type: str
    host: str
    port: int
    def __init__(self, type: str, host: str, port: int, *args: int | str) -> None: ...

class HostnameAddress(IAddress):
    hostname: bytes
    port: int
    def __init__(self, hostname: bytes, port: int) -> None: ...

class UNIXAddress(IAddress):
    name: bytes | None
    def __init__(self, name: bytes | str | None) -> None: ...
