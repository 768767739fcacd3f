from builtins import TimeoutError as TimeoutError

class CancelledError(BaseException): ...
class InvalidStateError(Exception): ...
class SendfileNotAvailableError(RuntimeError): ...

class IncompleteReadError(EOFError):
    partial: bytes
    expected: int | None

class LimitOverrunError(Exception):
    consumed: int

class BrokenBarrierError(RuntimeError): ...
