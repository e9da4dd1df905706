"""The floor for the fan-out benchmark: passes each update on to the others as it came, and keeps nothing of it.

No document, no disk, no author, no conflict, no coalescing; the same ASGI server and event loop as the node's.
"""

from __future__ import annotations

import argparse
from typing import Any

import uvicorn

_ASK = b"\x00\x00\x01\x00"  # SyncStep1 of nothing
_ANSWER = b"\x00\x01\x02\x00\x00"  # SyncStep2 of nothing
_everybody: set[Any] = set()


async def app(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "bytes": _ASK})
    _everybody.add(send)
    try:
        while (event := await receive())["type"] == "websocket.receive":
            message = event["bytes"]
            if message[:2] == b"\x00\x00":
                await send({"type": "websocket.send", "bytes": _ANSWER})
            elif message[:2] == b"\x00\x02":
                for other in _everybody - {send}:
                    await other({"type": "websocket.send", "bytes": message})
    finally:
        _everybody.discard(send)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    print("any", flush=True)
    uvicorn.run(
        app,
        port=parser.parse_args().port,
        loop="uvloop",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="error",
        lifespan="off",
    )


if __name__ == "__main__":
    main()
