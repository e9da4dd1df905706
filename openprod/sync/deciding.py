"""Two plans and two people: what may move over one connection, until both have said yes to the same."""

from __future__ import annotations

from collections.abc import Sequence

from openprod.sync import plans
from openprod.sync.messages import Approve, Plan, Tip
from openprod.sync.plans import Coming, Offer


class Deciding:
    """``mine``, ``theirs``: what both hold. A change of either makes another plan, and earlier approvals void."""

    def __init__(self, caller: bool) -> None:
        self._caller = caller
        self.mine: list[Tip] | None = None
        self.theirs: list[Tip] | None = None
        self.plan_of: Plan | None = None
        self._offer: Offer | None = None
        self._plan: Plan | None = None
        self._shown: tuple[Offer, Plan] | None = None
        self._prints: list[bytes] = []
        self.asked = self.approved = self.approved_of = b""

    def mine_is(self, tips: Sequence[Tip]) -> None:
        self.mine = list(tips)
        self._void()

    def theirs_is(self, tips: Sequence[Tip]) -> None:
        self.theirs = list(tips)
        self._void()

    def _void(self) -> None:
        self._offer = self._shown = None
        self.asked = self.approved = self.approved_of = b""

    @property
    def id(self) -> bytes:
        """Of the plan for what both hold now."""
        assert self.mine is not None
        assert self.theirs is not None
        sides = (self.mine, self.theirs) if self._caller else (self.theirs, self.mine)
        return plans.plan_id(*sides)

    def propose(self, offer: Offer, secret: bytes) -> Plan:
        self._offer, self._prints = offer, plans.fingerprints(secret, offer.touched)
        self._plan = plans.message(self.id, offer, self._prints)
        return self._plan

    def again(self) -> list[Plan | Approve]:
        """What has been said to the other side of the present plan."""
        if self._plan is None or self._plan.id != self.id:
            return []
        return [self._plan, *([Approve(self.approved)] if self.approved else [])]

    def coming(self, device: str, name: str) -> Coming | None:
        """What a person is asked, once both sides' plans for the same state are here; None before, and when there is
        nothing new to be shown.
        """
        offer, plan = self._offer, self.plan_of
        if offer is None or plan is None or plan.id != self.id or self.approved == plan.id:
            return None
        if self._shown == (offer, plan):
            return None  # said again, in case it was lost
        self._shown = offer, plan
        self.asked = plan.id
        prints = self._prints[: plans.TOUCHED_MAX]
        return Coming(
            id=plan.id, device=device, name=name, bundles=plan.bundles, size=plan.size, authors=plan.authors,
            sends=offer.bundles, sends_size=offer.size,
            conflicts=plans.conflicts_to_come(prints, plan.touched),
            at_least=not plan.all_touched or len(self._prints) > plans.TOUCHED_MAX,
        )  # fmt: skip

    @property
    def is_mutual(self) -> bool:
        """Whether both sides have said yes to the plan for what both hold now; a yes to an earlier one is none."""
        return bool(self.approved) and self.approved == self.approved_of == self.id
