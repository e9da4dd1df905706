"""Who is let in over a connection, and how membership records travel: always before the bundles that name them.

While nobody has founded the production, whoever was paired once is let in, and whoever others say is here. From the
first link on it has an owner, and its members are let in, whatever anybody says.
"""

from __future__ import annotations

from collections.abc import Callable

from openprod.core import membership
from openprod.core.ids import device_id
from openprod.engine.workspace import Workspace
from openprod.errors import Denied, OpenprodError, Stale
from openprod.sync.known import KnownDevices


class Admission:
    def __init__(self, workspace: Workspace, known: KnownDevices) -> None:
        self._workspace, self._known = workspace, known
        self._founded = False
        self.roles: dict[str, str] = {}
        self.removed: frozenset[str] = frozenset()

    async def learn(self) -> None:
        found = await self._workspace.members()
        self._founded = bool(found["founded"])
        self.roles = {one["device"]: one["role"] for one in found["members"]}
        self.removed = frozenset(found["removed"])

    def why_not(self, key: bytes, paired: bool, here: Callable[[str], bool]) -> str:
        """``here``: whether the roster holds a device, which any member may say."""
        device = device_id(key)
        if device in self.removed and not paired:
            return "This device was removed from the production."
        if paired or device in self.roles or (not self._founded and (here(device) or device in self._known)):
            return ""
        return "This device isn't known here. Ask for a link."

    async def may_invite(self, role: str) -> bool:
        """Whether this device may let others in; founds the production if nobody has."""
        try:
            await self._workspace.invite(role)
        except Denied:
            return False
        await self.learn()
        return True

    def is_let_in(self, device: str) -> bool:
        """Whether there is nothing to say yes to any more: a lost connection, say, that comes again."""
        return device in self.roles

    async def admit(self, key: bytes, name: str, device_name: str, role: str) -> str:
        """A paired device; "" or why not."""
        try:
            await self._workspace.admit(
                key, user=f"user_{device_id(key)}", name=name, device_name=device_name, role=role
            )
        except OpenprodError as error:
            return error.sentence
        await self.learn()
        return ""

    async def take(self, records: list[bytes], *, trusted: bool) -> None:
        """``trusted``: from whoever made the link: the founding record among them is the anchor of a new copy.

        Raises Untrusted, Denied, LimitExceeded, Stale.
        """
        if trusted and not (await self._workspace.members())["anchor"]:
            for data in records:
                signed = membership.decode(data)
                if membership.verify(signed, workspace=self._workspace.id).kind == "found":
                    await self._workspace.expect(signed.hash)
                    break
        await self._workspace.take_records(records)
        await self.learn()


def is_for_later(fault: OpenprodError | None) -> bool:
    """Whether what couldn't be taken in for it may come again: its records aren't here yet."""
    return isinstance(fault, Stale)
