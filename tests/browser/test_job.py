"""The whole job in headless Chromium, with real processes: pages, a Yjs program, a second laptop, a killed node."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.walk import ROOT, walk

STEPS = [
    "two pages see each other",
    "a Yjs program lists, changes, adds",
    "the field is flagged and said in words",
    "the decision closes it everywhere",
    "the stick reopens it",
    "the decision is changed, the history shows all of it",
    "killed, restarted, the same state",
]


@pytest.mark.browser
def test_the_job_from_two_pages_to_a_killed_node(tmp_path: Path) -> None:
    walk(ROOT / "tests/interop/job.mjs", tmp_path, STEPS)
