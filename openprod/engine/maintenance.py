"""Looking ahead and looking after: what a merge would bring, backups, health checks."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from anyio import to_thread
from nacl.signing import SigningKey

from openprod.core.bundles import SignedBundle, verify
from openprod.engine import exchange, whole_folders
from openprod.engine.blobs import Blobs
from openprod.engine.commit import Committer
from openprod.engine.describe import Describer
from openprod.engine.drafts import Submission
from openprod.engine.identity import Identity
from openprod.engine.own_log import LEFT, RESTORED
from openprod.errors import DamagedFile, InputError, NewerFile, OpenprodError, WrongFile
from openprod.storage.sqlite.comparing import differences
from openprod.storage.sqlite.connection import looks_like_a_database, translated
from openprod.storage.sqlite.reader import Reader
from openprod.storage.sqlite.storage import SqliteStorage


def _untold(_done: int, _total: int) -> None:
    """Nobody asked how far it is."""


def plan_merge(
    committer: Committer, path: Path, who: Identity, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Merge into a copy and say what happened there: exact, and nothing here changes."""
    head, bundles = exchange.read(path, committer.workspace)
    foreign = list(exchange.lacking(committer, bundles))
    authors = Counter(one.bundle.actor.name for one in foreign)
    before = {row.id for row in committer.storage.conflicts(status="open")}
    coming: list[dict[str, Any]] = []
    closing = held = 0
    if foreign or head.records:
        with tempfile.TemporaryDirectory(prefix="openprod-plan-") as folder:
            copy = str(Path(folder) / "workspace.db")
            committer.storage.backup(copy)
            trial = Committer(
                SqliteStorage(copy), key=who.key, now_ms=lambda: time.time_ns() // 1_000_000,
                random_bytes=secrets.token_bytes,
            )  # fmt: skip
            try:
                for start in range(-256, len(foreign), 256):
                    part: Sequence[Submission] = (
                        foreign[start : start + 256] if start >= 0 else [exchange.records(head)]
                    )
                    outcomes, _events = trial.commit(part)
                    for outcome in outcomes:
                        if isinstance(outcome, OpenprodError):
                            raise outcome
                    if progress is not None and start >= 0:
                        progress(min(start + 256, len(foreign)), len(foreign))
                describer = Describer(trial.storage, trial.schemas, trial.detector)
                rows = trial.storage.conflicts(status="open")
                coming = [describer.describe(row).to_json() for row in rows if row.id not in before]
                closing = len(before - {row.id for row in rows})
                held = len(trial.members.held - committer.members.held)
            finally:
                trial.documents.clear()
                trial.storage.close()
    return {
        "file": str(path), "workspace": head.workspace, "name": head.name, "bundles": len(foreign),
        "authors": [{"author": name, "bundles": count} for name, count in sorted(authors.items())],
        "conflicts": [{"id": one["id"], "kind": one["kind"], "sentence": one["sentence"]} for one in coming],
        "closes": closing, "held": held,
    }  # fmt: skip


def backup(
    committer: Committer, folder: Path, target: Path, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """A whole workspace folder at ``target``, checked after writing. Progress is in bytes."""
    told = progress if progress is not None else _untold
    if target.exists():
        raise InputError(f"{target} exists already.", hint="Choose a new name for the backup.")
    with translated(str(target)):
        partial = whole_folders.begin(target)
        try:
            files = [folder / "blobs" / name for name in Blobs(folder / "blobs").names()]
            # The database counts twice: it is read again to check it.
            whole = (folder / "workspace.db").stat().st_size
            total = 2 * whole + sum(file.stat().st_size for file in files)
            told(0, total)
            committer.storage.backup(str(partial / "workspace.db"))
            done = whole
            told(done, total)
            if (folder / "blobs").is_dir():
                (partial / "blobs").mkdir()
            for file in files:
                shutil.copy2(file, partial / "blobs" / file.name)
                done += file.stat().st_size
                told(done, total)
            copy = SqliteStorage(str(partial / "workspace.db"))
            try:
                _part(copy)
                faults = copy.check()
            finally:
                copy.close()
            told(total, total)
            if faults:
                raise OpenprodError(f"The backup could not be verified: {faults[0]}")
            whole_folders.finish(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return {"file": str(target), "bytes": sum(entry.stat().st_size for entry in target.rglob("*") if entry.is_file())}


def restore(source: Path, target: Path) -> dict[str, Any]:
    """Make a workspace at ``target``, which must not exist, of a backup folder or a database file alone.

    The backup is checked as a whole and stays as it is. Raises InputError or StorageError.
    """
    database = source / "workspace.db" if source.is_dir() else source
    if not database.is_file() or not looks_like_a_database(database):
        raise WrongFile(f"{source} isn't a backup of a workspace.", hint="Name what `openprod backup` wrote.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target} exists already and isn't empty.", hint="Choose another folder.")
    with translated(str(target)):
        partial = whole_folders.begin(target)
        try:
            for name in ("workspace.db", "workspace.db-wal"):
                part = database.with_name(database.name + name.removeprefix("workspace.db"))
                if part.is_file():
                    shutil.copyfile(part, partial / name)
            if source.is_dir():
                # No links: what they lead to would be handed on to everybody as a file of the production.
                stored = Blobs(source / "blobs")
                for name in stored.names():
                    (partial / "blobs").mkdir(exist_ok=True)
                    shutil.copyfile(source / "blobs" / name, partial / "blobs" / name)
            try:
                found = _prepare(partial / "workspace.db", source)
            except (WrongFile, NewerFile, DamagedFile) as error:
                # Said of what people named, not of the copy.
                sentence = error.sentence.replace(str(partial / "workspace.db"), str(source))
                raise type(error)(sentence, hint=error.hint) from error
            whole_folders.finish(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return {"folder": str(target), **found}


def _prepare(database: Path, source: Path) -> dict[str, str]:
    storage = SqliteStorage(str(database))
    try:
        faults = storage.check()
        workspace = storage.meta("workspace")
        if faults or not workspace:
            raise DamagedFile(
                f"{source} can't be used: {faults[0] if faults else 'it holds no workspace'}.",
                hint="Nothing was restored. Use an older backup.",
            )
        _part(storage)
        with storage.transaction():
            storage.set_meta(LEFT, RESTORED)
        return {"id": workspace, "name": storage.meta("name") or ""}
    finally:
        storage.close()


def _part(copy: SqliteStorage) -> None:
    """Whoever goes on from this copy writes a log of its own, and lets in nobody by tokens from before: some may have
    been withdrawn since."""
    with copy.transaction():
        copy.set_meta("log", "")
        for row in copy.tokens():
            copy.drop_token(row.id)


async def doctor(
    database: str, workspace: str, blobs: Blobs, copy: Callable[[str], Awaitable[None]],
    progress: Callable[[int, int], None] | None,
) -> dict[str, Any]:  # fmt: skip
    """Check all that can be checked: SQLite, every bundle's hash, signature and chain, every stored file, and whether
    the tables are what the bundles say.

    Reads beside the writer, and compares in a copy, which ``copy`` writes: people go on editing meanwhile.
    """
    told = progress if progress is not None else _untold
    chains: dict[str, tuple[int, bytes]] = {}
    met: set[tuple[str, bytes]] = set()
    count = 0
    async with Reader.open(database) as reader:
        faults = [f"database: {fault}" for fault in await reader.check()]
        total = await reader.count()
        async for number, log, _place, digest, body, signature in reader.bundles():
            count += 1
            try:
                bundle = verify(SignedBundle(body, signature), workspace=workspace)
                if hashlib.sha256(body).digest() != digest:
                    faults.append(f"bundle {number}: its content isn't what was recorded")
                before = chains.get(log)
                if before is None and "+" in log and bundle.seq > 1:
                    # A second history of a log begins at a bundle of the first.
                    before = bundle.seq - 1, bundle.previous if (bundle.log, bundle.previous) in met else b"?"
                seq, previous = before or (0, b"")
                if bundle.seq != seq + 1 or bundle.previous != previous or log.partition("+")[0] != bundle.log:
                    faults.append(f"bundle {number}: doesn't follow the one before it")
                chains[log] = (bundle.seq, digest)
                met.add((bundle.log, digest))
            except OpenprodError as error:
                faults.append(f"bundle {number}: {error.sentence}")
            if count % 64 == 0:
                told(count, 2 * total)
    damaged = await to_thread.run_sync(blobs.damaged)
    faults += [f"stored file {name}: its content was altered" for name in damaged]
    if not faults:
        with tempfile.TemporaryDirectory(prefix="openprod-doctor-") as folder:
            await copy(str(Path(folder) / "found.db"))
            faults += await to_thread.run_sync(_compare, Path(folder), lambda done, of: told(of + done, 2 * of))
    return {"healthy": not faults, "bundles": count, "logs": len(chains), "faults": faults}


def _compare(folder: Path, progress: Callable[[int, int], None]) -> list[str]:
    """What in ``found.db`` isn't as its bundles derive it."""
    found, expected = folder / "found.db", folder / "expected.db"
    with translated(str(folder)):
        shutil.copyfile(found, expected)
    storage = SqliteStorage(str(expected))
    try:
        # Nothing is signed here: any key will do.
        trial = Committer(
            storage, key=SigningKey.generate(), now_ms=lambda: time.time_ns() // 1_000_000,
            random_bytes=secrets.token_bytes,
        )  # fmt: skip
        try:
            trial.rebuild(progress)
        finally:
            trial.documents.clear()
    except OpenprodError as error:
        return [f"tables: they can't be derived again: {error.sentence}"]
    finally:
        storage.close()
    return [
        f"tables: {count} {kind}{'s' if count > 1 else ''} not as the bundles say, such as {first};"
        " `openprod rebuild` derives them again"
        for kind, count, first in differences(str(found), str(expected))
    ]


def waiting(committer: Committer) -> dict[str, Any]:
    """What the documents hold and what they wait for."""
    return {
        "documents": sorted(committer.documents),
        "waiting_updates": sum(len(document.gate.parked) for document in committer.documents.values()),
        "quarantined": len(committer.storage.quarantined()),
    }
