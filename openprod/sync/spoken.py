"""A short code that is said aloud lets a device in: SPAKE2, then both sides confirm whom they see. Without I/O.

On a connection of its own (subprotocol ``openprod-pair.1``, frames as in ``openprod.sync.wire``), before the device may
be in a session::

    joining                    hosting
    KNOCK     →                            keys, the joining side's half of SPAKE2
                        ←  ANSWER          the host's half
    PROOF     →                            the joining side shows first that it knows the code
                        ←  WELCOME         the host shows it too, says its names and which production it is
    INTRODUCE →                            once a person at the joining side has agreed: its names
                        ←  DONE            once a person at the host has agreed

Both keys' proofs, and the secret that comes out, are bound to KNOCK and ANSWER as they went over the wire (so: both
device keys, both halves) and to the certificate that each side saw: whoever sits in between has another certificate.
A wrong code gives nothing to try others with, for either side. Names are said only to who knows the code.

**One guess per code.** The first proof, right or wrong, uses a code up; a code ends after a minute, or when another is
made. After three wrong ones in a row none can be made for ten minutes. Whoever stops before its proof has learnt
nothing; how often that may happen to one code is bounded as well.

**Use.** The host keeps one ``Codes``; ``make`` when a person asks for a code. For each connection of the subprotocol a
``Hosting``, at the joining side a ``Joining``; hand every frame to ``received`` and do in order what comes back:

* ``Send``: send the frame. ``Closed``: close once that has gone out, and say its sentence.
* ``Confirm``: show the names to a person; call ``agree`` or ``decline``.
* ``Paired``: the host calls ``invitations.add(paired.key, device=paired.device)``; the joining side closes, makes a
  ``pairing.link`` of it for itself, and goes on as with any link.

Bound the whole with ``EXCHANGE_S``, and until ``Confirm`` came with ``MACHINE_S``. ``openprod.sync.speaking`` does all
of this over a ``Channel``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta
from spake2 import SPAKE2_A, SPAKE2_B, SPAKEError
from spake2.ed25519_basic import NotOnCurve

from openprod.core.ids import RandomBytes, device_id
from openprod.errors import Denied, InputError, MalformedFrame
from openprod.sync.messages import Code, Count, Hash, Name, Sentence, common_version
from openprod.sync.outputs import Closed, Send
from openprod.sync.pairing import SECRET_BYTES, key_of
from openprod.sync.wire import Codec

VERSIONS: Final = (1,)
CODE_MS: Final = 60_000
WRONG_MAX: Final = 3
LOCKED_MS: Final = 10 * 60_000
KNOCKS_MAX: Final = 20
MACHINE_S: Final = 10.0
EXCHANGE_S: Final = 120.0

_WORDS_IN_CODE: Final = 3
# 128 words that differ in their first three letters, so that how one ends is no matter: three make 21 bits.
WORDS: Final = tuple(
    re.findall(
        "[a-z]+",
        "acorn amber anchor apple arrow autumn badge balloon banjo basket beacon bicycle blanket bottle bridge bucket "
        "button cabin camel candle carpet castle cedar cello cherry circle clover coffee comet copper cotton crystal "
        "curtain dahlia desert diamond dolphin dragon eagle echo elbow ember engine falcon feather fiddle flute forest "
        "fountain galaxy garden ginger glacier goblet gravel guitar hammer harbor hazel helmet honey island ivory "
        "jacket jelly jigsaw jungle kettle ladder lantern lemon lizard lobster lunar magnet maple meadow melon mirror "
        "monkey mountain muffin napkin needle nickel nutmeg ocean olive onion orange otter oyster paddle palace panda "
        "paper pebble pencil piano pillow pocket pumpkin puzzle quartz rabbit radio raven ribbon rocket saddle salmon "
        "silver spider sugar tiger timber tulip tunnel umbrella valley velvet violin walnut whistle willow window "
        "yellow zebra",
    )
)
_BY_START: Final = {word[:3]: word for word in WORDS}
_CONTEXT: Final = b"openprod pair 1\0"


def parse_code(text: str) -> str:
    """The code that was meant: three words with anything between, of which the first letters count.

    Raises InputError for what can't be a code, before anybody was asked.
    """
    heard = re.findall(r"[a-z]+", text[:200].lower())
    words = [_BY_START.get(word[:3], "") if len(word) < 13 else "" for word in heard]
    if len(words) != _WORDS_IN_CODE or "" in words:
        raise InputError(
            "That isn't a code to join.", hint="A code is three words, such as “maple tiger window”: ask again for it."
        )
    return "-".join(words)


# -- messages ----------------------------------------------------------------------------------------------

_Half: TypeAlias = Annotated[bytes, Meta(min_length=33, max_length=33)]
_Workspace: TypeAlias = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$")]


class Knock(msgspec.Struct, array_like=True, frozen=True, tag=1):
    versions: Annotated[list[Count], Meta(min_length=1, max_length=16)]
    key: Hash
    half: _Half


class Answer(msgspec.Struct, array_like=True, frozen=True, tag=2):
    version: Count
    key: Hash
    half: _Half


class Proof(msgspec.Struct, array_like=True, frozen=True, tag=3):
    mac: Hash


class Welcome(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """``title``: what people call the production."""

    mac: Hash
    workspace: _Workspace
    title: Name
    name: Name
    device_name: Name


class Introduce(msgspec.Struct, array_like=True, frozen=True, tag=5):
    name: Name
    device_name: Name


class Done(msgspec.Struct, array_like=True, frozen=True, tag=6):
    pass


class Refuse(msgspec.Struct, array_like=True, frozen=True, tag=7):
    code: Code
    sentence: Sentence


CODEC: Final = Codec((Knock, Answer, Proof, Welcome, Introduce, Done, Refuse))


# -- outputs -----------------------------------------------------------------------------------------------


class Confirm(NamedTuple):
    """Is it this one that is meant? ``title`` and ``workspace`` are known to the joining side only from here."""

    device: str
    name: str
    device_name: str
    title: str = ""
    workspace: str = ""


class Paired(NamedTuple):
    """``secret``: 16 bytes that only these two know, as in a link. ``certificate``: the host's, SHA-256."""

    device: str
    secret: bytes
    certificate: bytes
    workspace: str

    @property
    def key(self) -> bytes:
        """For ``Config.secret``."""
        return key_of(self.secret)

    def __repr__(self) -> str:
        return f"Paired(device={self.device!r}, workspace={self.workspace!r})"


Output: TypeAlias = Send | Closed | Confirm | Paired


class Me(NamedTuple):
    """This side: its device's public key, and the names that the other's person is shown."""

    key: bytes
    name: str
    device_name: str


# -- codes -------------------------------------------------------------------------------------------------


class Codes:
    """The one code that is open, if any. ``now_ms``: any clock that goes forward."""

    def __init__(self, *, random_bytes: RandomBytes, now_ms: Callable[[], int]) -> None:
        self.random_bytes, self._now_ms = random_bytes, now_ms
        self._code, self._ends_ms, self._knocks = "", 0, 0
        self._wrong, self._locked_ms = 0, 0

    def make(self) -> str:
        """Another code; the one before ends. Raises Denied while locked."""
        left_ms = self._locked_ms - self._now_ms()
        if left_ms > 0:
            raise Denied(
                "Three wrong codes came one after the other: no code for the next "
                f"{-(-left_ms // 60_000)} minutes. Somebody may be guessing.",
                hint="Let the device in with a link or a QR code.",
            )
        self._code = "-".join(WORDS[byte % len(WORDS)] for byte in self.random_bytes(_WORDS_IN_CODE))
        self._ends_ms, self._knocks = self._now_ms() + CODE_MS, 0
        return self._code

    @property
    def is_open(self) -> bool:
        return bool(self._code) and self._now_ms() < self._ends_ms and self._knocks < KNOCKS_MAX

    def withdraw(self) -> None:
        self._code = ""

    def knocked(self) -> str:
        """The code for one exchange, or "" when none is open."""
        if not self.is_open:
            self._code = ""
        self._knocks += 1
        return self._code

    def judged(self, code: str, right: bool) -> bool:
        """A proof came, which uses the code up. False also where the code was used up or ended meanwhile."""
        if not code or code != self._code or self._now_ms() >= self._ends_ms:
            return False
        self._code = ""
        self._wrong = 0 if right else self._wrong + 1
        if self._wrong >= WRONG_MAX:
            self._wrong, self._locked_ms = 0, self._now_ms() + LOCKED_MS
        return right


# -- the two sides -----------------------------------------------------------------------------------------


class _Side:
    def __init__(self, me: Me, certificate: bytes) -> None:
        self._me, self._certificate = me, certificate
        self._knock = self._answer = b""
        self._shared = b""
        self._key = b""
        self._device = self._workspace = ""
        self._out: list[Output] = []
        self.over = False

    def received(self, frame: bytes) -> list[Output]:
        if self.over:
            return []
        try:
            message = CODEC.decode(frame)
            if isinstance(message, Refuse):
                self.over = True
                self._out.append(Closed(message.code, message.sentence, theirs=True))
            elif not self._take(message, frame):
                self._end("protocol", "The other device said what makes no sense here.")
        except MalformedFrame as error:
            self._end("protocol", error.sentence)
        return self._took()

    def decline(self) -> list[Output]:
        """A person says no, or nobody answers."""
        if not self.over:
            self._end("declined", "The other side said no.")
        return self._took()

    def _take(self, message: Any, frame: bytes) -> bool:
        raise NotImplementedError

    def _took(self) -> list[Output]:
        out, self._out = self._out, []
        return out

    def _send(self, message: msgspec.Struct) -> bytes:
        frame = CODEC.encode(message)
        self._out.append(Send(frame))
        return frame

    def _end(self, code: str, sentence: str) -> None:
        self.over = True
        self._send(Refuse(code, sentence))
        self._out.append(Closed(code, sentence, theirs=False))

    def _finish(self, exchange: Any, half: bytes) -> bool:
        """Whether the other's half is a point that SPAKE2 allows."""
        try:
            self._shared = exchange.finish(half)
        except (SPAKEError, NotOnCurve, ValueError, AssertionError):
            self._end("protocol", "The other device said what makes no sense here.")
            return False
        return True

    def _derived(self, use: bytes, more: bytes = b"") -> bytes:
        parts = (self._knock, self._answer, self._certificate, more)
        text = b"".join(hashlib.sha256(part).digest() for part in parts)
        return hmac.new(self._shared, _CONTEXT + use + b"\0" + text, hashlib.sha256).digest()

    def _paired(self) -> None:
        self.over = True
        secret = self._derived(b"invitation")[:SECRET_BYTES]
        self._out.append(Paired(self._device, secret, self._certificate, self._workspace))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of a spoken code>"


class Hosting(_Side):
    """One exchange at the host. ``certificate``: SHA-256 of its own."""

    def __init__(self, codes: Codes, me: Me, *, certificate: bytes, workspace: str, title: str) -> None:
        super().__init__(me, certificate)
        self._codes, self._workspace, self._title = codes, workspace, title
        self._code = ""
        self._waits_for: type[msgspec.Struct] | None = Knock

    def agree(self) -> list[Output]:
        """A person says that the device which introduced itself is the one that is meant."""
        if not self.over and self._waits_for is None:
            # First known, then said: the other comes back with the key at once.
            self._paired()
            self._send(Done())
        return self._took()

    def _take(self, message: Any, frame: bytes) -> bool:
        if self._waits_for is None or not isinstance(message, self._waits_for):
            return False
        if isinstance(message, Knock):
            self._on_knock(message, frame)
        elif isinstance(message, Proof):
            self._on_proof(message)
        elif isinstance(message, Introduce):
            self._waits_for = None
            self._out.append(Confirm(self._device, message.name, message.device_name))
        return True

    def _on_knock(self, message: Knock, frame: bytes) -> None:
        version = common_version(VERSIONS, message.versions)
        if version is None:
            self._end("versions", "The two programs are too far apart in age: update the older one.")
            return
        if message.key == self._me.key:
            self._end("self", "That is this device itself, or a copy of it.")
            return
        self._code = self._codes.knocked()
        if not self._code:
            self._end("no_code", "No code is open. Ask for a new one.")
            return
        exchange = SPAKE2_B(_CONTEXT + self._code.encode(), entropy_f=self._codes.random_bytes)
        half = exchange.start()
        if self._finish(exchange, message.half):
            self._device, self._knock = device_id(message.key), frame
            self._answer = self._send(Answer(version, self._me.key, half))
            self._waits_for = Proof

    def _on_proof(self, message: Proof) -> None:
        right = hmac.compare_digest(message.mac, self._derived(b"joining"))
        if not self._codes.judged(self._code, right):
            self._end("wrong_code", "That wasn't the code, or it has ended. Ask for a new one.")
            return
        names = [self._workspace, self._title[:200], self._me.name[:200], self._me.device_name[:200]]
        mac = self._derived(b"hosting", msgspec.json.encode(names))
        self._send(Welcome(mac, *names))
        self._waits_for = Introduce


class Joining(_Side):
    """One exchange at the joining side. ``code``: as it was heard. ``certificate``: SHA-256 of the host's, as seen.

    Raises InputError for what can't be a code.
    """

    def __init__(self, code: str, me: Me, *, certificate: bytes, random_bytes: RandomBytes) -> None:
        super().__init__(me, certificate)
        self._exchange = SPAKE2_A(_CONTEXT + parse_code(code).encode(), entropy_f=random_bytes)
        self._waits_for: type[msgspec.Struct] | None = Answer

    def start(self) -> list[Output]:
        self._knock = self._send(Knock(list(VERSIONS), self._me.key, self._exchange.start()))
        return self._took()

    def agree(self) -> list[Output]:
        """A person says that this is the host and the production that is meant."""
        if not self.over and self._waits_for is None:
            self._send(Introduce(self._me.name[:200], self._me.device_name[:200]))
            self._waits_for = Done
        return self._took()

    def _take(self, message: Any, frame: bytes) -> bool:
        if self._waits_for is None or not isinstance(message, self._waits_for):
            return False
        if isinstance(message, Answer):
            self._on_answer(message, frame)
        elif isinstance(message, Welcome):
            self._on_welcome(message)
        else:
            self._paired()
        return True

    def _on_answer(self, message: Answer, frame: bytes) -> None:
        if message.version not in VERSIONS:
            self._end("versions", "The two programs are too far apart in age: update the older one.")
        elif message.key == self._me.key:
            self._end("self", "That is this device itself, or a copy of it.")
        elif self._finish(self._exchange, message.half):
            self._device, self._answer = device_id(message.key), frame
            self._send(Proof(self._derived(b"joining")))
            self._waits_for = Welcome

    def _on_welcome(self, message: Welcome) -> None:
        names = [message.workspace, message.title, message.name, message.device_name]
        if not hmac.compare_digest(message.mac, self._derived(b"hosting", msgspec.json.encode(names))):
            self._end("wrong_code", "The other device doesn't know the code: it may not be the one that you mean.")
            return
        self._workspace = message.workspace
        self._waits_for = None
        self._out.append(Confirm(self._device, message.name, message.device_name, message.title, message.workspace))
