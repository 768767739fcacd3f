"""The programs of the seed on Twisted's web server, which break the way that it says."""

# mypy: disallow-subclassing-any=False

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet import threads
from twisted.internet.defer import Deferred
from twisted.web import server

from .helpers import PATIENCE
from .web_helpers import PAGE, Resource, Server

# --- The programs of the seed, which break


class SeedEcho(Resource):
    """What the question and its two answers have in common."""

    isLeaf = True

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.over = threading.Event()

    def callback1(self, value: int) -> str:
        if self.fault == "E1":
            raise ValueError("E1")
        return "".join(
            [
                "<html><body>\n",
                f"<p>Page view #{value} in this session</p>\n",
                "</body></html>\n",
            ]
        )

    def callback2(self, request: Any, encoding: str) -> Callable[[str], int]:
        def execute(message: str) -> int:
            if self.fault == "E2":
                raise ValueError("E2")
            request.write(message.encode(encoding))
            if self.fault == "E3":
                raise ValueError("E3")
            request.finish()
            if self.fault == "E4":
                raise ValueError("E4")
            return server.NOT_DONE_YET

        return execute

    def render_GET(self, request: Any) -> int:
        d = threads.deferToThread(self.callback1, 1)
        self.chain(d, request)
        d.addBoth(self.remember)
        if self.fault == "E5":
            raise ValueError("E5")
        return server.NOT_DONE_YET

    def chain(self, d: Deferred[Any], request: Any) -> None:
        raise NotImplementedError

    def remember(self, result: object) -> None:
        self.over.set()


class Question(SeedEcho):
    def chain(self, d: Deferred[Any], request: Any) -> None:
        d.addCallback(self.callback2(request, "UTF-8"))
        d.addErrback(lambda failure: failure)


class FirstAnswer(SeedEcho):
    def chain(self, d: Deferred[Any], request: Any) -> None:
        def errback(failure: Any) -> None:
            request.processingFailed(failure)

        d.addCallback(self.callback2(request, "UTF-8"))
        d.addErrback(errback)


class SecondAnswer(SeedEcho):
    def chain(self, d: Deferred[Any], request: Any) -> None:
        def eback(failure: Any) -> Any:
            request.processingFailed(failure)
            return failure

        d.addErrback(eback)
        d.addCallback(self.callback2(request, "UTF-8"))
        d.addErrback(eback)


@pytest.mark.parametrize("fault", ["E1", "E2", "E3"])
def test_program_of_the_question_hangs(serve: Callable[..., Server], fault: str) -> None:
    program = Question(fault)
    running = serve(program)
    client = running.connect()
    assert program.over.wait(PATIENCE)
    running.settle()
    (request,) = running.site.requests
    assert not request.finished  # and nobody is left who would finish it
    assert len(request.written) == (1 if fault == "E3" else 0)
    client.close()


@pytest.mark.parametrize("program", [Question, FirstAnswer, SecondAnswer])
def test_programs_of_the_seed_without_a_fault(
    serve: Callable[..., Server], program: type[SeedEcho]
) -> None:
    assert serve(program("")).get() == (200, PAGE.encode())


def test_program_of_the_question_fails_at_e5_as_desired(serve: Callable[..., Server]) -> None:
    program = Question("E5")
    status, body = serve(program).get()
    assert status == 500
    assert b"ValueError" in body
    assert program.over.wait(PATIENCE)


@pytest.mark.parametrize("program", [FirstAnswer, SecondAnswer])
@pytest.mark.parametrize("fault", ["E1", "E2"])
def test_answers_show_a_traceback_where_there_is_no_page_yet(
    serve: Callable[..., Server], program: type[SeedEcho], fault: str
) -> None:
    status, body = serve(program(fault)).get()
    assert status == 500
    assert b"ValueError" in body


@pytest.mark.parametrize("program", [FirstAnswer, SecondAnswer])
def test_answers_append_a_traceback_to_a_page_already_begun(
    serve: Callable[..., Server], program: type[SeedEcho]
) -> None:
    status, body = serve(program("E3")).get()
    assert status == 200
    assert body.startswith(PAGE.encode())
    assert b"ValueError" in body


@pytest.mark.parametrize("program", [FirstAnswer, SecondAnswer])
def test_answers_write_to_a_finished_request(
    serve: Callable[..., Server], program: type[SeedEcho]
) -> None:
    running = serve(program("E4"))
    running.get()
    running.settle()
    assert running.site.requests[0].written_when_over > 0
