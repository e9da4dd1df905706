"""One person in two sheets, in headless Chromium with a real node: defined, bound, said to be one, merged, split."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.test_job import REPOSITORY, chromium

STEPS = [
    "a concept is defined",
    "two sheets are bound",
    "two rows are one, and both cells are flagged",
    "the decision shows in both",
    "either row edits both, and so does the thing itself",
    "unbinding keeps every value",
    "a rule proposes, a person merges",
    "away from the node it shows the same",
    "split again, everything back",
    "a facet is unbound",
    "a relation is drawn and taken away",
]


@pytest.mark.browser
def test_one_person_in_two_sheets(tmp_path: Path) -> None:
    run = subprocess.run(
        ["node", str(REPOSITORY / "tests" / "browser" / "identity.mjs"), sys.executable, str(tmp_path), chromium()],
        cwd=REPOSITORY / "tests" / "browser",
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    steps = [json.loads(line)["step"] for line in run.stdout.splitlines() if line.startswith("{")]
    assert run.returncode == 0, f"after {steps}:\n{run.stderr[-4000:]}"
    assert steps == STEPS
