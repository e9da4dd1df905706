"""INV-PAIR-1 for codes said aloud: who knows one gets in, one guess each; whoever is in between gets nothing."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprod.core.ids import device_id
from openprod.errors import Denied, InputError
from openprod.sync import spoken
from openprod.sync.outputs import Closed, Proven, Send
from openprod.sync.pairing import Invitations, link, parse_link
from openprod.sync.spoken import (
    CODE_MS,
    CODEC,
    KNOCKS_MAX,
    LOCKED_MS,
    WORDS,
    WRONG_MAX,
    Codes,
    Confirm,
    Hosting,
    Joining,
    Me,
    Paired,
    parse_code,
)
from tests.sync.conversation import Conversation, Side

CERTIFICATE, OTHER_CERTIFICATE = b"c" * 32, b"o" * 32
HOST = Me(b"h" * 32, "Helen", "Helens laptop")
GUEST = Me(b"g" * 32, "Gus", "Gus's tablet")
Alter = Callable[[bytes], bytes]


class Clock:
    ms = 1_000_000

    def __call__(self) -> int:
        return self.ms


def some(clock: Clock | None = None) -> Codes:
    return Codes(random_bytes=secrets.token_bytes, now_ms=clock or Clock())


class Talk:
    """An exchange with both people at hand. ``seen``: every frame, in order, as it was delivered."""

    def __init__(
        self, codes: Codes, code: str, *, guest: Me = GUEST, seen_by_guest: bytes = CERTIFICATE,
        alter: Alter | None = None,
    ) -> None:  # fmt: skip
        self.host = Hosting(codes, HOST, certificate=CERTIFICATE, workspace="ws_1", title="Hamlet")
        self.guest = Joining(code, guest, certificate=seen_by_guest, random_bytes=secrets.token_bytes)
        self.said: dict[str, list[object]] = {"host": [], "guest": []}
        self.seen: list[bytes] = []
        self._alter = alter or (lambda frame: frame)

    def run(self, *, until: type | None = None) -> Talk:
        waiting: list[tuple[str, object]] = [("guest", one) for one in self.guest.start()]
        while waiting:
            who, output = waiting.pop(0)
            self.said[who].append(output)
            mine, other = (self.guest, self.host) if who == "guest" else (self.host, self.guest)
            if until is not None and isinstance(output, Send) and isinstance(CODEC.decode(output.frame), until):
                return self
            if isinstance(output, Send):
                self.seen.append(self._alter(output.frame))
                name = "host" if who == "guest" else "guest"
                waiting += [(name, one) for one in other.received(self.seen[-1])]
            elif isinstance(output, Confirm):
                waiting += [(who, one) for one in mine.agree()]
        return self

    def paired(self, who: str) -> Paired | None:
        return next((one for one in self.said[who] if isinstance(one, Paired)), None)

    def closed(self, who: str) -> str:
        return next((one.code for one in self.said[who] if isinstance(one, Closed)), "")

    def confirmed(self, who: str) -> Confirm | None:
        return next((one for one in self.said[who] if isinstance(one, Confirm)), None)


def another(code: str) -> str:
    """A code, but not this one."""
    words = code.split("-")
    return "-".join([WORDS[(WORDS.index(words[0]) + 1) % len(WORDS)], *words[1:]])


def test_who_knows_the_code_gets_a_secret_that_only_the_two_have() -> None:
    codes = some()
    talk = Talk(codes, codes.make()).run()
    host, guest = talk.paired("host"), talk.paired("guest")
    assert host is not None
    assert guest is not None
    assert host.key == guest.key
    assert all(secret not in frame for frame in talk.seen for secret in (host.key, host.secret))
    # For the joining side it is as if it had been given a link.
    made = parse_link(link(["10.0.0.1:8041"], guest.device, guest.certificate, guest.secret, guest.workspace))
    assert (made.key, made.device) == (host.key, device_id(HOST.key))
    assert (host.device, guest.device) == (device_id(GUEST.key), device_id(HOST.key))
    assert guest.workspace == host.workspace == "ws_1"
    assert talk.confirmed("guest") == Confirm(device_id(HOST.key), "Helen", "Helens laptop", "Hamlet", "ws_1")
    assert talk.confirmed("host") == Confirm(device_id(GUEST.key), "Gus", "Gus's tablet")


def test_the_secret_opens_a_session() -> None:
    clock = Clock()
    codes, invitations = some(clock), Invitations(random_bytes=secrets.token_bytes, now_ms=clock)
    their_key = Side("guest", caller=True).public
    talk = Talk(codes, codes.make(), guest=Me(their_key, "Gus", "")).run()
    host, guest = talk.paired("host"), talk.paired("guest")
    assert host is not None
    assert guest is not None
    invitations.add(host.key, device=host.device)

    def admit(key: bytes, paired: bool) -> str:
        return "" if paired and invitations.spend(device_id(key)) else "Nobody has invited that device."

    for name, expected in (("guest", True), ("stranger", False)):
        talking = Conversation()
        talking.b = Side("host", caller=False, invited=invitations.key, admit=admit)
        talking.a = Side(name, caller=True, secret=guest.key)
        talking.start()
        talking.run()
        assert any(isinstance(one, Proven) and one.paired for one in talking.b.outputs) is expected


@pytest.mark.parametrize(
    "heard",
    ["maple tiger window", "Maple-Tiger-Window", " MAPLE, tiger... winddow!", "map tig win", "maples/tigers/win"],
)
def test_a_code_may_be_heard_and_typed_in_many_ways(heard: str) -> None:
    assert parse_code(heard) == "maple-tiger-window"


@pytest.mark.parametrize(
    "heard", ["", "maple tiger", "maple tiger window tiger", "xxx tiger window", "1 2 3", "ma ti wi"]
)
def test_what_is_no_code_is_told_before_anybody_is_asked(heard: str) -> None:
    with pytest.raises(InputError):
        parse_code(heard)


@given(st.text(max_size=400))
def test_hostile_text_is_a_code_or_none(text: str) -> None:
    try:
        found = parse_code(text)
    except InputError:
        return
    assert parse_code(found) == found


def test_words_differ_in_their_first_letters() -> None:
    assert len(WORDS) == len({word[:3] for word in WORDS}) == 128
    codes = some()
    assert all(parse_code(code) == code for code in (codes.make() for _ in range(200)))


# -- guessing ----------------------------------------------------------------------------------------------


def test_a_wrong_code_tells_nothing_and_uses_the_code_up() -> None:
    codes = some()
    code = codes.make()
    talk = Talk(codes, another(code)).run()
    assert talk.closed("host") == talk.closed("guest") == "wrong_code"
    assert talk.paired("host") is talk.paired("guest") is None
    assert talk.confirmed("guest") is talk.confirmed("host") is None
    assert not any(b"Hamlet" in frame or b"Helen" in frame or b"Gus" in frame for frame in talk.seen)
    again = Talk(codes, code).run()
    assert again.closed("guest") == "no_code", "the right one comes too late"


def test_a_code_lets_in_one_device() -> None:
    codes = some()
    code = codes.make()
    assert Talk(codes, code).run().paired("host")
    assert Talk(codes, code).run().closed("guest") == "no_code"


def test_guesses_made_at_once_are_one_guess() -> None:
    codes = some()
    code = codes.make()
    first, second = Talk(codes, another(code)), Talk(codes, code)
    for talk in (first, second):
        talk.run(until=spoken.Proof)
    proofs = [
        next(reversed([one.frame for one in talk.said["guest"] if isinstance(one, Send)])) for talk in (first, second)
    ]
    assert isinstance(first.host.received(proofs[0])[-1], Closed)
    closed = second.host.received(proofs[1])[-1]
    assert isinstance(closed, Closed)
    assert closed.code == "wrong_code"


def test_three_wrong_codes_lock_and_time_unlocks() -> None:
    clock = Clock()
    codes = some(clock)
    for _ in range(WRONG_MAX):
        assert Talk(codes, another(codes.make())).run().closed("host") == "wrong_code"
    with pytest.raises(Denied) as denied:
        codes.make()
    assert "10 minutes" in denied.value.sentence
    clock.ms += LOCKED_MS - 1
    with pytest.raises(Denied):
        codes.make()
    clock.ms += 1
    assert Talk(codes, codes.make()).run().paired("host")


def test_a_right_code_between_wrong_ones_counts_them_anew() -> None:
    codes = some()
    for _ in range(4):
        for _ in range(WRONG_MAX - 1):
            Talk(codes, another(codes.make())).run()
        assert Talk(codes, codes.make()).run().paired("host")


def test_a_code_ends_after_a_minute_and_when_another_is_made() -> None:
    clock = Clock()
    codes = some(clock)
    code = codes.make()
    clock.ms += CODE_MS
    assert Talk(codes, code).run().closed("guest") == "no_code"
    old, new = codes.make(), codes.make()
    if old != new:
        talk = Talk(codes, old).run()
        assert talk.closed("host") == "wrong_code"
    code = codes.make()
    codes.withdraw()
    assert Talk(codes, code).run().closed("guest") == "no_code"


def test_a_code_that_ends_during_the_exchange_is_over() -> None:
    clock = Clock()
    codes = some(clock)
    talk = Talk(codes, codes.make())

    def late(frame: bytes) -> bytes:
        if isinstance(CODEC.decode(frame), spoken.Proof):
            clock.ms += CODE_MS
        return frame

    talk._alter = late
    assert talk.run().closed("guest") == "wrong_code"


def test_whoever_only_knocks_learns_nothing_and_is_bounded() -> None:
    codes = some()
    code = codes.make()
    for _ in range(KNOCKS_MAX - 1):
        talk = Talk(codes, code).run(until=spoken.Proof)
        assert not any(isinstance(CODEC.decode(frame), spoken.Welcome) for frame in talk.seen)
    assert Talk(codes, code).run().paired("host"), "knocking alone uses no code up"
    code = codes.make()
    for _ in range(KNOCKS_MAX):
        Talk(codes, code).run(until=spoken.Proof)
    assert Talk(codes, code).run().closed("guest") == "no_code"


# -- in between --------------------------------------------------------------------------------------------


def test_somebody_in_between_has_another_certificate_and_gets_nothing() -> None:
    codes = some()
    talk = Talk(codes, codes.make(), seen_by_guest=OTHER_CERTIFICATE).run()
    assert talk.closed("host") == "wrong_code"
    assert talk.paired("guest") is talk.paired("host") is None
    assert not any(b"Hamlet" in frame or b"Helen" in frame or b"Gus" in frame for frame in talk.seen)


@pytest.mark.parametrize("kind", [spoken.Knock, spoken.Answer])
def test_another_device_key_on_the_way_is_found(kind: type) -> None:
    def alter(frame: bytes) -> bytes:
        message = CODEC.decode(frame)
        if isinstance(message, (spoken.Knock, spoken.Answer)) and type(message) is kind:
            return frame.replace(message.key, b"m" * 32)
        return frame

    codes = some()
    talk = Talk(codes, codes.make(), alter=alter).run()
    assert talk.closed("host") == "wrong_code"
    assert talk.paired("guest") is talk.paired("host") is None


@pytest.mark.parametrize("name", [b"Hamlet", b"Helen", b"ws_1"])
def test_names_and_the_workspace_can_not_be_changed_on_the_way(name: bytes) -> None:
    codes = some()
    talk = Talk(codes, codes.make(), alter=lambda frame: frame.replace(name, b"X" * len(name))).run()
    assert talk.closed("guest") == "wrong_code"
    assert talk.paired("guest") is talk.paired("host") is None


def test_a_host_that_does_not_know_the_code_is_not_believed() -> None:
    codes, others = some(), some()
    code = codes.make()
    talk = Talk(others, code)
    others._code, others._ends_ms = another(code), 2**60
    others.judged = lambda _code, _right: True  # type: ignore[method-assign]
    talk.run()
    assert talk.closed("guest") == "wrong_code"
    assert talk.confirmed("guest") is None


def test_a_device_does_not_pair_with_itself() -> None:
    codes = some()
    assert Talk(codes, codes.make(), guest=HOST).run().closed("guest") == "self"


@pytest.mark.parametrize("who", ["guest", "host"])
def test_a_person_may_say_no(who: str) -> None:
    codes = some()
    talk = Talk(codes, codes.make())
    side = talk.guest if who == "guest" else talk.host
    side.agree = side.decline  # type: ignore[method-assign]
    talk.run()
    assert talk.closed("guest") == talk.closed("host") == "declined"
    assert talk.paired("guest") is talk.paired("host") is None


def test_nobody_gets_on_by_agreeing_too_early() -> None:
    codes = some()
    host = Hosting(codes, HOST, certificate=CERTIFICATE, workspace="ws_1", title="")
    guest = Joining(codes.make(), GUEST, certificate=CERTIFICATE, random_bytes=secrets.token_bytes)
    assert host.agree() == guest.agree() == []


@given(st.binary(max_size=200))
def test_hostile_frames_end_the_exchange(frame: bytes) -> None:
    codes = some()
    code = codes.make()
    host = Hosting(codes, HOST, certificate=CERTIFICATE, workspace="ws_1", title="")
    guest = Joining(code, GUEST, certificate=CERTIFICATE, random_bytes=secrets.token_bytes)
    guest.start()
    for side in (host, guest):
        assert isinstance(side.received(frame)[-1], Closed)
        assert side.received(frame) == side.decline() == side.agree() == []


@pytest.mark.parametrize(
    "half", [b"A" + b"\0" * 32, b"A" + b"\xff" * 32, b"B" + b"\0" * 32, b"A" + b"\1" + b"\0" * 31, b"X" * 33, b""]
)
def test_halves_that_are_no_points_end_the_exchange(half: bytes) -> None:
    codes = some()
    codes.make()
    host = Hosting(codes, HOST, certificate=CERTIFICATE, workspace="ws_1", title="")
    closed = host.received(CODEC.encode(spoken.Knock([1], GUEST.key, half)))[-1]
    assert isinstance(closed, Closed)
    assert closed.code == "protocol"


def test_newer_programs_are_told_apart() -> None:
    host = Hosting(some(), HOST, certificate=CERTIFICATE, workspace="ws_1", title="")
    closed = host.received(CODEC.encode(spoken.Knock([7], GUEST.key, b"A" * 33)))[-1]
    assert isinstance(closed, Closed)
    assert closed.code == "versions"


def test_no_code_and_no_secret_is_shown_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    codes = some()
    code = codes.make()
    talk = Talk(codes, code).run()
    paired = talk.paired("guest")
    assert paired is not None
    shown = caplog.text + "".join(f"{one!r} {one!s}" for one in (codes, talk.host, talk.guest, paired, [paired]))
    assert code not in shown
    for hidden in (paired.key, paired.secret):
        assert repr(hidden)[2:-1] not in shown
        assert hidden.hex() not in shown
