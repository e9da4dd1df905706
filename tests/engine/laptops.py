"""Laptops with real workspaces on disk, and programs that edit through them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pycrdt import Doc, Map, TransactionEvent

from openprod.core.bundles import Actor
from openprod.core.operations import CreateEntity
from openprod.core.schema import Schema
from openprod.engine.events import Receipt
from openprod.engine.identity import Identity
from openprod.engine.workspace import Workspace
from tests.engine.replica import CUES, device_key

ROOT = "cues.cue"


def identity(name: str) -> Identity:
    return Identity(f"user_{name}", name.title(), f"{name}'s laptop", device_key(name))


def person(name: str) -> Actor:
    return Actor(f"user_{name}", name.title(), f"device_{name}", "program")


@asynccontextmanager
async def laptop(folder: Path, name: str = "sam", *schemas: Schema) -> AsyncIterator[Workspace]:
    """A new workspace with one cue, LX 42 at 10:00."""
    who = identity(name)
    await Workspace.create(folder, name="Hamlet", schemas=schemas or [CUES], identity_=who)
    async with Workspace.open(folder, identity_=who) as workspace:
        if not schemas:
            await workspace.commit([cue("cue_42", number="42", start="10:00")])
        yield workspace


def cue(entity: str, **fields: Any) -> CreateEntity:
    return CreateEntity(entity=entity, facets={ROOT: {"list": "LX", **fields}})


class Program:
    """Somebody's Yjs program with a copy of the document ``cues``."""

    def __init__(self, name: str, client: int, *, document: str = "cues", keeps: bool = False) -> None:
        self.actor = person(name)
        self.document = document
        self.doc: Doc[Any] = Doc(client_id=client, skip_gc=keeps)
        self.session = object()

    async def sync(self, workspace: Workspace) -> Receipt | None:
        """As y-websocket does on connecting: what it has goes up, then what it lacks comes down."""
        seen = bytes(self.doc.get_state())
        state = bytes(self.doc.get_update(await workspace.state_vector(self.document)))
        receipt = await workspace.ingest(
            self.document, state, actor=self.actor, origin=self.session, live=False, seen=seen
        )
        self.doc.apply_update(await workspace.state_as_update(self.document, seen))
        return receipt

    def change(self, **keys: Any) -> bytes:
        return self.keys({key.replace("__", "/"): value for key, value in keys.items()})

    def keys(self, keys: dict[str, Any], *, root: str = ROOT, remove: tuple[str, ...] = ()) -> bytes:
        """One transaction; its update."""
        updates: list[bytes] = []

        def keep(event: TransactionEvent) -> None:
            updates.append(bytes(event.update))

        subscription = self.doc.observe(keep)
        map_ = self.doc.get(root, type=Map)
        with self.doc.transaction():
            for key, value in keys.items():
                map_[key] = value
            for key in remove:
                del map_[key]
        self.doc.unobserve(subscription)
        (update,) = updates
        return update

    async def send(self, workspace: Workspace, update: bytes) -> Receipt | None:
        return await workspace.ingest(self.document, update, actor=self.actor, origin=self.session)

    async def set(self, workspace: Workspace, **keys: Any) -> Receipt | None:
        return await self.send(workspace, self.change(**keys))


async def disagree(workspace: Workspace, **sides: Any) -> list[Program]:
    """Programs that set LX 42's start apart: one per keyword, named by it. Client ids rise in order."""
    programs = [Program(name, 100 + index) for index, name in enumerate(sides)]
    for program in programs:
        await program.sync(workspace)
    updates = [program.change(cue_42__start=value) for program, value in zip(programs, sides.values(), strict=True)]
    for program, update in zip(programs, updates, strict=True):
        await program.send(workspace, update)
    return programs


async def carry(source: Workspace, target: Workspace, folder: Path) -> dict[str, Any]:
    """A USB stick. INV-PLAN-1: checks that the plan said exactly what then happens; returns the plan."""
    path = folder / f"{source.replica}-{target.replica}-{len(list(folder.iterdir()))}.pack"
    await source.pack(path)
    before = {one.id for one in await target.conflicts("open", limit=-1)}
    hash_ = await target.state_hash()
    plan = await target.merge_plan(path)
    assert await target.state_hash() == hash_, "looking changed something"
    merged = await target.merge(path)
    after = {one.id: one.sentence for one in await target.conflicts("open", limit=-1)}
    assert merged["bundles"] == plan["bundles"] == sum(author["bundles"] for author in plan["authors"])
    assert {one["id"]: one["sentence"] for one in plan["conflicts"]} == {
        id: sentence for id, sentence in after.items() if id not in before
    }
    assert plan["closes"] == len(before - set(after))
    return plan


async def shown(workspace: Workspace, field: str = "start") -> Any:
    return (await workspace.entity("cue_42"))["facets"][ROOT].get(field)


async def usable(workspace: Workspace) -> None:
    """Everything that people look at still works, and follows from the log."""
    for conflict in await workspace.conflicts("all", limit=-1):
        assert conflict.sentence
        assert len(conflict.sentence) < 2_000
    for entity in ("cue_42",):
        await workspace.entity(entity)
        await workspace.history(entity)
    await workspace.query({"facet": ROOT, "sort": ["start"]})
    assert await workspace.rebuild() == await workspace.state_hash()
    assert (await workspace.doctor())["healthy"]
