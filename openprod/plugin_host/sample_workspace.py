"""Makes a workspace of a sample production, step by step, one bundle each."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from anyio import to_thread

from openprod.engine.workspace import Workspace
from openprod.errors import InputError
from openprod.plugin_host.sample import Sample
from openprod.plugin_host.snapshots import take_snapshot


async def make_sample(sample: Sample, folder: Path, *, report: Callable[[int, int], None]) -> None:
    """``folder`` must not exist; it appears when everything is in it. ``report``: (steps done, steps).

    Raises InputError, StorageError.
    """
    if folder.exists():
        raise InputError(f"{folder} exists already.", hint="Choose another folder.")
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    total = len(sample.steps) + 1
    try:
        await Workspace.create(partial, name=sample.name, schemas=sample.schemas)
        report(1, total)
        async with Workspace.open(partial) as workspace:
            for number, step in enumerate(sample.steps, 2):
                snapshot = await take_snapshot(workspace, step.facets, step.edges)
                proposal = await to_thread.run_sync(step.plan, snapshot)
                await workspace.commit(proposal.operations, message=step.message, intent="import")
                report(number, total)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
