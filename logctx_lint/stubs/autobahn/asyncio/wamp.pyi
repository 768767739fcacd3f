from asyncio import Future
from typing import Any

from autobahn.wamp import protocol

class ApplicationSession(protocol.ApplicationSession):
    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Future[Any]: ...
    # A future only if the options ask for an acknowledgement, otherwise None.
    def publish(self, topic: str, *args: Any, **kwargs: Any) -> Any: ...
    def register(
        self,
        endpoint: Any,
        procedure: str | None = None,
        options: Any = None,
        prefix: str | None = None,
        check_types: bool | None = None,
    ) -> Future[Any]: ...
    def subscribe(
        self,
        handler: Any,
        topic: str | None = None,
        options: Any = None,
        check_types: bool | None = None,
    ) -> Future[Any]: ...

class ApplicationSessionFactory(protocol.ApplicationSessionFactory):
    session: type[ApplicationSession]

class Session(ApplicationSession): ...

class ApplicationRunner:
    log: Any
    def __init__(self, url: str, realm: str | None = None, *args: Any, **kwargs: Any) -> None: ...
    def stop(self) -> None: ...
    def run(self, make: Any, *args: Any, **kwargs: Any) -> Any: ...
