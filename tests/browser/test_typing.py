"""Typing while others work, in headless Chromium over a real node."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.walk import walk

STEPS = ["fast", "deleted", "in sight", "told before it replaces", "composed", "asked before it goes"]


@pytest.mark.browser
def test_what_is_typed_stays_in_sight_and_is_not_lost(tmp_path: Path) -> None:
    walk(Path(__file__).with_name("typing.mjs"), tmp_path, STEPS)
