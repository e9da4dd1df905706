"""What is on this device only, in a gathering and outside one, and after the node was started again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openprod.sync.known import KnownDevices
from tests.sync.laptops import Gathered, laptops


@pytest.fixture
def two(tmp_path: Path) -> Iterator[list[Gathered]]:
    with laptops(tmp_path, "alex", "blake") as made:
        yield made


def alone(one: Gathered) -> list[str]:
    """Of those, what each is about, newest first."""
    found = one.call("GET", "/session/edits", alone=True)
    assert found["alone"] == len(found["edits"]) == one.session()["alone"]
    assert all(edit["devices"] == 0 for edit in found["edits"])
    return [edit["bundle"] for edit in found["edits"]]


def test_edits_that_no_other_device_holds_are_listed(two: list[Gathered]) -> None:
    alex, blake = two
    link = alex.host()
    alex.create("cue_1", "Ghost")
    assert set(alone(alex)) == alex.bundles()
    blake.join(link, "--yes")
    alex.together(blake)
    alex.spread(1)
    assert alone(alex) == alone(blake) == []
    assert [one["role"] for one in alex.session()["members"]] == ["owner", "editor"]

    blake.call("POST", "/session/leave")
    alex.together()
    before = alex.bundles()
    alex.create("cue_2", "Wind")
    alex.create("cue_3", "Rain")
    newest = [one["bundle"] for one in alex.call("GET", "/session/edits", limit=2)["edits"]]
    assert alone(alex) == newest
    assert set(newest) == alex.bundles() - before

    alex.stop()
    alex.serve()
    assert alone(alex) == newest
    assert len(alex.call("GET", "/session/edits", alone=True, limit=1)["edits"]) == 1


def test_what_was_noted_of_others_is_read_again(tmp_path: Path) -> None:
    devices = KnownDevices(tmp_path, "ws_1")
    devices.add("b" * 16, "Blake", ["10.0.0.2:8041"])
    log, other = f"{'a' * 16}-00000001", f"{'b' * 16}-00000001"
    devices.note({"b" * 16: {log: 7, other: 3}, "c" * 16: {log: 9}}, "a" * 16)
    devices.add("b" * 16, "Blake", ["10.0.0.3:8041"])
    again = KnownDevices(tmp_path, "ws_1")
    assert again.stored == {"b" * 16: {log: 7}}
    assert again.addresses("b" * 16) == [("10.0.0.3", 8041), ("10.0.0.2", 8041)]
