"""Libraries that call functions, and methods of derived classes, in threads of their own."""

from __future__ import annotations

from logctx_lint.config.plain_callbacks import PLAIN_SCHEDULER, methods

THREAD_CALLERS = (
    f"{PLAIN_SCHEDULER}.add_job", f"{PLAIN_SCHEDULER}.scheduled_job",
    "google.cloud.pubsub*.subscribe", "RPi.GPIO.add_event_detect", "pyaudio.PyAudio.open",
    "keyboard.add_hotkey", "keyboard.hook", "keyboard.on_press", "keyboard.on_release",
    "pynput.*.Listener", "sounddevice.*Stream",
)  # fmt: skip
"""Functions and decorators that have what they are given called in a thread."""

THREAD_METHODS = (
    *methods("http.server.*HTTPRequestHandler", "do_*"),
    *methods("logging.Handler", "emit"),
    *methods("serial.threaded.*", "connection_lost data_received handle_line handle_packet"),
    *methods("socketserver.*RequestHandler", "setup handle finish"),
    *methods(
        "watchdog.events.*EventHandler",
        "dispatch on_any_event on_moved on_created on_deleted on_modified on_closed on_opened",
    ),
)
"""Methods of base classes that a thread calls; of a log handler any that logs."""
