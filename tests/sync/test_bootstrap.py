"""A whole copy by chunks, from several givers, over connections that end."""

from __future__ import annotations

import hashlib
import random

import msgspec
import pytest
from nacl.signing import SigningKey

from openprod.errors import Untrusted
from openprod.sync.bootstrap import Download, check, chunk_bytes, manifest, pieces
from openprod.sync.messages import CODEC, Chunk, ChunkWanted, Manifest
from tests.seeds import fresh

KEY = SigningKey(b"k" * 32)


def made(copy: bytes) -> tuple[Manifest, dict[bytes, bytes]]:
    size = chunk_bytes(len(copy))
    parts = [copy[at : at + size] for at in range(0, len(copy), size)]
    one = manifest(
        workspace="ws_test", bundles=1, size=len(copy), key=bytes(KEY.verify_key),
        chunks=[hashlib.sha256(part).digest() for part in parts], sign=lambda part: KEY.sign(part).signature,
    )  # fmt: skip
    return one, {hashlib.sha256(part).digest(): part for part in parts}


def test_a_manifest_holds_for_members_only_and_unaltered() -> None:
    one, _parts = made(bytes(1_000_000))
    check(one, workspace="ws_test", admitted=lambda key: True)
    for bad in (
        msgspec.structs.replace(one, size=one.size + 1),
        msgspec.structs.replace(one, chunks=one.chunks[::-1][1:]),
        msgspec.structs.replace(one, workspace="ws_other"),
    ):
        with pytest.raises(Untrusted):
            check(bad, workspace="ws_test", admitted=lambda key: True)
    with pytest.raises(Untrusted):
        check(one, workspace="ws_test", admitted=lambda key: False)


def test_chunks_are_few_enough_for_a_frame() -> None:
    for size in (0, 1, 200_000_000, 2**40):
        assert size / chunk_bytes(size) <= 4096


def test_a_copy_comes_from_several_givers_and_resumes() -> None:
    seed = fresh("bootstrap.a_copy_comes_from_several_givers_and_resumes")
    print(f"seed {seed}")
    chance = random.Random(seed)
    copy = chance.randbytes(9_000_000) + bytes(1_800_000)
    one, parts = made(copy)
    disk = bytearray(len(copy))
    done: set[bytes] = set()
    received = 0
    for _try in range(3):
        download = Download(one, done)
        queue: list[tuple[str, ChunkWanted]] = []
        for step in range(100_000):
            for giver in ("a", "b", "c"):
                queue += [(giver, wanted) for wanted in download.wanted(giver)]
            if not queue or (_try < 2 and step > 12):
                break
            giver, wanted = queue.pop(chance.randrange(len(queue)))
            if giver == "c" and chance.random() < 0.2:
                download.gone("c")
                queue = [item for item in queue if item[0] != "c"]
                continue
            answer = pieces(wanted, parts[wanted.hash] if giver != "b" or wanted.hash[0] % 2 else b"")
            CODEC.encode(answer)
            if giver == "c" and chance.random() < 0.2:
                answer = Chunk(wanted.hash, wanted.offset, bytes(len(answer.data)))
            try:
                written, more = download.came(giver, answer)
            except Untrusted:
                continue
            if more is not None:
                queue.append((giver, more))
            for offset, data in written:
                received += len(data)
                disk[offset : offset + len(data)] = data
                done.add(hashlib.sha256(data).digest())
    assert download.left == 0
    assert bytes(disk) == copy
    assert received <= len(copy)
