"""Two laptops in their pages, in headless Chromium, a real node each: hosted, joined, apart, back, removed, ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.test_job import REPOSITORY, chromium

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
    run = subprocess.run(
        ["node", str(REPOSITORY / "tests" / "browser" / "together.mjs"), sys.executable, str(tmp_path), chromium()],
        cwd=REPOSITORY / "tests" / "browser",
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    steps = [json.loads(line)["step"] for line in run.stdout.splitlines() if line.startswith("{")]
    assert run.returncode == 0, f"after {steps}:\n{run.stderr[-4000:]}"
    assert steps == STEPS
