"""Walks one of the Node programs that drive headless Chromium, and holds it to its steps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 240


def walk(program: Path, folder: Path, steps: list[str]) -> None:
    """``program`` makes what it needs in ``folder``, and prints each step that it has gone."""
    run = subprocess.run(
        ["node", str(program), sys.executable, str(folder), _chromium()],
        cwd=program.parent, capture_output=True, text=True, timeout=SECONDS_MAX,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    gone = [json.loads(line)["step"] for line in run.stdout.splitlines() if line.startswith("{")]
    assert run.returncode == 0, f"after {gone}:\n{run.stderr[-4000:]}"
    assert gone == steps


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "no Chromium here: `make test` installs it"
    return found
