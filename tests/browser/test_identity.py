"""One person in two sheets, in headless Chromium with a real node: defined, bound, said to be one, merged, split."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.walk import ROOT, walk

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
    "an import shows old beside new first",
]


@pytest.mark.browser
def test_one_person_in_two_sheets(tmp_path: Path) -> None:
    walk(ROOT / "tests/browser/identity.mjs", tmp_path, STEPS)
