"""The examples in ``examples/services``, run as programs: 500 requests at once, ids right on
every line, nothing left, nothing hung."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logctx_lint.frontends.runtime_copy import write

from .helpers import PATIENCE

EXAMPLES = Path(__file__).parents[2] / "examples" / "services"
REQUESTS = 500
DISCONNECTED = 10
OF_REQUEST = re.compile(
    r"(?:/(?:order|fail|sync|block|wait)/|(?:ordered|looked up|computed|blocked|waiting) )(\d+)"
)


class Service:
    """An example, running; it stops by itself."""

    def __init__(self, program: Path, folder: Path, requests: int) -> None:
        port_file = folder / "port"
        command = [sys.executable, str(program), str(port_file), str(requests)]
        self._output = (folder / "output").open("w+")
        self._process = subprocess.Popen(command, stdout=self._output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + PATIENCE
        while not (port_file.exists() and port_file.read_text()):
            assert self._process.poll() is None, self.output()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.port = int(port_file.read_text())

    def output(self) -> str:
        self._output.seek(0)
        return self._output.read()

    def lines(self) -> list[dict[str, Any]]:
        """Its log lines, once it has ended."""
        assert self._process.wait(PATIENCE) == 0, self.output()
        return [json.loads(line) for line in self.output().splitlines()]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._output.close()


async def get(port: int, path: str, request_id: str) -> tuple[int, str, str]:
    """Status, the id in the answer's header, and the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: {request_id}\r\n"
        "Connection: close\r\n\r\n".encode()
    )
    answer = (await reader.read()).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    headers = {
        name.lower(): value
        for name, _, value in (line.partition(": ") for line in head.splitlines()[1:])
    }
    return int(head.split()[1]), headers.get("x-request-id", ""), body


async def disconnect(port: int, path: str, request_id: str) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: {request_id}\r\n\r\n".encode()
    )
    await asyncio.sleep(1.0)  # let it begin to wait
    writer.close()


async def ask_all(port: int, kinds: list[str]) -> None:
    async def ask(number: int) -> None:
        kind = kinds[number % len(kinds)]
        status, echoed, body = await get(port, f"/{kind}/{number}", f"id-{number}")
        if kind == "fail":
            assert status == 500
        else:
            assert status == 200, (kind, body)
            assert body == (f"{number} id-{number}" if kind != "block" else str(number))
        if kind == "order":
            assert echoed == f"id-{number}"

    async def go(number: int) -> None:
        await disconnect(port, f"/wait/{number}", f"id-{number}")

    requests = [ask(number) for number in range(REQUESTS)]
    gone = [go(number) for number in range(REQUESTS, REQUESTS + DISCONNECTED)]
    await asyncio.wait_for(asyncio.gather(*requests, *gone), PATIENCE)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    services: list[Service] = []

    def started(name: str, folder: Path = EXAMPLES) -> Service:
        services.append(Service(folder / name, tmp_path, REQUESTS + DISCONNECTED))
        return services[-1]

    yield started
    for service in services:
        service.close()


def check_lines(lines: list[dict[str, Any]], kinds: list[str]) -> None:
    by_id: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        assert "of 'NoneType'" not in line["message"]
        by_id[line["request"]].append(line["message"])
        if "exception" in line:
            assert f"KeyError: '{line['request'].removeprefix('id-')}'" in line["exception"]
    for number in range(REQUESTS):
        kind = kinds[number % len(kinds)]
        messages = by_id[f"id-{number}"]
        if kind == "order":
            assert f"ordered {number}" in messages
            assert f"looked up {number}" in messages
        if kind == "block":
            assert f"computed {number}" in messages
        if kind in ("order", "fail", "sync", "block"):
            access = re.compile(rf"/{kind}/{number}\b")
            assert any(access.search(message) for message in messages)
        if kind == "fail":
            errors = [
                line for line in lines if line["request"] == f"id-{number}" and "exception" in line
            ]
            assert len(errors) == 1, messages
        for message in messages:  # nobody else's
            assert set(OF_REQUEST.findall(message)) <= {str(number)}, (number, message)
    for number in range(REQUESTS, REQUESTS + DISCONNECTED):
        assert f"stopped waiting {number}" in by_id[f"id-{number}"]
    assert "left: sentinel 0" in by_id["sentinel"]
    assert sum("cleaned up" in line["message"] for line in lines) == sum(
        kinds[number % len(kinds)] == "order" for number in range(REQUESTS)
    )
    assert not [line for line in lines if "og context" in line["message"]]
    strange = [
        line for line in lines if line["level"] in ("WARNING", "ERROR") and "exception" not in line
    ]
    assert [line for line in strange if line["request"] == "sentinel"] == []


SERVICES = pytest.mark.parametrize(
    ("name", "package", "kinds"),
    [
        ("asgi_service.py", "uvicorn", ["order", "order", "sync", "fail"]),
        ("aiohttp_service.py", "aiohttp", ["order", "order", "order", "fail"]),
        ("twisted_service.py", "twisted", ["order", "order", "block", "fail"]),
    ],
)


@SERVICES
def test_five_hundred_requests_on_a_copy_without_the_linter(
    start: Any, tmp_path: Path, name: str, package: str, kinds: list[str]
) -> None:
    pytest.importorskip(package)
    folder = tmp_path / "service"
    write(folder / "logctx", "twisted" if package == "twisted" else "asyncio")
    unwanted = ("logctx_lint", "libcst", "flake8")
    forbid = f"import sys\nfor gone in {unwanted!r}: sys.modules[gone] = None\n"
    for program in (name, "service_logging.py"):
        text = (EXAMPLES / program).read_text().replace("logctx_lint.runtime", "logctx")
        text = text.replace("from __future__ import annotations\n", "")
        (folder / program).write_text(f"from __future__ import annotations\n{forbid}{text}")
    service = start(name, folder)
    asyncio.run(ask_all(service.port, kinds))
    check_lines(service.lines(), kinds)


@SERVICES
def test_five_hundred_requests_at_once(
    start: Any, name: str, package: str, kinds: list[str]
) -> None:
    pytest.importorskip(package)
    service = start(name)
    asyncio.run(ask_all(service.port, kinds))
    check_lines(service.lines(), kinds)
