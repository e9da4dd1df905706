"""Serve one workspace's gateway on one of the ASGI servers that are compared. Prints its token."""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from openprod.core.schema import Facet, Field, Schema
from openprod.engine import identity
from openprod.engine.workspace import Workspace
from openprod.gateway.socket import YjsApp
from openprod.node import Node, settle_memory

NODE = "node"  # the whole of it
SERVERS = (
    NODE,
    "uvicorn-websockets",
    "uvicorn-websockets-sansio",
    "uvicorn-wsproto",
    "granian",
    "hypercorn",
    "pycrdt-websocket",
)


def application(workspace: Workspace) -> Callable[..., Awaitable[None]]:
    gateway: list[YjsApp] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            if not gateway:
                gateway.append(YjsApp(workspace))
            await gateway[0](scope, receive, send)
        elif scope["type"] == "lifespan":
            await lifespan(receive, send)

    return app


async def lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def serve(server: str, loop_kind: str, port: int, path: Path) -> None:
    if server == "pycrdt-websocket":
        from pycrdt.store import SQLiteYStore
        from pycrdt.websocket import ASGIServer, WebsocketServer, YRoom, exception_logger

        class Store(SQLiteYStore):
            db_path = str(path)

        class Server(WebsocketServer):
            async def get_room(self, name: str) -> YRoom:
                if name not in self.rooms:
                    self.rooms[name] = YRoom(ystore=Store(name), log=self.log, exception_handler=exception_logger)
                room = self.rooms[name]
                await self.start_room(room)
                return room

        print("any", flush=True)
        async with Server(exception_handler=exception_logger) as websockets:
            await run_uvicorn(ASGIServer(websockets), "websockets-sansio", port)
        return
    who = identity.load(path.parent / "home", name="Bench", device_name="bench")
    schema = Schema(plugin="cues", facets={"cue": Facet(fields={"start": Field()})})
    await Workspace.create(path, name="Bench", schemas=[schema], identity_=who)
    async with Workspace.open(path, identity_=who) as workspace:
        token = await workspace.token_create(label="bench")
        print(token["token"], flush=True)
        if server == NODE:
            with socket.create_server(("127.0.0.1", port), backlog=2048) as listener:
                listener.setblocking(False)
                settle_memory()
                await Node(workspace, token="").run(listener, lambda: None)
        else:
            await serve_app(server, application(workspace), port)


async def serve_app(server: str, app: Callable[..., Awaitable[None]], port: int) -> None:
    if server.startswith("uvicorn-"):
        await run_uvicorn(app, server.removeprefix("uvicorn-"), port)
    elif server == "granian":
        from granian.constants import Interfaces
        from granian.server.embed import Server as Embedded

        await Embedded(app, port=port, interface=Interfaces.ASGI, log_enabled=False).serve()
    elif server == "hypercorn":
        from hypercorn.asyncio import serve as hypercorn
        from hypercorn.config import Config

        config = Config()
        config.bind = [f"127.0.0.1:{port}"]
        config.accesslog = None
        config.errorlog = None
        await hypercorn(app, config)


async def run_uvicorn(app: Any, implementation: Any, port: int) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,
        port=port,
        ws=implementation,
        ws_per_message_deflate=False,
        ws_max_size=64 * 1024 * 1024,
        log_level="error",
        lifespan="off",
    )
    await uvicorn.Server(config).serve()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="uvloop")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)
    run = serve(options.server, options.loop, options.port, options.file)
    if options.loop == "uvloop":
        import uvloop

        uvloop.run(run)
    else:
        asyncio.run(run)


if __name__ == "__main__":
    main()
