"""Seeds of random tests: others after every change of the program, the same as long as it is the same.

So a failure belongs to the change that it came with, comes again on every machine, and a clean run says something of
the next one. ``OPENPROD_SEEDS=anything`` walks others (`make soak` never walks the same twice). What Hypothesis
tries depends on the test alone; ``--hypothesis-profile=default`` lets it try anything.
"""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

PROGRAM = Path(__file__).parent.parent / "openprod"


def fresh(name: str) -> int:
    """31 bits. ``name``: of the test, so that each has its own."""
    return int.from_bytes(hashlib.sha256(_program() + name.encode()).digest()[:4], "big") >> 1


@functools.cache
def _program() -> bytes:
    if said := os.environ.get("OPENPROD_SEEDS"):
        return said.encode()
    digest = hashlib.sha256()
    for path in sorted(PROGRAM.rglob("*")):
        if path.suffix in (".py", ".sql"):
            digest.update(path.relative_to(PROGRAM).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.digest()
