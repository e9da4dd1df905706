"""A wire between two nodes that can be cut: a TCP port that passes on what it gets, and counts it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Proxy:
    """``port`` leads to ``target``. Nothing more is passed on once ``bytes_max`` have come from there."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.passed = 0
        self.bytes_max: int | None = None
        self.full = threading.Event()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _address = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                threading.Thread(target=self._join, args=(near, far), daemon=True).start()

    def _join(self, near: socket.socket, far: socket.socket) -> None:
        with near, far:
            back = threading.Thread(target=self._pass, args=(far, near, True), daemon=True)
            back.start()
            self._pass(near, far, False)
            back.join()

    def _pass(self, one: socket.socket, other: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if counted:
                    self.passed += len(data)
                    if self.bytes_max is not None and self.passed > self.bytes_max:
                        self.full.set()
                        continue
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # it is being waited on
        self._accepting.join()
        self._listening.close()


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    one = Proxy(target)
    try:
        yield one
    finally:
        one.close()
