"""The endpoint, spoken to by hand: order, durability, rights, and what happens to those who misbehave."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest
from pycrdt import Doc, Map
from websockets.exceptions import ConnectionClosed, InvalidStatus

from openprod.gateway import protocol
from openprod.running import NO_CERTIFICATES
from tests.gateway.serving import EMPTY_UPDATE, Served, peer

pytestmark = pytest.mark.anyio


async def test_no_state_before_the_client_has_told_its_own(served: Served) -> None:
    """INV-SPEAK-2."""
    async with peer(served.url()) as writer:
        await writer.synchronise()
        await writer.set("cue_1/start", "10:00")
        await writer.send(protocol.sync_step1(b"\x00"))
        await writer.receive(0, 1)
    async with peer(served.url()) as late, peer(served.url(rest="&ack=1")) as writer:
        await writer.synchronise()
        first = await late.connection.recv()
        assert first[:2] == b"\x00\x00", "the server's SyncStep1 comes first"
        await late.send(protocol.sync_step1(b"\x00"))
        # Each answer to this proves that what came before was handled, and what it owed was written.
        for value in ("10:30", "10:45"):
            await late.send(b"\x03")
            assert (await late.connection.recv())[0] == 1
            await writer.set("cue_1/start", value)
            await writer.saved(2 if value == "10:30" else 3)
        await late.send(protocol.sync_step2(EMPTY_UPDATE))
        answer = await late.receive(0)
        assert answer[:2] == b"\x00\x01"
        late.doc.apply_update(protocol.read_message(answer)[1])
        assert late.fields["cue_1/start"] == "10:45"
        await writer.set("cue_1/start", "11:00")
        await late.until("cue_1/start", "11:00")


async def test_one_who_can_no_longer_be_reached_is_still_listened_to(served: Served) -> None:
    """A send that fails, in whatever way the server makes it fail, drops nothing that was received."""
    doc: Doc[Any] = Doc()
    fields = doc.get("cues.cue", type=Map)
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    for at in range(50):
        fields[f"cue_{at}/start"] = at
    messages = [protocol.sync_step1(b"\x00"), protocol.sync_step2(EMPTY_UPDATE)]
    messages += [protocol.update_message(update) for update in updates]
    coming = iter([{"type": "websocket.receive", "bytes": message} for message in messages])
    failed = anyio.Event()

    async def receive() -> dict[str, Any]:
        if not accepted:
            return {"type": "websocket.connect"}
        await failed.wait()
        await anyio.sleep(0)
        return next(coming, {"type": "websocket.disconnect", "code": 1006})

    accepted = False

    async def send(message: Any) -> None:
        nonlocal accepted
        if accepted:
            failed.set()
            raise RuntimeError("gone")
        accepted = True

    scope = {
        "type": "websocket",
        "path": "/yjs/-/cues",
        "query_string": f"token={served.token('editor')}".encode(),
        "headers": [],
    }
    await served.app(scope, receive, send)
    with anyio.fail_after(5):
        while len(await served.fields()) < 50:
            await anyio.sleep(0.01)
    assert served.app.connections == 0


async def test_a_state_waits_until_what_the_client_told_is_durable(served: Served) -> None:
    """INV-SPEAK-2."""
    async with peer(served.url()) as one:
        await one.receive(0, 0)
        one.change("cue_1/start", "10:00")
        with served.commits_held():
            await one.send(protocol.sync_step1(b"\x00"))
            await one.send(protocol.sync_step2(one.doc.get_update()))
            await one.send(b"\x03")
            assert (await one.receive(1))[0] == 1
            with pytest.raises(TimeoutError), anyio.fail_after(0.1):
                await one.connection.recv()
        await one.receive(0, 1)


async def test_others_hear_and_the_writer_is_told_only_after_the_commit(served: Served) -> None:
    """INV-SPEAK-1."""
    async with peer(served.url(rest="&ack=1")) as one, peer(served.url(token="other")) as two:
        await one.synchronise()
        await two.synchronise()
        assert await one.receive(40) == b"\x28\x01"
        with served.commits_held():
            await one.set("cue_1/start", "10:00")
            for each in (one, two):
                with pytest.raises(TimeoutError), anyio.fail_after(0.1):
                    await each.connection.recv()
        await two.until("cue_1/start", "10:00")
        assert await one.receive(40) == b"\x28\x02"
        assert await served.fields() == {"cue_1/start": "10:00"}
        (bundle,) = await served.workspace.log(newest_first=True, limit=1)
        assert bundle["author"] == "Alex"


async def test_a_writer_does_not_hear_itself(served: Served) -> None:
    async with peer(served.url(rest="&ack=1")) as one:
        await one.synchronise()
        for at in range(20):
            await one.set(f"cue_{at}/start", at)
        with anyio.fail_after(5):
            while True:
                message = await one.connection.recv()
                assert message[0] == 40
                if message == b"\x28\x15":
                    break


async def test_nothing_is_acknowledged_unasked(served: Served) -> None:
    async with peer(served.url()) as one:
        await one.synchronise()
        await one.set("cue_1/start", "10:00")
        await one.send(protocol.sync_step1(one.doc.get_state()))
        assert (await one.connection.recv())[:2] == b"\x00\x01"


async def test_a_burst_and_a_close_at_once_lose_nothing(served: Served) -> None:
    async with peer(served.url()) as one:
        await one.synchronise()
        messages = [protocol.update_message(one.change(f"cue_{at}/start", at)) for at in range(200)]
        for message in messages:
            await one.send(message)
    async with peer(served.url(token="other")) as two:
        await two.synchronise()
        while len(two.fields) < 200:
            two.doc.apply_update(protocol.read_message(await two.receive(0, 2))[1])
    assert len(await served.fields()) == 200


async def test_a_cut_line_harms_nobody(served: Served) -> None:
    async with peer(served.url()) as writer, peer(served.url(token="other")) as stays:
        await writer.synchronise()
        await stays.synchronise()
        for at in range(10):
            async with peer(served.url(token="other")) as gone:
                await gone.synchronise()
                gone.connection.transport.abort()
                await writer.set(f"cue_{at}/start", at)
        await stays.until("cue_9/start", 9)
        assert len(await served.fields()) == 10
    with anyio.fail_after(5):
        while served.app.connections:
            await anyio.sleep(0.01)


async def test_a_viewer_reads_and_is_refused_and_stays(served: Served) -> None:
    async with peer(served.url(token="viewer")) as viewer, peer(served.url()) as editor:
        await viewer.synchronise()
        await editor.synchronise()
        await viewer.set("cue_1/start", "stolen")
        refusal = await viewer.receive(2)
        assert b"permission denied" in refusal
        await editor.set("cue_1/start", "10:00")
        await viewer.receive(0, 2)
        assert await served.fields() == {"cue_1/start": "10:00"}


async def test_a_viewer_is_told_that_its_offline_edits_are_refused(served: Served) -> None:
    async with peer(served.url(token="viewer")) as viewer:
        viewer.change("cue_1/start", "stolen")
        await viewer.synchronise()
        assert b"permission denied" in await viewer.receive(2)
        assert await served.fields() == {}


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x00",
        b"\x00\x02",
        b"\x00\x02\x05\x01",
        b"\x00\x07\x00",
        b"\x00\x02\x02\x00\x00\x00",
        protocol.update_message(b"\x01\x02\x03garbage"),
        protocol.sync_step2(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        protocol.sync_step1(b"\x05\x01"),
        b"\x00\x02" + b"\xff" * 12,
        protocol.awareness_message(b"\x01\x01"),
        protocol.awareness_message(b"\x01\x05\x01\x04[1]]"),
        protocol.awareness_message(b"\x01\x05\x01\x02[]"),
    ],
    ids=lambda message: message[:12].hex() or "empty",
)
async def test_malformed_bytes_close_their_own_socket_with_4400(served: Served, message: bytes) -> None:
    """INV-BOUND-1."""
    async with peer(served.url()) as bad, peer(served.url(token="other", rest="&ack=1")) as good:
        await bad.synchronise()
        await good.synchronise()
        await bad.send(message)
        code, reason = await bad.closed()
        assert code == 4400
        assert reason
        await good.set("cue_1/start", "10:00")
        await good.saved(2)
        assert await served.fields() == {"cue_1/start": "10:00"}


async def test_text_closes_with_4400(served: Served) -> None:
    async with peer(served.url()) as one:
        await one.connection.send("hello")
        assert (await one.closed())[0] == 4400


async def test_unknown_numbers_and_empty_presence_are_ignored(served: Served) -> None:
    async with peer(served.url()) as one:
        await one.synchronise()
        await one.send(b"\x63hello")
        await one.send(protocol.EMPTY_AWARENESS)
        await one.send(protocol.sync_step1(one.doc.get_state()))
        assert (await one.connection.recv())[:2] == b"\x00\x01"


async def test_too_large_a_message_closes_with_4413(serving: Any) -> None:
    served = await serving(message_bytes_max=1000)
    async with peer(served.url()) as one:
        await one.synchronise()
        await one.send(b"\x00" * 1001)
        assert (await one.closed())[0] == 4413


async def test_a_reused_client_id_closes_for_good_and_says_why(served: Served) -> None:
    """INV-ID-1. Not with a code at which programs connect again, to say the same again."""
    for value, refused in (("10:00", False), ("11:00", True), ("11:00", True)):
        doc: Doc[Any] = Doc(client_id=7)
        doc.get("cues.cue", type=Map)["cue_1/start"] = value
        async with peer(served.url(rest="&ack=1")) as one:
            await one.send(protocol.sync_step2(doc.get_update()))
            if refused:
                code, reason = await one.closed()
                assert code == 4409
                assert "identity" in reason
            else:
                await one.saved(1)
    assert (await served.fields())["cue_1/start"] == "10:00"
    assert (await served.workspace.doctor())["quarantined"] == 1


async def test_too_much_presence_closes_with_4413(served: Served) -> None:
    async with peer(served.url()) as one:
        state = b'"' + b"x" * 20_000 + b'"'
        await one.send(protocol.awareness_message(protocol.awareness_update([protocol.AwarenessEntry(1, 1, state)])))
        assert (await one.closed())[0] == 4413


@pytest.mark.parametrize(
    ("place", "token", "code"),
    [
        ("-/cues", "nobody", 4401),
        ("-/cues", "", 4401),
        ("-/nowhere", "editor", 4404),
        ("elsewhere/cues", "editor", 4404),
        ("-/core", "cues-only", 4404),
    ],
)
async def test_who_may_not_come_in_is_told_why(served: Served, place: str, token: str, code: int) -> None:
    async with peer(f"ws://127.0.0.1:{served.port}/yjs/{place}?token={served.token(token)}") as one:
        assert (await one.closed())[0] == code


async def test_the_workspace_may_be_named_and_a_bearer_token_will_do(served: Served) -> None:
    url = f"ws://127.0.0.1:{served.port}/yjs/{served.workspace.id}/cues"
    headers = {"Authorization": f"Bearer {served.token('editor')}"}
    async with peer(url, additional_headers=headers) as one:
        await one.synchronise()


async def test_a_withdrawn_token_closes_its_sockets_with_4403(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    # At once, not when it is looked at again: that doesn't come in this test.
    monkeypatch.setattr("openprod.gateway.socket._RECHECK_S", 3600.0)
    async with peer(served.url()) as one, peer(served.url(token="other")) as two:
        await one.synchronise()
        await two.synchronise()
        await served.revoke("editor")
        assert (await one.closed())[0] == 4403
        await two.set("cue_1/start", "10:00")
        await two.send(protocol.sync_step1(two.doc.get_state()))
        await two.receive(0, 1)


async def test_pages_of_other_sites_are_kept_out(served: Served) -> None:
    here = f"127.0.0.1:{served.port}"
    for origin in ("http://evil.example", "null", "http://[", f"http://{here}.evil.example", f"http://x@{here}"):
        with pytest.raises(InvalidStatus) as refused:
            async with peer(served.url(), origin=origin):
                pass
        assert refused.value.response.status_code == 403, origin
    async with peer(served.url(), origin=f"http://127.0.0.1:{served.port}") as one:
        await one.synchronise()


async def test_a_plain_request_is_told_what_belongs_here(served: Served) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=NO_CERTIFICATES) as client:
        answer = await client.get(f"http://127.0.0.1:{served.port}/yjs/-/cues")
    assert answer.status_code == 426
    assert "WebSocket" in answer.text


async def test_silence_is_broken_by_a_harmless_message(serving: Any) -> None:
    served = await serving(keepalive_s=0.1)
    async with peer(served.url()) as one:
        await one.synchronise()
        assert await one.receive(1) == protocol.EMPTY_AWARENESS


async def test_a_flood_is_read_no_faster_than_it_becomes_durable(serving: Any) -> None:
    served = await serving(undurable_messages_max=16)
    async with peer(served.url(rest="&ack=1")) as one, peer(served.url(token="other")) as two:
        await one.synchronise()
        await two.synchronise()
        with served.commits_held() as waiting:
            for at in range(300):
                await one.send(protocol.update_message(one.change(f"cue_{at}/start", at)))
            await two.set("cue_other/start", "in between")
            with anyio.fail_after(5):
                while waiting() < 18:
                    await anyio.sleep(0.01)
            await anyio.sleep(0.1)
            assert waiting() <= 18, "17 of the flood, one of the other"
        await one.saved(301)
        assert len(await served.fields()) == 301


async def test_a_slow_reader_is_dropped_and_told_and_others_go_on(serving: Any) -> None:
    served = await serving(backlog_bytes_max=200_000, close_s=2.0)
    big = "x" * 50_000
    async with (
        peer(served.url(), max_queue=1) as slow,
        peer(served.url(token="other", rest="&ack=1")) as writer,
        peer(served.url()) as reader,
    ):
        for each in (slow, writer, reader):
            await each.synchronise()
        slow.connection.transport.pause_reading()
        written = 0
        sessions = 3
        while served.app.connections == sessions and written < 600:
            written += 1
            await writer.set("cue_1/notes", f"{written}{big}")
            await writer.receive(40)
            if any(session.closing for session in served.app._sessions):
                break
        assert written < 600, "the slow reader was never dropped"
        await reader.until("cue_1/notes", f"{written}{big}")
        slow.connection.transport.resume_reading()
        with pytest.raises(ConnectionClosed):
            await slow.receive(99)
        assert slow.connection.close_code == 1013
        assert "slow" in (slow.connection.close_reason or "")


async def test_one_who_never_reads_is_given_up(serving: Any) -> None:
    served = await serving(backlog_bytes_max=200_000, close_s=0.2)
    big = "x" * 100_000
    async with peer(served.url(), max_queue=1) as dead, peer(served.url(rest="&ack=1")) as writer:
        await dead.synchronise()
        await writer.synchronise()
        dead.connection.transport.pause_reading()
        for written in range(600):
            await writer.set("cue_1/notes", f"{written}{big}")
            await writer.receive(40)
            if served.app.connections == 1:
                break
        assert served.app.connections == 1
        await writer.set("cue_2/notes", "still here")
        await writer.receive(40)
        dead.connection.transport.abort()


async def test_presence_is_bound_to_its_connection(served: Served) -> None:
    def presence(client: int, clock: int, state: bytes | None) -> bytes:
        return protocol.awareness_message(protocol.awareness_update([protocol.AwarenessEntry(client, clock, state)]))

    async with peer(served.url(token="other")) as watcher:
        await watcher.synchronise()
        async with peer(served.url()) as one, peer(served.url(token="other")) as two:
            await one.synchronise()
            await two.synchronise()
            await one.send(presence(7, 1, b'{"user":{"name":"Boss","color":"#f00"},"account":{"name":"Boss"}}'))
            seen = await watcher.receive(1)
            assert b'"user":{"name":"Boss","color":"#f00"}' in seen
            assert b'"name":"Alex"}' in seen
            await two.send(presence(7, 9, b'{"user":{"name":"Impostor"}}'))
            await two.send(presence(7, 10, None))
            await two.send(presence(8, 1, b'{"cursor":"cue_1"}'))
            seen = await watcher.receive(1)
            assert b"Impostor" not in seen
            assert b'"user":{"name":"Jordan"}' in seen
        gone = {watcher_client for _ in range(2) for watcher_client in _left(await watcher.receive(1))}
        assert gone == {7, 8}


def _left(message: bytes) -> set[int]:
    from openprod.gateway.limits import Limits

    entries = protocol.read_awareness(protocol.read_message(message)[1], Limits())
    return {entry.client for entry in entries if entry.state is None}
