"""How much one socket may send, hold back and owe. Sizes in bytes, times in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``undurable_*``: what one connection may have on its way to disk before its socket is no longer read.
    ``backlog_*``: how far a client may fall behind its document before it is dropped (it then resynchronises).
    ``early_*``: what is kept of a Hocuspocus document's messages that come before its token.
    """

    message_bytes_max: int = 64 * 1024 * 1024
    awareness_bytes_max: int = 256 * 1024
    awareness_state_bytes_max: int = 16 * 1024
    awareness_states_max: int = 1024
    awareness_clients_per_connection_max: int = 16
    documents_per_socket_max: int = 64
    undurable_messages_max: int = 256
    undurable_bytes_max: int = 8 * 1024 * 1024
    backlog_bytes_max: int = 8 * 1024 * 1024
    backlog_batches_max: int = 4096
    early_messages_max: int = 128
    early_bytes_max: int = 1024 * 1024
    keepalive_s: float = 15.0
    authenticate_s: float = 10.0
    close_s: float = 10.0
