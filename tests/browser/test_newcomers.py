"""A hub and two laptops in their pages, in headless Chromium, a real node each: links, roles, clocks, what is held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.test_job import REPOSITORY, chromium

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
    run = subprocess.run(
        ["node", str(REPOSITORY / "tests" / "browser" / "newcomers.mjs"), sys.executable, str(tmp_path), chromium()],
        cwd=REPOSITORY / "tests" / "browser",
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    steps = [json.loads(line)["step"] for line in run.stdout.splitlines() if line.startswith("{")]
    assert run.returncode == 0, f"after {steps}:\n{run.stderr[-4000:]}"
    assert steps == STEPS
