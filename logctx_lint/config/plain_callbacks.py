"""Decorators and base classes of libraries whose functions must not be asynchronous."""

from __future__ import annotations

PLAIN_SCHEDULER = "apscheduler.schedulers.b*.B*Scheduler"
PLAIN_CALLERS = (
    "celery.*.task", "celery.shared_task", "click.command", "click.group", "click.*.command",
    "click.*.group", "huey.*.task", "huey.*.periodic_task", "invoke.task", "rq.*.job",
    "typer.*.callback", "typer.*.command",
    f"{PLAIN_SCHEDULER}.scheduled_job",
)  # fmt: skip


PLAIN_HOOKS = (
    "keyboard.add_hotkey", "keyboard.hook", "keyboard.on_press", "keyboard.on_release",
    "paho.mqtt.client.Client.message_callback_add", "paho.mqtt.client.Client.on_*",
    "pika.*.basic_consume", "pynput.*.Listener",
    "websocket.WebSocketApp", "websocket.WebSocketApp.on_*", "websocket._app.WebSocketApp*",
)  # fmt: skip
"""Functions of libraries that are given plain functions, and attributes that hold such."""


def methods(base: str, names: str) -> tuple[str, ...]:
    """The qualified names of methods, whose names are given in one text."""
    return tuple(f"{base}.{name}" for name in names.split())


_OF_HANDLERS = (
    "initialize log_exception on_connection_close on_finish set_default_headers write_error"
)
PLAIN_METHODS = (
    *methods(
        "asyncio.protocols.BaseProtocol",
        "connection_made connection_lost pause_writing resume_writing data_received eof_received "
        "datagram_received error_received get_buffer buffer_updated pipe_data_received "
        "pipe_connection_lost process_exited",
    ),
    *methods("argparse.Action", "__call__"),
    *methods("celery.*Task", "after_return on_failure on_retry on_success run"),
    *methods("cmd.Cmd", "do_* default emptyline precmd postcmd onecmd preloop postloop"),
    *methods("django.core.management.base.BaseCommand", "handle add_arguments"),
    *methods("html.parser.HTMLParser", "handle_*"),
    *methods("http.server.*HTTPRequestHandler", "do_* log_message"),
    *methods("json.JSONEncoder", "default"),
    *methods("logging.Filter", "filter"),
    *methods("logging.Formatter", "format formatException formatTime"),
    *methods("logging.Handler", "emit handle flush close filter format handleError"),
    *methods("multiprocessing.*Process", "run"),
    *methods("rest_framework.authentication.*Authentication", "authenticate"),
    *methods("rest_framework.permissions.*", "has_permission has_object_permission"),
    *methods("socketserver.*RequestHandler", "setup handle finish"),
    *methods("threading.Thread", "run"),
    *methods("tornado.web.RequestHandler", _OF_HANDLERS),
    *methods(
        "tornado.websocket.WebSocketHandler",
        f"{_OF_HANDLERS} check_origin on_close on_ping on_pong select_subprotocol",
    ),
    *methods("twisted.application.service.*Service", "startService privilegedStartService"),
    *methods(
        "twisted.*",
        "buildProtocol clientConnectionFailed clientConnectionLost connectionLost connectionMade "
        "dataReceived datagramReceived errReceived lineReceived outReceived processEnded "
        "processExited rawDataReceived startedConnecting stringReceived",
    ),
    *methods(
        "watchdog.events.*EventHandler",
        "dispatch on_any_event on_moved on_created on_deleted on_modified on_closed on_opened",
    ),
    *methods("xml.sax.handler.ContentHandler", "startElement endElement characters"),
    *(f"{home}.QtWidgets.Q*.*Event" for home in ("PyQt5", "PyQt6", "PySide2", "PySide6")),
)
"""Methods of base classes that call them and do not await what they return."""
