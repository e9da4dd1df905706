"""Two laptops in their pages, in headless Chromium, a real node each: hosted, joined, apart, back, removed, ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.walk import ROOT, walk

STEPS = [
    "hosted in the page",
    "joined by the code, once both had said yes",
    "an edit says where it is",
    "left, and each goes on",
    "both approved, and both have the same conflict",
    "a viewer sees who is here, and no more",
    "a removed device is told so",
    "ended, and away",
]


@pytest.mark.browser
def test_two_laptops_in_their_pages(tmp_path: Path) -> None:
    walk(ROOT / "tests/browser/together.mjs", tmp_path, STEPS)
