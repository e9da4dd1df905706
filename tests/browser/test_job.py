"""The whole job in headless Chromium, with real processes: pages, a Yjs program, a second laptop, a killed node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
STEPS = [
    "two pages see each other",
    "a Yjs program lists, changes, adds",
    "the field is flagged and said in words",
    "the decision closes it everywhere",
    "the stick reopens it",
    "the decision is changed, the history shows all of it",
    "killed, restarted, the same state",
]


def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "no Chromium here: `make test` installs it"
    return found


@pytest.mark.browser
def test_the_job_from_two_pages_to_a_killed_node(tmp_path: Path) -> None:
    run = subprocess.run(
        ["node", str(REPOSITORY / "tests" / "interop" / "job.mjs"), sys.executable, str(tmp_path), chromium()],
        cwd=REPOSITORY / "tests" / "interop",
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    steps = [json.loads(line)["step"] for line in run.stdout.splitlines() if line.startswith("{")]
    assert run.returncode == 0, f"after {steps}:\n{run.stderr[-4000:]}"
    assert steps == STEPS
