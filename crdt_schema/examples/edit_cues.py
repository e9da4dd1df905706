# python edit_cues.py ws://127.0.0.1:8040 WORKSPACE TOKEN [NUMBER]     after: pip install pycrdt websockets
import asyncio
import sys
import uuid
from typing import Any

from pycrdt import Channel, Doc, Map, Provider
from websockets.asyncio.client import ClientConnection, connect


class Socket(Channel):
    path = "cues"

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: bytes) -> None:
        await self.connection.send(message)

    async def recv(self) -> bytes:
        return await self.connection.recv(decode=False)


async def main(url: str, workspace: str, token: str, number: str = "902") -> None:
    doc: Doc[Any] = Doc()
    cues = doc.get("cues.cue", type=Map)
    address = f"{url}/yjs/{workspace}/cues?token={token}"
    async with connect(address) as connection, Provider(doc, Socket(connection)) as node:
        await node.synced.wait()
        ids = sorted(key for key, value in cues.items() if "/" not in key and value is True)
        for id in ids:
            print(id, *(cues.get(f"{id}/{field}") for field in ("list", "number", "label")))

        if ids:
            cues[f"{ids[0]}/label"] = "Changed from Python"  # change one

        with doc.transaction():  # add one: the cue itself and its fields, together
            id = f"cue_{uuid.uuid4()}"
            cues[id] = True
            for field, value in {"list": "LX", "number": number, "label": "Added from Python"}.items():
                cues[f"{id}/{field}"] = value


asyncio.run(main(*sys.argv[1:]))
