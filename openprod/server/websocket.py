"""The server's side of a WebSocket: uvicorn's, and a door for frames that were made once for many sockets."""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from openprod.gateway.frames import EXTENSION


class WebSocketProtocol(WebSocketsSansIOProtocol):
    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.handshake_complete:  # it was refused
            # The application's task has only been created: it finds this when it runs.
            self.scope["extensions"][EXTENSION] = self._write_frames  # type: ignore[assignment]

    def _write_frames(self, frames: bytes) -> bool:
        open_ = self.handshake_complete and not (self.close_sent or self.disconnected or self.transport.is_closing())
        if not open_ or not self.writable.is_set():
            return False
        self.transport.write(frames)
        return True
