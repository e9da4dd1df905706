"""A hub and two laptops in their pages, in headless Chromium, a real node each: links, roles, clocks, what is held."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.walk import ROOT, walk

STEPS = [
    "joined a hub by its link, in the page",
    "in by a link, once both had said yes",
    "a wrong clock is told",
    "a role is changed, and changed back",
    "declined: nothing moves",
    "in by spoken words, each side asked",
    "what was held is reviewed, and let in",
]


@pytest.mark.browser
def test_newcomers_roles_and_what_is_held(tmp_path: Path) -> None:
    walk(ROOT / "tests/browser/newcomers.mjs", tmp_path, STEPS)
