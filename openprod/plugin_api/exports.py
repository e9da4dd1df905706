"""What an exporter hands over: files by relative name. Checked alike by the host and by a plugin's own tests."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import TypeAlias

from openprod.errors import InputError, LimitExceeded
from openprod.plugin_api.snapshot import Snapshot

Files: TypeAlias = dict[str, bytes]
Exporter: TypeAlias = Callable[[Snapshot, Mapping[str, str]], Files]

FILES_MAX = 2_000
BYTES_MAX = 64 * 1024 * 1024
PART_BYTES_MAX = 120
PARTS_MAX = 8

# No system takes all of these; Windows takes fewest, and files are carried to it.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def check_files(files: object) -> Files:
    """``files`` when every system can hold them in one folder.

    Raises InputError for what isn't {relative name: bytes} or has a name that leads elsewhere, and LimitExceeded for
    too many or too much.
    """
    if not isinstance(files, dict) or not all(isinstance(k, str) and isinstance(v, bytes) for k, v in files.items()):
        raise InputError("It returned something other than files by name.")
    if len(files) > FILES_MAX:
        raise LimitExceeded(f"The export has more than {FILES_MAX:,} files.")
    if sum(map(len, files.values())) > BYTES_MAX:
        raise LimitExceeded(f"The export is larger than {BYTES_MAX // 1024**2} MiB.")
    seen: dict[str, str] = {}
    for name in files:
        parts = name.split("/")
        if len(parts) > PARTS_MAX or not all(map(_usable, parts)):
            raise InputError(f"It named a file “{name[:80]}”, which isn't a plain name inside a folder.")
        # Many systems don't tell capital letters and ways of writing an accent apart.
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            folded = _folded(path)
            if seen.setdefault(folded, path) != path or (depth < len(parts) and path in files):
                raise InputError(f"It named two files alike: “{seen[folded][:80]}” and “{name[:80]}”.")
    return files


def without_controls(text: str) -> str:
    """For formats made of lines: every kind of line end as ``\\n``, and no other control characters, which calendars
    and cards may not hold (RFC 5545, 3.1; RFC 6350, 3.3) and pasted text does.
    """
    return _CONTROLS.sub("", _BREAKS.sub("\n", text))


def safe_name(text: str, *, otherwise: str = "untitled") -> str:
    """``text`` as one part of a file name that every system takes: ``LX / Zoë`` → ``LX - Zoë``.

    Different texts may give the same name: number them where that matters.
    """
    plain = " ".join(_FORBIDDEN.sub("-", unicodedata.normalize("NFC", text)).split())
    encoded = plain.encode("utf-8", "ignore")[: PART_BYTES_MAX - 24].decode("utf-8", "ignore")
    name = encoded.strip(" .")
    if not name.strip("-"):
        return otherwise
    return f"{name}_" if _RESERVED.fullmatch(name) else name


def _usable(part: str) -> bool:
    try:
        size = len(part.encode())
    except UnicodeEncodeError:
        return False
    return (
        0 < size <= PART_BYTES_MAX
        and not _FORBIDDEN.search(part)
        and not part.startswith(" ")
        and not part.endswith((" ", "."))
        and not part.startswith(".")
        and not _RESERVED.fullmatch(part)
    )


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()
