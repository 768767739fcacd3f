"""A site under test, over real HTTP on the loopback, and what goes wrong in it.

Faults go in at E1 to E5 of seed ``twisted_deferred_web``: E1 in the thread, E2 before the page is
written, E3 between writing and finishing, E4 after finishing, E5 in ``render_GET`` after the
thread was started.
"""

# mypy: disallow-subclassing-any=False

from __future__ import annotations

import http.client
import socket
import threading
import time
from typing import Any, cast

from twisted.logger import globalLogPublisher
from twisted.web import resource, server

from .helpers import PATIENCE, RealReactor

PAGE = "<html><body>\n<p>Page view #1 in this session</p>\n</body></html>\n"


class Fault(Exception):
    pass


# Twisted's web classes are only partly annotated.
BaseRequest: Any = server.Request
BaseSite: Any = server.Site
Resource: Any = resource.Resource


class FaultyRequest(BaseRequest):
    """A request that fails on demand, and tells when it is over and what was written to it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.site_under_test = self.channel.site
        self.site_under_test.requests.append(self)
        self.written: list[bytes] = []
        self.finishes = 0
        self.written_when_over = 0

    def write(self, data: bytes) -> None:
        fault = self.site_under_test.take_fault
        if self.finished or self._disconnected:
            self.written_when_over += 1
        if fault("E2"):
            raise Fault("E2")
        super().write(data)
        self.written.append(data)
        if fault("E3"):
            raise Fault("E3")

    def finish(self) -> None:
        if self.finished or self._disconnected:
            self.written_when_over += 1
        self.finishes += 1
        if self.site_under_test.take_fault("E3b"):
            raise Fault("E3b")
        super().finish()
        if self.site_under_test.take_fault("E4"):
            raise Fault("E4")


class SiteUnderTest(BaseSite):
    displayTracebacks = True

    def __init__(self, root: resource.Resource) -> None:
        super().__init__(root, requestFactory=FaultyRequest)
        self.requests: list[FaultyRequest] = []
        self.faults: set[str] = set()

    def take_fault(self, name: str) -> bool:
        """Each fault happens once: what it leads to is another matter."""
        found = name in self.faults
        self.faults.discard(name)
        return found


class Server:
    """A site on a free port of the loopback, and the failures that were logged meanwhile."""

    def __init__(self, reactor: RealReactor, root: resource.Resource) -> None:
        self.reactor = reactor
        self.site = SiteUnderTest(root)
        self.failures: list[str] = []
        cast(Any, globalLogPublisher).addObserver(self._observe)
        self._port = reactor.call(
            lambda: reactor.reactor.listenTCP(0, self.site, interface="127.0.0.1")
        )
        self.port: int = self._port.getHost().port

    def _observe(self, event: Any) -> None:
        if "log_failure" in event:
            self.failures.append(str(event["log_failure"].value))

    def get(self, method: str = "GET") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, "/")
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        """A client that may go away: its request has been sent."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return client

    def settle(self) -> None:
        """Wait until the threads have done what was begun, and the reactor knows."""
        team = self.reactor.reactor.getThreadPool()._team

        def busy() -> bool:
            statistics = team.statistics()
            return bool(statistics.busyWorkerCount or statistics.backloggedWorkCount)

        deadline = time.monotonic() + PATIENCE
        while self.reactor.call(busy):
            assert time.monotonic() < deadline, "a thread hangs"
        self.reactor.call(lambda: None)  # their results came before this

    def close(self) -> None:
        self.reactor.call(self._port.stopListening)
        for request in self.site.requests:
            if getattr(request, "channel", None) is not None:
                self.reactor.call(request.loseConnection)
        self.settle()
        cast(Any, globalLogPublisher).removeObserver(self._observe)


def disconnect(running: Server, client: socket.socket) -> threading.Event:
    """Close the client; the event is set once the server's request knows."""
    gone = threading.Event()
    (request,) = running.site.requests

    def watch() -> None:
        request.notifyFinish().addErrback(lambda _: gone.set())

    running.reactor.call(watch)
    client.close()
    return gone
