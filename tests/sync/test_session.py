"""One connection: the greeting, the plan, content, and peers that mean harm (INV-BOUND-1, INV-PEER-4)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from openprod.sync import flow
from openprod.sync import messages as m
from openprod.sync.catchup import Survey
from openprod.sync.clocks import Verdict
from openprod.sync.messages import CODEC, Stretch
from openprod.sync.outputs import Ask, Closed, Heard, Joined, Proven, State, TakeIn
from openprod.sync.wire import Codec
from tests.sync.conversation import WALL, Conversation, Side
from tests.sync.test_wire import OF_2, Wave

X = "0123456789abcdef"


def joined(**config: Any) -> Conversation:
    talk = Conversation(**config)
    talk.start()
    talk.run()
    assert talk.a.joined
    assert talk.b.joined
    return talk


def test_the_order_of_things() -> None:
    talk = Conversation()
    talk.a.writes(3)
    talk.b.writes(2)
    talk.start()
    talk.run()
    assert talk.kinds("alex")[:5] == ["Hello", "Auth", "Have", "Plan", "Approve"]
    assert talk.kinds("blake")[:5] == ["Hello", "Auth", "Have", "Plan", "Approve"]
    assert [one.body for one in talk.b.taken] == [one.signed.body for one in talk.a.bundles]
    assert [one.body for one in talk.a.taken] == [one.signed.body for one in talk.b.bundles]


def test_nothing_of_content_moves_before_both_people_say_yes() -> None:
    """INV-PEER-4"""
    talk = Conversation()
    talk.a.writes(3)
    talk.b.writes(3)
    talk.b.yes = False
    talk.start()
    for _ in range(30):
        talk.tick()
    (asked,) = [one for one in talk.b.outputs if isinstance(one, Ask)]
    assert asked.coming.bundles == asked.coming.sends == 3
    assert not {"Ops", "Live", "Piece"} & {*talk.kinds("alex"), *talk.kinds("blake")}
    talk.b.do(talk.b.session.approve(b"another plan".ljust(32)))
    assert not talk.b.joined
    talk.b.do(talk.b.session.decline())
    talk.run()
    assert (talk.a.closed, talk.b.closed) == ("declined", "declined")
    assert not talk.a.taken
    assert not talk.b.taken


@pytest.mark.parametrize("logs", [m.TIPS_MAX, 2 * m.TIPS_MAX + 1])
def test_more_logs_than_a_frame_holds(logs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """INV-BOUND-1: a device may have made as many; who holds them is understood all the same."""
    talk = Conversation()
    for side in (talk.a, talk.b):
        tips = {str(at): m.Tip(f"{side.device}-{at:08x}", 1, bytes(32)) for at in range(logs)}
        monkeypatch.setattr(side, "tips", lambda tips=tips: tips)
    talk.start()
    talk.run()
    assert (talk.a.joined, talk.b.joined) == (True, True)
    heard = [one.message for one in talk.a.outputs if isinstance(one, Heard) and isinstance(one.message, m.Have)]
    assert [len(one.tips) for one in heard] == [logs]


def test_a_yes_counts_for_the_plan_that_was_shown() -> None:
    """INV-PEER-4: what one side holds changed by a merge in the meantime; both are asked again."""
    talk = Conversation()
    talk.a.writes(1)
    talk.b.yes = False
    talk.start()
    talk.run()
    (first,) = [one for one in talk.b.outputs if isinstance(one, Ask)]
    talk.a.writes(5)
    talk.a.do(talk.a.session.have(talk.a.tips()))
    talk.run()
    talk.b.do(talk.b.session.approve(first.coming.id))
    talk.run()
    assert not talk.a.joined
    assert not talk.b.joined
    second = [one for one in talk.b.outputs if isinstance(one, Ask)][-1]
    assert (first.coming.bundles, second.coming.bundles) == (1, 6)
    talk.b.do(talk.b.session.approve(second.coming.id))
    talk.run()
    assert len(talk.b.taken) == 6


def test_live_bundles_and_acks() -> None:
    talk = joined()
    talk.a.writes(1)
    talk.a.do(talk.a.session.news(talk.a.tips()))
    talk.run()
    kinds = [type(message) for _who, message in talk.seen[-2:]]
    assert kinds == [m.Live, m.Ack]
    talk.a.writes(1)
    talk.a.do(talk.a.session.news(talk.a.tips()))
    talk.run()
    live = [message for _who, message in talk.seen if isinstance(message, m.Live)]
    assert [(one.gseq, one.previous) for one in live] == [(1, 0), (2, 1)]


def test_a_large_bundle_travels_in_pieces() -> None:
    talk = joined()
    talk.a.writes(1, size=3_000_000)
    talk.a.do(talk.a.session.news(talk.a.tips()))
    talk.run()
    assert talk.kinds("alex").count("Piece") == 16
    assert [one.body for one in talk.b.taken] == [talk.a.bundles[0].signed.body]


def test_no_more_is_under_way_than_agreed_and_a_peer_that_never_reads_is_left() -> None:
    """INV-BOUND-1"""
    talk = joined()
    talk.a.writes(300, size=50_000)
    talk.a.do(talk.a.session.news(talk.a.tips()))
    assert sum(map(len, talk.a.out)) < flow.WINDOW_BYTES + 60_000
    seconds = 0
    while not talk.a.closed and seconds < 60:
        seconds += 1
        talk.a.out.clear()
        talk.a.mono += 1000
        talk.a.do(talk.a.session.receive(CODEC.encode(m.Heartbeat(1, "", False, 1)), talk.a.now))
        talk.a.do(talk.a.session.tick(talk.a.now))
    assert talk.a.closed == "stalled"
    assert seconds > 20


def test_what_was_lost_is_sent_again() -> None:
    talk = joined()
    talk.a.writes(4)
    talk.a.do(talk.a.session.news(talk.a.tips()))
    talk.a.out.clear()
    for _ in range(8):
        talk.tick()
    assert [one.body for one in talk.b.taken] == [one.signed.body for one in talk.a.bundles]


def test_an_acknowledgement_that_was_lost_is_made_up_for() -> None:
    talk = joined()
    talk.a.writes(2)
    talk.a.do(talk.a.session.news(talk.a.tips()))
    while talk.a.out:
        talk.b.gets(talk.a.out.pop(0))
    talk.b.out.clear()
    first = [one.body for one in talk.b.taken]
    talk.b.took = lambda bundles: talk.b.do(  # type: ignore[method-assign]
        talk.b.session.took({}, {}, sum(len(one.body) for one in bundles))  # what it holds already
    )
    for _ in range(45):
        talk.tick()
        talk.a.do(talk.a.session.say(m.Heartbeat(1, "", False, 1)))
        talk.b.do(talk.b.session.say(m.Heartbeat(1, "", False, 1)))
        talk.run()
    assert not talk.a.closed
    assert [one.body for one in talk.b.taken] == first * 2, "once more, and then it is known"


def test_what_came_while_people_decided_is_said_to_be_held() -> None:
    """INV-PEER-1: a whole ACK that forgets a bundle is taken for a device that lost it."""
    talk = Conversation()
    talk.a.yes = talk.b.yes = False
    talk.start()
    talk.run()
    talk.b.writes(2)
    talk.b.do(talk.b.session.news(talk.b.tips()))  # from a third device, say
    for side in (talk.a, talk.b):
        side.do(side.session.approve(next(one for one in side.outputs if isinstance(one, Ask)).coming.id))
    talk.run()
    for _ in range(6):
        talk.tick()
        for side in (talk.a, talk.b):
            side.do(side.session.say(m.Heartbeat(1, "", False, 1)))
    (*_, whole) = [one for who, one in talk.seen if who == "blake" and isinstance(one, m.Ack) and one.whole]
    assert whole.tips == list(talk.b.tips().values())


def test_who_sent_the_first_may_lack_the_last() -> None:
    """INV-PEER-1: what the other sent it holds; of the same log it may still lack what came later."""
    one, log = flow.Flow(), "0123456789abcdef-00000000"
    one.begin(Survey({}, {log: 0}, {}, frozenset()), [], 0)
    one.took({log: m.Tip(log, 4, b"4" * 32)}, {log: 4}, 0)
    one.news({log: m.Tip(log, 5, b"5" * 32)})
    assert one.want() is not None
    assert not list(one.pack([], 5, True, 1, 0)), "it went out, say, and was lost"
    one.rewind(Survey({log: 2}, {log: 2}, {}, frozenset()), 0)
    wanted = one.want()
    assert wanted is not None
    assert wanted[:2] == ({log: 4}, 0)


# -- versions, clocks, resuming ----------------------------------------------------------------------------


def test_an_old_and_a_new_node_talk() -> None:
    talk = Conversation()
    talk.b = Side("blake", caller=False, codec=OF_2, versions=(2, 3))
    talk.a.writes(2)
    talk.start()
    while talk.a.out or talk.b.out:
        for one, other in ((talk.a, talk.b), (talk.b, talk.a)):
            while one.out:
                other.gets(one.out.pop(0))
    assert talk.a.session.version == talk.b.session.version == 2
    assert len(talk.b.taken) == 2
    newer = Side("casey", caller=False, versions=(3, 4))
    newer.gets(CODEC.encode(hello(talk.a)))
    assert newer.closed == "versions"


class AuthOf1(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """As programs have it that speak version 1 only."""

    signature: bytes
    proof: bytes
    resume: bool
    name: str


OF_1 = Codec([AuthOf1, *(kind for kind in m.TYPES if kind is not m.Auth)])


def test_what_a_device_is_called_is_signed_and_told_to_who_knows_of_it() -> None:
    """INV-PAIR-1: people see whose and which device it is; an older program's has no name, and gets in all the same."""
    talk = Conversation(device_name="Desk")
    talk.b = Side("blake", caller=False, device_name="Booth")
    talk.start()
    talk.run()
    assert [proven(one).device_name for one in (talk.a, talk.b)] == ["Booth", "Desk"]

    talk.a, talk.b = Side("alex", caller=True, device_name="Desk"), Side("blake", caller=False, versions=(1,))
    talk.start()
    frames = []
    while talk.a.out or talk.b.out:
        for one, other in ((talk.a, talk.b), (talk.b, talk.a)):
            while one.out:
                frames.append(one.out.pop(0))
                other.gets(frames[-1])
    assert [proven(one).device_name for one in (talk.a, talk.b)] == ["", ""]
    assert not any(b"Desk" in frame for frame in frames)
    assert [OF_1.decode(CODEC.encode(m.Auth(bytes(64), name="alex"))).name] == ["alex"], "what follows is left unread"


@pytest.mark.parametrize("version", [1, 2])
def test_another_device_name_on_the_way_counts_for_nothing(version: int) -> None:
    talk = Conversation(device_name="Desk", versions=(version,))
    talk.b = Side("blake", caller=False)
    talk.start()
    talk.b.gets(talk.a.out.pop())
    while talk.b.out:
        talk.a.gets(talk.b.out.pop(0))
    said = next(one for one in map(CODEC.decode, talk.a.out) if isinstance(one, m.Auth))
    talk.b.gets(CODEC.encode(msgspec.structs.replace(said, device_name="Box office")))
    if version == 1:
        assert proven(talk.b).device_name == ""
    else:
        assert talk.b.closed == "unproven"


def proven(side: Side) -> Proven:
    return next(one for one in side.outputs if isinstance(one, Proven))


def test_kinds_that_only_newer_programs_know_are_left_unread_within_bounds() -> None:
    talk = joined()
    unknown = OF_2.encode(Wave("hi"))
    talk.b.gets(unknown)
    assert not talk.b.closed
    for _ in range(1001):
        talk.b.gets(unknown)
    assert talk.b.closed == "malformed"


@pytest.mark.parametrize(
    ("ahead_ms", "verdict"),
    [(0, Verdict.FINE), (5_000, Verdict.WARN), (100_000, Verdict.CORRECT), (400_000, Verdict.READ_ONLY)],
)
def test_a_clock_that_is_off_is_told(ahead_ms: int, verdict: Verdict) -> None:
    talk = Conversation()
    talk.a = Side("alex", caller=True, wall=WALL + ahead_ms)
    talk.start()
    talk.run()
    (proven,) = [one for one in talk.a.outputs if isinstance(one, Proven)]
    assert proven.clock.verdict is verdict
    assert proven.clock.correction_ms == (-ahead_ms if verdict is Verdict.CORRECT else 0)
    assert talk.b.joined, "replicas never take or drop by the clock"


def test_within_a_stretch_nobody_is_asked() -> None:
    talk = joined(gathering="0" * 32, history=[Stretch(3, X, 4_000)])
    assert not [one for side in (talk.a, talk.b) for one in side.outputs if isinstance(one, Ask)]
    assert [one.resumed for one in talk.a.outputs if isinstance(one, Joined)] == [True]
    for gathering, history in (
        ("0" * 32, [Stretch(3, X, 90_000)]),
        ("0" * 32, [Stretch(4, X, 0)]),
        ("1" * 32, [Stretch(3, X, 4_000)]),
        ("", []),
    ):
        talk = Conversation(gathering="0" * 32, history=[Stretch(3, X, 4_000)])
        talk.b = Side("blake", caller=False, gathering=gathering, history=history)
        talk.start()
        talk.run()
        assert [one for one in talk.a.outputs if isinstance(one, Ask)], (gathering, history)


# -- bad peers ---------------------------------------------------------------------------------------------


def hello(side: Side, **other: Any) -> m.Hello:
    fields = {
        "versions": [1], "key": side.public, "workspace": "ws_test", "gathering": "", "history": [],
        "nonce": b"q" * 32, "clock_ms": WALL, **other,
    }  # fmt: skip
    return m.Hello(**fields)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"workspace": "ws_other"}, "other_workspace"), ({"versions": [9]}, "versions")],
)
def test_a_stranger_learns_nothing(change: dict[str, Any], code: str) -> None:
    talk = Conversation()
    talk.b.gets(CODEC.encode(hello(talk.a, **change)))
    assert talk.b.closed == code
    assert [type(CODEC.decode(frame)) for frame in talk.b.out] == [m.Refuse], "not even a greeting"


def test_a_copy_of_this_device_is_refused() -> None:
    talk = Conversation()
    talk.b.gets(CODEC.encode(hello(talk.b)))
    assert talk.b.closed == "self"


def test_somebody_elses_key_proves_nothing() -> None:
    talk = Conversation()
    mallory = Side("mallory", caller=True)
    mallory.public = talk.a.public
    talk.b.gets(CODEC.encode(hello(talk.a)))
    talk.b.gets(CODEC.encode(m.Auth(bytes(64))))
    assert talk.b.closed == "unproven"
    assert not [one for one in talk.b.outputs if isinstance(one, Proven)]


def test_a_handshake_that_was_recorded_opens_nothing_later() -> None:
    talk = Conversation()
    talk.a.writes(2)
    talk.start()
    recorded = []
    while talk.a.out or talk.b.out:
        while talk.a.out:
            recorded.append(talk.a.out[0])
            talk.b.gets(talk.a.out.pop(0))
        while talk.b.out:
            talk.a.gets(talk.b.out.pop(0))
    again = Side("blake", caller=False, nonce=b"fresh".ljust(32))
    for frame in recorded:
        again.gets(frame)
    assert again.closed == "unproven"
    assert not again.taken


def test_a_signature_isnt_passed_on() -> None:
    """Mallory calls Blake and shows what Alex signs for Mallory."""
    alex, blake = Side("alex", caller=True), Side("blake", caller=False)
    mallory = Side("mallory", caller=False)
    alex.do(alex.session.start(alex.now))
    blake.gets(alex.out[0])
    mallory.gets(alex.out[0])
    alex.gets(mallory.out[0])
    blake.gets(alex.out[1])
    assert blake.closed == "unproven"


def test_another_certificate_than_the_one_pinned() -> None:
    talk = Conversation()
    talk.a = Side("alex", caller=True, certificate=b"the host's")
    talk.b = Side("blake", caller=False, certificate=b"somebody's in the middle")
    talk.start()
    talk.run()
    assert {talk.a.closed, talk.b.closed} == {"unproven"}


def test_a_device_that_isnt_admitted() -> None:
    talk = Conversation()
    talk.b = Side("blake", caller=False, admit=lambda _key, _paired: "You were removed.")
    talk.start()
    talk.run()
    assert talk.b.closed == "not_admitted"
    assert [one.sentence for one in talk.a.outputs if isinstance(one, Closed)] == ["You were removed."]


@pytest.mark.parametrize(("theirs", "admitted"), [(b"secret", True), (b"guess", False), (b"", False)])
def test_pairing_needs_the_secret(theirs: bytes, admitted: bool) -> None:
    talk = Conversation()
    talk.a = Side("alex", caller=True, secret=theirs)
    talk.b = Side("blake", caller=False, secret=b"secret", admit=lambda _key, paired: "" if paired else "No.")
    talk.start()
    talk.run()
    assert talk.b.joined is admitted


@pytest.mark.parametrize(
    "message",
    [
        m.Ops([m.Signed(b"x", bytes(64))]),
        m.Live(1, 1, 0, m.Signed(b"x", bytes(64))),
        m.Piece(bytes(32), bytes(64), 0, 10, b"x"),
    ],
)
def test_content_before_approval_ends_it(message: Any) -> None:
    """INV-PEER-4"""
    talk = Conversation()
    talk.b.yes = False
    talk.start()
    talk.run()
    assert talk.b.session.state is State.DECIDING
    talk.b.gets(CODEC.encode(message))
    assert talk.b.closed == "unapproved"
    assert not [one for one in talk.b.outputs if isinstance(one, TakeIn)]


def test_out_of_turn_and_garbage() -> None:
    """INV-BOUND-1"""
    for frame, code in (
        (CODEC.encode(m.Have([])), "unexpected"),
        (CODEC.encode(m.Auth(bytes(64))), "unexpected"),
        (b"\xff\xff", "malformed"),
        (b"", "malformed"),
        (CODEC.encode(m.End("0" * 32, 1)), "unexpected"),
    ):
        side = Side("blake", caller=False)
        side.gets(frame)
        assert side.closed == code
        before = len(side.outputs)
        side.gets(frame)
        assert len(side.outputs) == before, "after the end nothing happens any more"


def test_a_flood_ends_it() -> None:
    """INV-BOUND-1"""
    talk = joined()
    talk.b.took = lambda bundles: None  # type: ignore[method-assign]
    frame = CODEC.encode(m.Ops([m.Signed(bytes(200_000), bytes(64))]))
    for _ in range(1000):
        talk.b.gets(frame)
        talk.b.do(talk.b.session.tick(talk.b.now))
        if talk.b.closed:
            break
    assert talk.b.closed == "flood"
    assert sum(len(one.body) for one in talk.b.taken) < 80 * 1024 * 1024
    talk = joined()
    beat = CODEC.encode(m.Heartbeat(1, "", False, 1))
    for _ in range(30_000):
        talk.b.gets(beat)
    assert talk.b.closed == "flood"


def test_pieces_that_dont_fit_are_dropped() -> None:
    """INV-BOUND-1"""
    talk = joined()
    for piece in (
        m.Piece(bytes(32), bytes(64), 5, 10, b"x"),
        m.Piece(bytes(32), bytes(64), 0, 2**50, b"x"),
        m.Piece(bytes(32), bytes(64), 0, 10, b"x" * 11),
        m.Piece(bytes(32), bytes(64), 0, 10, b"x" * 5),
        m.Piece(b"o" * 32, bytes(64), 5, 10, b"x" * 5),
    ):
        talk.b.gets(CODEC.encode(piece))
    assert not talk.b.closed
    assert not talk.b.taken


def test_silence_and_slow_greetings_end() -> None:
    side = Side("blake", caller=False)
    for _ in range(12):
        side.mono += 1000
        side.do(side.session.tick(side.now))
    assert side.closed in ("timeout", "silent")
    talk = joined()
    for _ in range(9):
        talk.a.mono += 1000
        talk.a.do(talk.a.session.tick(talk.a.now))
    assert talk.a.closed == "silent"
