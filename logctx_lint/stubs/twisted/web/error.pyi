class Error(Exception):
    status: bytes
    message: bytes | None
    response: bytes | None

class PageRedirect(Error):
    location: bytes | None

class InfiniteRedirection(Error): ...
class SchemeNotSupported(Exception): ...
class UnsupportedMethod(Exception): ...
