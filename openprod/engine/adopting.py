"""Adopting a plugin's schema, going on to another version of it, and dropping it: writes to ``core.adoption``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from openprod.core import evolution
from openprod.core.operations import Operation
from openprod.core.schema import Schema
from openprod.engine.lower import Lowering
from openprod.engine.schemas import Schemas, is_usable
from openprod.errors import InputError, NotFound, Stale
from openprod.yjs import layout
from openprod.yjs.documents import Write

if TYPE_CHECKING:
    from openprod.engine.commit import Committer


def standing(schemas: Schemas, plugin: str) -> Schema | None:
    """The version whose data the workspace holds: adopted, or dropped and kept."""
    return schemas.get(plugin) or schemas.dropped.get(plugin)


def plan_adoption(committer: Committer, schemas: Sequence[Schema]) -> dict[str, list[Write]]:
    """Raises InputError for a schema that can't be adopted over the one that stands."""
    lowering = Lowering(committer)
    for schema in schemas:
        _check(schema)
        refuse_barred(standing(committer.schemas, schema.plugin), schema)
        lowering.write(layout.CORE, layout.ADOPTION_ROOT, schema.plugin, schema.to_record())
    return lowering.plan()


def plan_migration(
    committer: Committer, schema: Schema, operations: Sequence[Operation], *, version: str
) -> dict[str, list[Write]]:
    """Adopt ``schema`` in place of ``version`` and apply operations under it, as one. Raises Stale when ``version``
    isn't what stands any more."""
    _check(schema)
    present = committer.schemas.get(schema.plugin)
    if present is None or present.version != version:
        raise Stale(
            f"“{schema.plugin}” isn't adopted as {version} any more.",
            hint="Look at the migration again, then apply it.",
        )
    adopting = Lowering(committer)
    adopting.write(layout.CORE, layout.ADOPTION_ROOT, schema.plugin, schema.to_record())
    after = Schemas(committer.schemas)
    after[schema.plugin] = schema
    lowering = Lowering(committer, schemas=after)
    lowering.add(operations)
    plan = adopting.plan()
    for document, writes in lowering.plan().items():
        plan.setdefault(document, []).extend(writes)
    return plan


def plan_drop(committer: Committer, plugin: str) -> dict[str, list[Write]]:
    """Raises NotFound when the plugin isn't adopted."""
    if plugin not in committer.schemas:
        adopted = ", ".join(sorted(committer.schemas)) or "none"
        raise NotFound(f"This workspace hasn't adopted “{plugin[:80]}”.", hint=f"Adopted: {adopted}.")
    lowering = Lowering(committer)
    lowering.write(layout.CORE, layout.ADOPTION_ROOT, plugin, None)
    return lowering.plan()


def refuse_barred(old: Schema | None, new: Schema) -> None:
    """Raises InputError when ``new`` is older than ``old``, or can't follow it without a migration."""
    if old is None:
        return
    if evolution.version_key(new.version) < evolution.version_key(old.version):
        raise InputError(
            f"The workspace has “{new.plugin}” {old.version}, which is newer than {new.version}.",
            hint="Install the newer plugin here; its data are kept and synced meanwhile.",
        )
    barred = [change for change in evolution.changes(old, new) if not change.free]
    if barred:
        more = f" And {len(barred) - 1} more." if len(barred) > 1 else ""
        raise InputError(
            f"“{new.plugin}” {new.version} can't take the place of {old.version} without a migration: "
            f"{barred[0].sentence}{more}",
            hint=f'Tell its author: plugin.toml needs a [[migration]] from = "{old.version}" to = "{new.version}".',
            details={"changes": [change.sentence for change in barred]},
        )


def _check(schema: Schema) -> None:
    if not layout.is_plugin(schema.plugin):
        raise InputError(f"“{schema.plugin}” can't be the name of a plugin.")
    if not is_usable(schema):
        raise InputError(f"The schema of {schema.plugin} names things that a document can't hold.")
