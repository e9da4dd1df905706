"""Who is a member, as people and programs manage it: the part of the facade about membership.

For whoever connects devices: ``member_heads`` and ``member_records`` tell another what it lacks, ``take_records`` takes
in what it sent, always before bundles; ``may_connect`` says whether a device is let in without an invitation; ``admit``
lets one in that was paired; ``expect`` keeps the anchor that came with a pairing, before anything else comes. Every
change of the records is announced as a commit with the intent ``members``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from openprod.core import membership
from openprod.core.bundles import read
from openprod.core.ids import device_id
from openprod.core.membership import Member, Membership, Role, SignedRecord
from openprod.engine.commit import Committer
from openprod.engine.drafts import Records
from openprod.engine.identity import Identity
from openprod.engine.members import ANCHOR
from openprod.engine.views import Views
from openprod.engine.worker import Worker
from openprod.errors import Denied, InputError, NotFound, Stale

_NAMES: Final[tuple[str, ...]] = get_args(Role)


class Managing:
    identity: Identity
    id: str
    name: str
    _worker: Worker

    # -- looking -------------------------------------------------------------------------------------------

    async def members(self) -> dict[str, Any]:
        """``founded``, ``anchor``, this ``device``, ``members`` and, by device, those who were ``removed``."""

        def look(committer: Committer) -> dict[str, Any]:
            log = committer.members.log
            return {
                "founded": bool(len(log)), "anchor": log.anchor.hex(), "device": committer.device,
                "members": [_shown(one) for one in sorted(log.members().values(), key=lambda one: one.name)],
                "removed": sorted(log.removed()), "held": len(committer.members.held),
            }  # fmt: skip

        return await self._worker.call(look)

    async def held(self) -> list[dict[str, Any]]:
        """The bundles that are kept and not applied, in the order in which they came."""

        def look(committer: Committer) -> list[dict[str, Any]]:
            views, storage = Views(committer), committer.storage
            found = []
            for number in sorted(committer.members.held):
                row = storage.bundle_numbered(number)
                assert row is not None, number
                bundle = read(storage.bundle_body(number)[0])
                found.append(
                    {
                        **views.bundle(row), "signed_by": device_id(bundle.key),
                        "documents": sorted({part.document for part in bundle.updates}),
                        "operations": bundle.operations,
                    }
                )  # fmt: skip
            return found

        return await self._worker.call(look)

    # -- deciding ------------------------------------------------------------------------------------------

    async def found(self) -> None:
        """Make this device the first owner, if nobody has founded the workspace yet."""

        def plan(committer: Committer) -> list[SignedRecord]:
            return [] if len(committer.members.log) else [self._founding(committer)]

        await self._worker.submit(Records(plan=plan))

    def _founding(self, committer: Committer) -> SignedRecord:
        mine = self.identity
        own = Member(bytes(mine.key.verify_key), mine.user, mine.name, mine.device_name, "owner")
        return committer.members.write("found", committer.decided_at(), member=own)

    async def invite(self, role: str = "editor", grants: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What a pairing needs: ``workspace``, ``name``, ``anchor``, ``role``, ``grants``. Founds the workspace.

        Raises InputError, and Denied unless this device is an owner's.
        """
        checked, allowed = _role(role), _grants(grants)
        await self.found()

        def look(committer: Committer) -> str:
            mine = committer.members.log.members().get(committer.device)
            if mine is None or mine.role != "owner":
                raise Denied("Only an owner lets others in.", hint="`openprod members` says who is one.")
            return committer.members.log.anchor.hex()

        anchor = await self._worker.call(look)
        return {"workspace": self.id, "name": self.name, "anchor": anchor, "role": checked, "grants": allowed}

    async def admit(
        self, key: bytes, *, user: str, name: str, device_name: str, role: str = "editor",
        grants: Mapping[str, str] | None = None,
    ) -> str:  # fmt: skip
        """Let a paired device in; its id. One that is a member already keeps its role. Raises Denied, InputError."""
        member = Member(key, user, name, device_name, _role(role), _grants(grants))

        def plan(committer: Committer) -> list[SignedRecord]:
            if member.device in committer.members.log.members():
                return []
            return [committer.members.write("admit", committer.decided_at(), member=member)]

        await self.found()
        await self._worker.submit(Records(plan=plan))
        return member.device

    async def change_member(self, device: str, *, role: str, grants: Mapping[str, str] | None = None) -> None:
        """Raises NotFound, Denied, InputError."""
        checked, allowed = _role(role), _grants(grants)

        def plan(committer: Committer) -> list[SignedRecord]:
            before = _find(committer.members.log, device)
            after = Member(before.key, before.user, before.name, before.device_name, checked, allowed)
            until = committer.members.reach(before.device)
            return [committer.members.write("change", committer.decided_at(), member=after, until=until)]

        await self._worker.submit(Records(plan=plan))

    async def remove_member(self, device: str) -> str:
        """End a device's membership, by its id or a unique beginning; its id. Also of one that was removed before, or
        never was a member, and whose bundles somebody accepts all the same. Raises NotFound, InputError, Denied.
        """
        found: list[str] = []

        def plan(committer: Committer) -> list[SignedRecord]:
            one = _writer(committer, device)
            found.append(one)
            until = committer.members.reach(one)
            return [committer.members.write("remove", committer.decided_at(), device=one, until=until)]

        await self._worker.submit(Records(plan=plan))
        return found[-1]

    async def review(self, bundles: Sequence[str] = ()) -> dict[str, int]:
        """Let held bundles in, on every device: those named and what is held before them in their logs; all if none
        is named. ``{"accepted", "held"}``. Raises NotFound, Stale (one isn't held any more), Denied.
        """
        before: list[int] = []

        def plan(committer: Committer) -> list[SignedRecord]:
            views, held = Views(committer), committer.members.held
            before.append(len(held))
            numbers = [views.find_bundle(one).number for one in bundles] if bundles else sorted(held)
            if any(number not in held for number in numbers):
                raise Stale("That bundle isn't held (any more).", hint="`openprod held` lists what is.")
            until: dict[str, int] = {}
            for number in numbers:
                bundle = read(committer.storage.bundle_body(number)[0])
                until[bundle.log] = max(bundle.seq, until.get(bundle.log, 0))
            return [committer.members.write("accept", committer.decided_at(), until=until)] if until else []

        await self._worker.submit(Records(plan=plan))
        left = await self._worker.call(lambda committer: len(committer.members.held))
        return {"accepted": before[-1] - left, "held": left}

    # -- between devices -----------------------------------------------------------------------------------

    async def expect(self, anchor: bytes) -> None:
        """Keep the hash of the founding record, from a pairing. Raises Stale when another is known here."""

        def keep(committer: Committer) -> None:
            known = committer.members.log.anchor
            if known and known != anchor:
                raise Stale("This copy belongs to a production that somebody else founded.", hint="Join as a new copy.")
            with committer.storage.transaction():
                committer.storage.set_meta(ANCHOR, anchor.hex())
            committer.members.log.anchor = anchor

        await self._worker.call(keep)

    async def may_connect(self, key: bytes) -> bool:
        """Whether a device is a member; anybody that was paired, while nobody has founded the workspace."""

        def look(log: Membership) -> bool:
            found = log.members().get(device_id(key))
            return not len(log) or (found is not None and found.key == key)

        return await self._worker.call(lambda committer: look(committer.members.log))

    async def member_heads(self) -> list[bytes]:
        return await self._worker.call(lambda committer: list(committer.members.heads))

    async def member_records(self, heads: Sequence[bytes] = ()) -> list[bytes]:
        """What somebody with these heads lacks, each after those that it builds on."""
        return await self._worker.call(
            lambda committer: [membership.encode(one) for one in committer.members.log.lacking(heads)]
        )

    async def take_records(self, records: Sequence[bytes]) -> None:
        """Raises Untrusted, Denied, LimitExceeded, RecordsMissing; those that hold are kept all the same."""
        found = [membership.decode(one) for one in records]
        await self._worker.submit(Records(plan=lambda _committer: found))


def _find(log: Membership, device: str) -> Member:
    found = [one for id, one in log.members().items() if id.startswith(device.strip().lower())] if device else []
    if not found:
        raise NotFound(f"No member's device is called {device[:40]}.", hint="`openprod members` lists them.")
    if len(found) > 1:
        raise InputError(f"More than one device begins with {device[:40]}.", hint="Give more of its id.")
    return found[0]


def _writer(committer: Committer, device: str) -> str:
    """The id of a member's device, or of another that has written here, by its whole id."""
    if any(log.startswith(f"{device}-") for log in committer.storage.logs()):
        return device
    return _find(committer.members.log, device).device


def _role(text: str) -> Role:
    if text not in _NAMES:
        raise InputError(f"There is no role “{text[:40]}”.", hint="Roles: viewer, editor, owner.")
    role: Role = text  # type: ignore[assignment]
    return role


def _grants(grants: Mapping[str, str] | None) -> dict[str, Role]:
    return {document: _role(role) for document, role in (grants or {}).items()}


def _shown(member: Member) -> dict[str, Any]:
    return {
        "device": member.device, "device_name": member.device_name, "user": member.user, "name": member.name,
        "role": member.role, "grants": member.grants,
    }  # fmt: skip
