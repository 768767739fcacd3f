"""Queues, channels, consumers and connections of libraries, and the servers that accept these."""

from __future__ import annotations

_CHANNELS = (
    "anyio.abc.ObjectReceiveStream", "anyio.streams.memory.MemoryObjectReceiveStream",
    "trio.MemoryReceiveChannel", "trio.abc.ReceiveChannel",
)  # fmt: skip
_CONSUMERS = (
    "aiokafka.AIOKafkaConsumer", "aiokafka.consumer.consumer.AIOKafkaConsumer",
    "confluent_kafka.Consumer", "kafka.KafkaConsumer",
)  # fmt: skip
_ZMQ_RECEIVERS = ("recv", "recv_json", "recv_multipart", "recv_pyobj", "recv_string")
_STREAMS = (
    "aiohttp.client_ws.ClientWebSocketResponse", "aiohttp.web_ws.WebSocketResponse",
    "anyio.abc.ByteReceiveStream", "anyio.abc.ByteStream", "anyio.abc.SocketStream",
    "asyncio.streams.StreamReader", "fastapi.WebSocket", "quart.wrappers.Websocket",
    "sanic.Websocket", "socket.socket", "starlette.websockets.WebSocket", "trio.SocketStream",
    "websockets.asyncio.connection.Connection",
    "websockets.legacy.protocol.WebSocketCommonProtocol",
)  # fmt: skip
_READERS = ("read", "readline", "receive", "recv")
_SERVERS = (
    "asyncio.start_server", "asyncio.start_unix_server", "asyncio.streams.start_server",
    "asyncio.streams.start_unix_server", "anyio.abc.Listener.serve",
    "anyio.abc.SocketListener.serve", "trio.serve_listeners", "trio.serve_tcp",
)  # fmt: skip
_WEBSOCKET_HOMES = ("", "asyncio.server.", "legacy.server.", "server.")

WORK_SOURCES = (
    "asyncio.queues.Queue.get",
    "queue.Queue.get",
    "queue.SimpleQueue.get",
    "multiprocessing.*Queue.get",
    "multiprocessing.connection.Connection.recv",
    "janus.*Queue.get",
    "twisted.internet.defer.DeferredQueue.get",
    "socket.socket.accept",
    "asyncio.events.AbstractEventLoop.sock_accept",
    *(f"{channel}{name}" for channel in _CHANNELS for name in ("", ".receive")),
    *(f"{consumer}{name}" for consumer in _CONSUMERS for name in ("", ".getone", ".poll")),
    *(f"zmq.{home}Socket.{name}" for home in ("", "asyncio.") for name in _ZMQ_RECEIVERS),
)
CONNECTIONS = (
    *_STREAMS,
    *(f"{stream}.{name}" for stream in _STREAMS for name in _READERS),
)
CONNECTION_SERVERS = (
    *_SERVERS,
    *(f"websockets.{home}{name}serve" for home in _WEBSOCKET_HOMES for name in ("", "unix_")),
)
