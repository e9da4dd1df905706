"""docs/security.md claims nothing without a test."""

from __future__ import annotations

import re

from tests.repo.files import text

_ROW = re.compile(r"^\| (?P<what>[^|]+) \| (?P<answer>[^|]+) \|(?P<test>[^|]*)\|$", re.MULTILINE)


def test_every_line_is_held_by_a_test_that_exists() -> None:
    rows = [row for row in _ROW.finditer(text("docs/security.md")) if row["what"].strip() != "---"]
    assert len(rows) > 30
    for row in rows:
        named = re.findall(r"`(tests/[^`]+)`", row["test"])
        if not named:
            assert row["answer"].startswith("yes"), f"nothing holds “{row['what']}”"
        for name in named:
            path, _, function = name.partition("::")
            source = text(path)
            assert not function or re.search(rf"^ *(?:async )?def {function}\(", source, re.MULTILINE), name
