"""INV-PAIR-1 for links, whatever becomes of them on the way; one-time secrets, and how a session takes them."""

from __future__ import annotations

import logging
import random
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprod.core.ids import device_id
from openprod.errors import InputError, LimitExceeded
from openprod.sync import auth
from openprod.sync.outputs import Proven
from openprod.sync.pairing import (
    INVITATIONS_MAX,
    LIFETIME_MS,
    LINK_CHARACTERS_MAX,
    Invitations,
    Link,
    key_of,
    link,
    parse_link,
    qr,
    qr_rows,
)
from tests.seeds import fresh
from tests.sync.conversation import Conversation, Side

DEVICE, WORKSPACE = "0123456789abcdef", "ws_01ARZ3NDEKTSV4RRFFQ69G5FAV"
CERTIFICATE, SECRET = bytes(range(32)), bytes(range(100, 116))
LINK = link(["192.168.1.20:8041", "[fe80::1%eth0]:8041", "Stage.local:9"], DEVICE, CERTIFICATE, SECRET, WORKSPACE)

ports = st.integers(1, 65535)
hosts = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.from_regex(r"[a-z]([a-z0-9]{0,10})(\.[a-z][a-z0-9]{0,8}){0,3}", fullmatch=True),
)
places = st.lists(st.tuples(hosts, ports).map(lambda place: f"{place[0]}:{place[1]}"), min_size=1, max_size=8)


@given(
    places, st.binary(min_size=8, max_size=8), st.binary(min_size=32, max_size=32),
    st.binary(min_size=16, max_size=16), st.from_regex(r"ws_[0-9A-Z]{26}", fullmatch=True),
)  # fmt: skip
def test_a_link_says_what_was_put_in(
    addresses: list[str], device: bytes, certificate: bytes, secret: bytes, workspace: str
) -> None:
    made = link(addresses, device.hex(), certificate, secret, workspace)
    assert parse_link(made) == Link(tuple(addresses), device.hex(), certificate, secret, workspace)
    assert len(made) <= LINK_CHARACTERS_MAX
    assert made.isascii()


def test_addresses_are_as_another_device_can_call_them() -> None:
    assert parse_link(LINK).addresses == ("192.168.1.20:8041", "[fe80::1]:8041", "stage.local:9")


@pytest.mark.parametrize(
    "mangled", [f"  {LINK}\n", f"<{LINK}>", f"{LINK[:40]}\r\n  {LINK[40:]}", f"“{LINK}”", LINK.replace("op", "OP", 1)]
)
def test_what_mail_programs_do_to_a_link_is_no_matter(mangled: str) -> None:
    assert parse_link(mangled) == parse_link(LINK)


@given(st.text(max_size=300))
def test_hostile_text_is_refused(text: str) -> None:
    for hostile in (text, "openprod://join/" + text, LINK + "/" + text.replace(" ", "x"), LINK[:100] + text):
        found: Link | InputError
        try:
            found = parse_link(hostile)
        except InputError as error:
            found = error
        if isinstance(found, InputError):
            assert found.hint
            assert secrets_of(LINK) not in found.sentence + found.hint
        else:
            assert found == parse_link(LINK)


@given(st.integers(0, len(LINK) - 1), st.characters(codec="ascii", categories=["L", "N", "P"]))
def test_one_other_character_makes_it_no_link(place: int, character: str) -> None:
    changed = LINK[:place] + character + LINK[place + 1 :]
    try:
        assert parse_link(changed) == parse_link(LINK)
    except InputError:
        return
    assert changed.lower() == LINK.lower() or place in (0, len(LINK) - 1)


@given(st.integers(0, len(LINK) - 1))
def test_a_link_that_was_cut_short_is_no_link(length: int) -> None:
    with pytest.raises(InputError):
        parse_link(LINK[:length])


@pytest.mark.parametrize(
    "text", ["", "openprod://join/", "openprod://join//", "https://example.org", "openprod://join/" + "A" * 5000,
             LINK.replace("/ws_", "/.._"), "x" * 10_000_000, "openprod://join/" + "\ud800" * 9]
)  # fmt: skip
def test_known_kinds_of_nonsense_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_link(text)


@pytest.mark.parametrize(
    "address",
    ["", "host", "host:", ":1", "host:0", "host:65536", "host:+1", "a,b:1", "a/b:1", "[::1:1", "::1", "a b:1", "-a:1"],
)
def test_what_is_no_address_makes_no_link(address: str) -> None:
    with pytest.raises(InputError):
        link([address], DEVICE, CERTIFICATE, SECRET, WORKSPACE)


def test_a_link_without_an_address_or_with_a_short_secret_is_not_made() -> None:
    for addresses, secret in (([], SECRET), (["h:1"], SECRET[1:])):
        with pytest.raises(InputError):
            link(addresses, DEVICE, CERTIFICATE, secret, WORKSPACE)


def test_a_code_for_cameras_is_text_of_one_width() -> None:
    lines = qr(LINK).splitlines()
    assert len({len(line.replace("\x1b[7m", "").replace("\x1b[0m", "")) for line in lines if line.strip()}) == 1
    assert len(lines) > 15
    with pytest.raises(InputError):
        qr("x" * 10_000)


def test_the_squares_for_a_page_are_those_of_the_terminal() -> None:
    rows = qr_rows(LINK)
    assert {len(row) for row in rows} == {len(rows)}
    assert set("".join(rows)) == {"0", "1"}
    # Finder patterns stand in three corners.
    for row, column in ((0, 0), (0, len(rows) - 7), (len(rows) - 7, 0)):
        assert [line[column : column + 7] for line in rows[row : row + 7]][:2] == ["1111111", "1000001"]
    assert qr_rows("x" * 10_000) == []


# -- one-time secrets --------------------------------------------------------------------------------------


class Clock:
    ms = 0

    def __call__(self) -> int:
        return self.ms


def some(clock: Clock) -> Invitations:
    return Invitations(random_bytes=secrets.token_bytes, now_ms=clock)


def named(secret: bytes) -> bytes:
    return auth.invitation(key_of(secret))


def test_a_secret_is_one_devices() -> None:
    invitations = some(Clock())
    secret = invitations.make(note="editor")
    # Both have named it before either has proved it.
    assert invitations.key(named(secret), "a" * 16) == invitations.key(named(secret), "b" * 16) == key_of(secret)
    spent = invitations.spend("b" * 16)
    assert spent is not None
    assert (spent.note, spent.device) == ("editor", "b" * 16)
    assert invitations.spend("a" * 16) is None
    assert invitations.key(named(secret), "a" * 16) == b""
    assert invitations.listed() == []
    # Whose it is may come again: its first connection may have been lost.
    assert invitations.key(named(secret), "b" * 16) == key_of(secret)
    assert invitations.spend("b" * 16) == spent


def test_nothing_is_spent_without_having_been_named() -> None:
    invitations = some(Clock())
    invitations.make()
    assert invitations.spend("a" * 16) is None
    assert invitations.key(b"", "a" * 16) == invitations.key(b"x" * 16, "a" * 16) == b""


def test_a_secret_ends() -> None:
    clock = Clock()
    invitations = some(clock)
    secret = invitations.make()
    clock.ms = LIFETIME_MS - 1
    assert invitations.key(named(secret), "a" * 16)
    clock.ms = LIFETIME_MS
    assert invitations.spend("a" * 16) is None, "it ended between naming and proving"
    assert invitations.key(named(secret), "a" * 16) == b""


def test_a_secret_can_be_withdrawn_and_their_number_is_bounded() -> None:
    invitations = some(Clock())
    secret = invitations.make()
    assert invitations.withdraw(named(secret).hex())
    assert not invitations.withdraw(named(secret).hex())
    assert invitations.key(named(secret), "a" * 16) == b""
    for _ in range(INVITATIONS_MAX):
        invitations.make()
    with pytest.raises(LimitExceeded):
        invitations.make()


def test_strangers_cost_no_memory() -> None:
    invitations = some(Clock())
    secret = invitations.make()
    for number in range(3 * INVITATIONS_MAX):
        invitations.key(named(secret), f"{number:016x}")
    assert len(invitations._asked) <= INVITATIONS_MAX


def secrets_of(text: str) -> str:
    """What of a link nobody else may see."""
    return text.removeprefix("openprod://join/").partition("/")[0][50:]


def test_no_secret_is_shown_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    invitations = some(Clock())
    secret = invitations.make()
    parsed = parse_link(link(["h:1"], DEVICE, CERTIFICATE, secret, WORKSPACE))
    kept = [invitations.listed(), parsed, invitations, vars(invitations)]
    shown = caplog.text + "".join(f"{one!r} {one!s}" for one in kept)
    for hidden in (secret, key_of(secret)):
        assert repr(hidden)[2:-1] not in shown
        assert hidden.hex() not in shown
    assert secret not in vars(invitations._open[named(secret).hex()]).values(), "only a hash is kept"


# -- in a session ------------------------------------------------------------------------------------------


def talk(invitations: Invitations, key: bytes, name: str = "b") -> tuple[Side, Side]:
    def admit(their: bytes, paired: bool) -> str:
        return "" if paired and invitations.spend(device_id(their)) else "Nobody has invited that device."

    host = Side("a", caller=False, invited=invitations.key, admit=admit)
    guest = Side(name, caller=True, secret=key)
    talking = Conversation()
    talking.a, talking.b = guest, host
    talking.start()
    talking.run()
    return guest, host


def test_several_links_are_open_at_once_and_each_lets_one_device_in() -> None:
    seed = fresh("pairing.several_links_are_open_at_once_and_each_lets_one_device_in")
    print(f"seed {seed}")
    invitations = some(Clock())
    links = [invitations.make(note=str(number)) for number in range(5)]
    random.Random(seed).shuffle(links)
    for number, secret in enumerate(links):
        guest, host = talk(invitations, key_of(secret), f"guest{number}")
        assert [one.paired for one in host.outputs if isinstance(one, Proven)] == [True]
        # The host has proved that it knows the secret, too.
        assert [one.paired for one in guest.outputs if isinstance(one, Proven)] == [True]
    _guest, host = talk(invitations, key_of(links[0]), "another")
    assert not any(isinstance(one, Proven) for one in host.outputs)


def test_a_secret_that_nobody_gave_out_lets_nobody_in() -> None:
    invitations = some(Clock())
    invitations.make()
    for key in (key_of(b"x" * 16), b""):
        _guest, host = talk(invitations, key)
        assert not any(isinstance(one, Proven) for one in host.outputs)
