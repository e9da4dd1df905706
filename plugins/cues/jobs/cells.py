"""What the cells of cue sheets and console exports mean."""

from __future__ import annotations

import re
from typing import NamedTuple

NUMBER_LENGTH_MAX = 40

_PART = re.compile(r"(?P<cue>.*?[0-9])\s*(?:part|pt\.?|p)[ .]*(?P<part>[0-9]+)", re.IGNORECASE)
_PART_ALONE = re.compile(r"(?:part|pt\.?|p)?[ .]*(?P<part>[0-9]+)", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_NAMED_NUMBER = re.compile(r"(?P<prefix>[A-Za-z][A-Za-z ]*?)?[ .#-]*(?P<number>[0-9]+(?:\.[0-9]+)?)")
_SECONDS = re.compile(r"(?P<number>\d+(?:[.,]\d+)?|[.,]\d+)\s*(?:s|sec|secs|seconds|\"|”)?", re.IGNORECASE)
_CLOCKED = re.compile(r"(?:(?P<hours>\d+):)?(?P<minutes>\d+):(?P<seconds>\d{1,2}(?:[.,]\d+)?)")
_TIME_OF_DAY = re.compile(
    r"(?P<hour>\d{1,2})[:.h](?P<minute>\d{2})(?::(?P<second>\d{2}))?\s*(?P<half>[ap])?\.?m?\.?", re.IGNORECASE
)

LISTS = {
    "lx": "LX", "lxq": "LX", "lights": "LX", "light": "LX", "lighting": "LX", "elx": "LX", "electrics": "LX",
    "lq": "LX", "snd": "SND", "sound": "SND", "sd": "SND", "sq": "SND", "audio": "SND", "sfx": "SND", "fx": "SND",
    "vid": "VID", "video": "VID", "projection": "VID", "projections": "VID", "av": "VID", "vq": "VID", "proj": "VID",
    "fly": "FLY", "flys": "FLY", "flies": "FLY", "rail": "FLY", "fq": "FLY", "auto": "AUTO", "automation": "AUTO",
    "spot": "SPOT", "spots": "SPOT", "followspot": "SPOT", "follow spot": "SPOT", "fs": "SPOT", "deck": "DECK",
    "qlab": "QLab", "pyro": "PYRO", "sm": "SM", "music": "MUS", "mus": "MUS",
}  # fmt: skip
"""What departments are called → the list's name."""


DEPARTMENTS = {
    "LX": "Lighting", "SND": "Sound", "VID": "Video", "FLY": "Fly", "AUTO": "Automation", "SPOT": "Followspots",
    "DECK": "Deck", "PYRO": "Pyrotechnics", "SM": "Stage management", "MUS": "Music",
}  # fmt: skip
"""The list's name → whose it is."""


class Numbered(NamedTuple):
    """``list`` and ``part`` are "" when the cell names none."""

    list: str
    number: str
    part: str = ""


def list_name(text: str) -> str:
    """A department's usual short name, or the text itself."""
    return LISTS.get(" ".join(text.lower().split()), text)


def department(list_: str) -> str | None:
    """Whose list it is by its name: ``LX``, and ``LX3`` for its third. None when the name doesn't tell."""
    return DEPARTMENTS.get(list_.rstrip("0123456789. "))


def part_number(text: str) -> str | None:
    """``2``, ``P2``, ``Part 2``: 2, as written."""
    match = _PART_ALONE.fullmatch(text.strip())
    return match["part"] if match else None


def cue_number(text: str) -> Numbered | None:
    """``42``, ``42.10``, ``007``, ``LX 42``, ``LXQ42``, ``Q6``, ``42 part 2``, ``LX 42 P2``: as written."""
    text = text.strip()
    if len(text) > NUMBER_LENGTH_MAX:
        return None
    if match := _PART.fullmatch(text):
        cue = cue_number(match["cue"])
        return None if cue is None or cue.part else cue._replace(part=match["part"])
    if _NUMBER.fullmatch(text):
        return Numbered("", text)
    match = _NAMED_NUMBER.fullmatch(text)
    if match is None:
        return None
    prefix = (match["prefix"] or "").strip()
    if prefix.lower() not in LISTS and prefix.lower().endswith("q"):
        prefix = prefix[:-1].strip()
    return Numbered("" if prefix.lower() == "cue" else list_name(prefix), match["number"])


def seconds(text: str) -> int | float | None:
    """``3``, ``3.5``, ``2,5``, ``5s``, ``0:03``, ``1:30``, ``1:02:03.5``: seconds. None for anything else."""
    text = text.strip()
    if match := _SECONDS.fullmatch(text):
        return _number(match["number"])
    if match := _CLOCKED.fullmatch(text):
        whole = int(match["hours"] or 0) * 3600 + int(match["minutes"]) * 60
        return _number(match["seconds"], plus=whole)
    return None


def time_of_day(text: str) -> str | None:
    """``10:30``, ``10.30``, ``9h05``, ``7:30 pm``, ``19:30:15``: as HH:MM or HH:MM:SS. None for anything else."""
    match = _TIME_OF_DAY.fullmatch(text.strip())
    if match is None:
        return None
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if half := (match["half"] or "").lower():
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    return f"{hour:02}:{minute:02}" + (f":{second:02}" if match["second"] else "")


def fade(text: str) -> tuple[int | float | None, int | float | None] | None:
    """``5`` → (5, None); ``5/7`` → (5, 7): up and down. None for anything else."""
    up, slash, down = text.partition("/")
    up_s, down_s = seconds(up), seconds(down)
    if up_s is None or (slash and down_s is None):
        return None
    return up_s, down_s


def _number(text: str, plus: int = 0) -> int | float:
    value = plus + float(text.replace(",", "."))
    return int(value) if value.is_integer() else value
