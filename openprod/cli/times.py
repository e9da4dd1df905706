"""Moments for people: in the time zone of this device, to the second."""

from __future__ import annotations

from datetime import datetime


def moment(text: str) -> str:
    """An ISO 8601 moment as "2026-12-24 19:30:00", as it came when it isn't one."""
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError):
        return text
