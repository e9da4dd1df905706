"""Run one of this folder's Node programs and read the JSON lines that it prints."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
SECONDS_MAX = 120


def node(script: str, *arguments: str | int, lines: Iterable[str] = ()) -> list[Any]:
    """``lines``: given to the program on its standard input. Fails the test when the program fails."""
    program = shutil.which("node")
    assert program is not None, "Node 20 or later is needed"
    result = subprocess.run(
        [program, FOLDER / script, *map(str, arguments)],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=SECONDS_MAX,
    )
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]
