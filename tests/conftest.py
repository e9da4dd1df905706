"""What a machine didn't let be tested is said at the end of a run, whatever else is said there."""

from __future__ import annotations

import pytest

_MARK = "NOT TESTED: "


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [str(one.longrepr[2]) for one in skipped if isinstance(one.longrepr, tuple)]
    for reason in dict.fromkeys(one.partition(_MARK)[2] for one in reasons if _MARK in one):
        terminalreporter.write_line(f"WARNING {_MARK}{reason}", yellow=True)
