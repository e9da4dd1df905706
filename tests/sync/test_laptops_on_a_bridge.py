"""Three laptops on a network of their own do the whole job: real commands at real terminals, in network namespaces.

They find each other, come in, edit, lose their leader, are cut in two and come together again, leave and end; one is
restored from a backup, one is removed. One walk, because each chapter goes on from the one before it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from openprod.sync.known import KnownDevices
from openprod.sync.spoken import WRONG_MAX
from tests.sync.laptops import SHOW, Gathered
from tests.sync.namespaces import Bridge, bridged, inside
from tests.sync.terminal import Terminal
from tests.sync.test_service import alike
from tests.sync.test_service_code import wrong

FIELDS = ("label", "start", "comment")
BLOB = bytes(range(256)) * 1000


class Seated(Gathered):
    """A person at a laptop on the bridge."""

    def __init__(self, folder: Path, person: str, place: str) -> None:
        super().__init__(folder, person, place)
        self._inside = inside(place)
        self.terminal: Terminal | None = None

    @property
    def device(self) -> str:
        return str(self.session()["me"]["device"])

    def types(self, *arguments: str) -> Terminal:
        """A command that goes on; another one may be typed at another terminal."""
        return Terminal(self.laptop.command(*arguments), self.laptop.folder, self.laptop.environment)

    def json(self, *arguments: str) -> Any:
        return self.laptop.run(*arguments, "--json").json

    def comes_back(self) -> None:
        """To those from before. What would come is shown, and confirmed."""
        self.terminal = self.types("join", SHOW)
        self.terminal.until("Join? [y/N]")
        self.terminal.type("y")

    def is_killed(self) -> None:
        assert self.terminal is not None
        self.terminal.kill()
        self.terminal = None

    def stops(self) -> None:
        assert self.terminal is not None
        self.terminal.process.send_signal(signal.SIGINT)
        self.terminal.ended()
        self.terminal = None

    def sees(self, entity: str, label: str) -> None:
        """Until the value is shown here."""
        self.until(lambda _session: self._label(entity) == label, f"{entity} to be {label}", every_s=0.3)

    def known(self, other: Seated) -> list[tuple[str, int]]:
        """Where this one would call the other."""
        workspace = self.call("GET", "/workspace")["id"]
        return KnownDevices(self.laptop.folder / "home" / "peers", workspace).addresses(other.device)

    def _label(self, entity: str) -> object:
        found = self._http("GET", f"/entities/{entity}")
        return found.json()["facets"]["cues.cue"].get("label") if found.status_code == 200 else None

    def says(self, sentence: str) -> None:
        """Until it is among what happened."""
        self.until(
            lambda session: any(sentence in one["sentence"] for one in session["events"]), f"“{sentence}”"
        )  # fmt: skip

    def _http(self, method: str, path: str, **what: Any) -> httpx.Response:
        return self._inside.submit(super()._http, method, path, **what).result()

    def close(self) -> None:
        if self.terminal is not None:
            self.terminal.kill()
        self._inside.shutdown()


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    with bridged(3) as made:
        yield made


@pytest.fixture
def three(bridge: Bridge, tmp_path: Path) -> Iterator[list[Seated]]:
    made = [Seated(tmp_path, who, at) for who, at in zip(("alex", "blake", "casey"), bridge.machines, strict=True)]
    yield made
    for one in made:
        one.close()


def test_three_laptops_do_the_job(three: list[Seated], bridge: Bridge) -> None:
    """INV-PEER-1 INV-PEER-2 INV-PEER-4 INV-PEER-5 INV-PEER-6 INV-PAIR-1 INV-FORK-1 INV-MEMBER-3"""
    they_come_in(*three)
    backup = they_edit(*three)
    the_leader_is_killed(*three)
    the_leader_sleeps(*three)
    they_are_cut_in_two(*three, bridge)
    one_is_restored(*three, backup)
    one_leaves(*three)
    one_is_removed(*three)
    it_is_ended(*three)
    for one in three:
        one.stops()


def they_come_in(alex: Seated, blake: Seated, casey: Seated) -> None:
    alex.laptop.done("new", SHOW, "--name", "A Show", "--plugin", "cues")
    alex.terminal = alex.types("host", SHOW)
    link = "openprod://" + alex.terminal.until("The link lets one device in").partition("openprod://")[2].split()[0]
    shown = alex.terminal.until("You are asked who comes")
    assert "▄" in shown or "█" in shown, "a QR code"
    alex.create("cue_1", "Ghost")
    blob = alex.store(BLOB)

    found: list[dict[str, Any]] = []
    while not found:  # a device that has just come on the air may take a moment more than one look
        found = blake.json("discover", "--seconds", "2")["devices"]
    assert [(one["device"], one["addresses"], one["known"]) for one in found] == [
        (alex.device, ["10.77.0.1:8041"], False)
    ]  # fmt: skip
    blake.terminal = blake.types("join", link, SHOW)
    plan = blake.terminal.until("Join? [y/N]")
    assert "alex" in plan
    assert f"{len(alex.bundles())} bundles" in plan
    assert blake.bundles() == set()
    blake.terminal.type("y")
    alex.terminal.until(f"device {blake.device[:8]}) came with your link, to be editor.")
    alex.terminal.until("Let it in? [y/N]")
    assert blake.bundles() == set(), "INV-PEER-4: both confirm"
    alex.terminal.type("y")
    blake.terminal.until("Joined: alex")
    alex.says("blake is here.")
    assert blake.stored(blob) == BLOB

    ended = casey.laptop.run("join", wrong(alex.json("host", SHOW)["code"]), SHOW, "--yes")
    assert (ended.status, "wasn't the code" in ended.err) == (1, True), ended.err
    assert not casey.folder.exists()
    code = alex.call("POST", "/session/host")["code"].replace("-", " ")
    casey.terminal = casey.types("join", code, SHOW)
    casey.terminal.until("A Show, hosted by alex")
    casey.terminal.until("Is that the one? [y/N]")
    casey.terminal.type("y")
    alex.terminal.until("casey")
    alex.terminal.until("Let it in? [y/N]")
    assert [one["name"] for one in alex.session()["members"]] == ["alex", "blake"]
    alex.terminal.type("y")
    casey.terminal.until("Join? [y/N]")
    casey.terminal.type("y")
    casey.terminal.until("Joined: ")
    for one, *others in (three := [alex, blake, casey], three[1:] + three[:1], three[2:] + three[:2]):
        one.together(*others)
    alike(*three)
    wrong_codes_lock(alex, casey)


def wrong_codes_lock(host: Seated, guest: Seated) -> None:
    for _ in range(WRONG_MAX):
        guess = wrong(host.call("POST", "/session/host")["code"])
        ended = guest.laptop.run("join", guess, "other.openprod", "--at", "10.77.0.1:8041", "--yes")
        assert (ended.status, "wasn't the code" in ended.err) == (1, True), ended.err
    locked = host.call("POST", "/session/host")
    assert (locked["code"], bool(locked["link"])) == ("", True)


def they_edit(alex: Seated, blake: Seated, casey: Seated) -> Path:
    """A backup of Casey's: some of its edits are in it, later ones aren't."""
    backup = casey.laptop.folder / "backup"
    for number, one in enumerate((alex, blake, casey), 2):
        one.create(f"cue_{number}", one.laptop.person)
        one.spread(2)
        for other in (alex, blake, casey):
            other.sees(f"cue_{number}", one.laptop.person)
    casey.laptop.done("backup", SHOW, str(backup))
    newest = casey.call("GET", "/session/edits", limit=1)["edits"]
    assert [(one["author"], one["here"], one["on_leader"], one["devices"]) for one in newest] == [
        ("casey", True, True, 2)
    ]  # fmt: skip
    shown = casey.laptop.run("peers", SHOW)
    assert "Your latest edit: here, on the leader, on 2 other devices." in shown.err
    alike(alex, blake, casey)
    return backup


def the_leader_is_killed(alex: Seated, blake: Seated, casey: Seated) -> None:
    before = alex.bundles()
    alex.is_killed()
    blake.create("cue_5", "nobody leads now")
    casey.create("cue_6", "and nobody stops")
    blake.until(lambda session: session["leads"], "the lead")
    for one in (blake, casey):
        one.spread(1)
    assert before < casey.bundles()
    alike(blake, casey)
    term = blake.session()["term"]
    alex.comes_back()
    blake.plan()
    assert alex.bundles() == before, "asked about, not taken"
    blake.approve()
    alex.together(blake, casey)
    blake.together(alex, casey)
    alex.create("cue_7", "back")
    alex.spread(2)
    for one in (alex, blake, casey):
        session = one.session()
        assert (session["leader"], session["term"]) == (blake.device, term), "no fight for the lead"
    alike(alex, blake, casey)


def the_leader_sleeps(alex: Seated, blake: Seated, casey: Seated) -> None:
    assert blake.terminal is not None
    sleeper = blake.device
    blake.terminal.process.send_signal(signal.SIGSTOP)
    for one in (alex, casey):
        one.until(lambda session: session["leader"] not in ("", sleeper), "another to lead")
    leader = alex.session()["leader"]
    alex.create("cue_8", "while blake sleeps")
    blake.terminal.process.send_signal(signal.SIGCONT)
    for one in (blake, alex, casey):
        one.until(lambda session: session["leader"] == leader and not session["plans"], "one leader")
    blake.create("cue_9", "awake")
    blake.spread(2)
    alex.together(blake, casey)
    assert [one.session()["leads"] for one in (alex, blake, casey)].count(True) == 1
    alike(alex, blake, casey)


def they_are_cut_in_two(alex: Seated, blake: Seated, casey: Seated, bridge: Bridge) -> None:
    three = alex, blake, casey
    leader = next(one for one in three if one.session()["leads"])
    others = [one for one in three if one is not leader]
    bridge.pull(leader.laptop.place)
    others[0].until(lambda session: session["leader"] not in ("", leader.device), "another to lead")
    heir = next(one for one in others if one.device == others[0].session()["leader"])
    for one in others:
        one.until(lambda session: session["leader"] == heir.device, "the same leader")
    leader.until(lambda session: session["leads"] and sum(it["here"] for it in session["members"]) == 1, "to be alone")
    for one in (leader, heir):
        for field in FIELDS:
            person = one.laptop.person
            one.set("cue_1", field, f"1{'abc'.index(person[0])}:00" if field == "start" else person)
    leader.create("cue_10", "here")
    other = next(one for one in others if one is not heir)
    other.create("cue_11", "there")
    other.spread(1)
    heir.spread(1)
    before = [one.bundles() for one in three]
    assert not any(one.conflicts() for one in three)

    bridge.renumber(leader.laptop.place, 20)
    bridge.plug(leader.laptop.place)
    theirs, mine = leader.plan(), heir.plan()
    assert (theirs["bundles"], theirs["sends"], theirs["conflicts"]) == (4, 4, 3)
    assert (mine["bundles"], mine["sends"], mine["conflicts"]) == (4, 4, 3)
    assert {(one["name"], one["bundles"]) for one in theirs["authors"]} == {
        (heir.laptop.person, 3), (other.laptop.person, 1),
    }  # fmt: skip
    shown = leader.laptop.done("peers", SHOW)
    assert "Coming: 4 bundles (" in shown
    assert "Going: 4 bundles. 3 conflicts to come." in shown
    heir.laptop.done("approve", SHOW)
    leader.laptop.done("decline", SHOW)
    heir.until(lambda session: not session["plans"], "the plan to be gone")
    assert [one.bundles() for one in three] == before, "declined: nothing moves"

    leader.laptop.done("join", SHOW)
    leader.plan()
    leader.laptop.done("approve", SHOW)
    heir.approve()
    for one in three:
        one.together(*(it for it in three if it is not one))
        one.until(lambda _session, one=one: one.bundles() == set().union(*before), "everything", every_s=0.3)
    alike(*three)
    assert len(alex.conflicts()) == 3
    assert [one.session()["leads"] for one in three].count(True) == 1
    assert heir.known(leader)[0] == ("10.77.0.20", 8041), "under its new address"


def one_is_restored(alex: Seated, blake: Seated, casey: Seated, backup: Path) -> None:
    """With an older copy under its name, the laptop goes on: under another log, and it can be read that it did."""
    before = casey.bundles()
    casey.stops()
    casey.folder.rename(casey.folder.with_name("newer"))
    casey.laptop.done("restore", str(backup), SHOW)
    casey.terminal = casey.types("join", SHOW)
    casey.terminal.until("Join? [y/N]")
    old = casey.bundles()
    assert len(old) < len(before)
    casey.create("cue_12", "from the copy")
    casey.terminal.type("y")
    leader = next(one for one in (alex, blake) if one.session()["leads"])
    leader.approve()
    for one in (alex, blake, casey):
        one.sees("cue_12", "from the copy")
        one.together(*(it for it in (alex, blake, casey) if it is not one))
    assert before < casey.bundles(), "what the copy lacked came back"
    for one in (alex, blake, casey):
        log = one.call("GET", "/log", limit=1000)["bundles"]
        (event,) = [it for it in log if it["intent"] == "restored"]
        assert event["author"] == "casey"
    assert "Restored from a backup. It goes on here under a log of its own" in alex.laptop.done("log", SHOW)
    alike(alex, blake, casey)


def one_leaves(alex: Seated, blake: Seated, casey: Seated) -> None:
    before = casey.bundles()
    casey.laptop.done("leave", SHOW)
    for one, other in ((alex, blake), (blake, alex)):
        one.together(other)
    alex.create("cue_13", "without casey")
    alex.spread(1)
    assert casey.bundles() == before
    assert casey.stored(f"blob:{sha256(BLOB).hexdigest()}") == BLOB, "it keeps what it has"


def one_is_removed(alex: Seated, blake: Seated, casey: Seated) -> None:
    alex.laptop.done("remove", SHOW, casey.device[:6])
    casey.create("cue_14", "unaware of it")
    refused = casey.laptop.run("join", SHOW)
    assert refused.status == 1
    assert "This device was removed from the production." in refused.err
    assert casey._label("cue_13") is None, "nothing more comes to it"
    assert alex._label("cue_14") is None
    # What it wrote meanwhile comes by a stick, say.
    casey.laptop.done("pack", SHOW, "--output", "stick")
    alex.laptop.done("merge", SHOW, str(casey.laptop.folder / "stick"), "--apply")
    (held,) = alex.call("GET", "/held")["held"]
    assert held["author"] == "casey"
    assert alex._label("cue_14") is None, "held, not applied"
    alex.laptop.done("held", SHOW, "--accept-all")
    for one in (alex, blake):
        one.sees("cue_14", "unaware of it")


def it_is_ended(alex: Seated, blake: Seated, casey: Seated) -> None:
    alike(alex, blake)
    before = alex.bundles(), alex.hash()
    leader, other = (alex, blake) if alex.session()["leads"] else (blake, alex)
    leader.laptop.done("end", SHOW)
    other.until(lambda session: not session["in_session"], "the end")
    for one in (alex, blake):
        assert (one.bundles(), one.hash()) == before
        assert not one.session()["in_session"]
