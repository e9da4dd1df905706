"""Every invariant has an ID in docs/INVARIANTS.md and a test that quotes it; no test quotes one that isn't there."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent
ID = re.compile(r"INV-[A-Z]+-\d+")


def test_every_invariant_is_held_by_a_test_and_every_quoted_one_exists() -> None:
    declared = ID.findall((REPOSITORY / "docs" / "INVARIANTS.md").read_text())
    assert len(declared) == len(set(declared)), "an ID stands for two rules"
    quoted: set[str] = set()
    for folder in ("tests", "plugins", "client/tests"):
        for path in (REPOSITORY / folder).rglob("*"):
            if path.suffix in (".py", ".ts", ".mjs") and "node_modules" not in path.parts and path != Path(__file__):
                quoted.update(ID.findall(path.read_text()))
    assert set(declared) - quoted == set(), "invariants that no test holds"
    assert quoted - set(declared) == set(), "tests quote what isn't declared"
