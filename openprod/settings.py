"""The only reader of the environment: where a user's identity and plugins live, and what a launch is told.

``OPENPROD_HOME`` moves the per-user folder; ``OPENPROD_TOKEN`` fixes the access token of ``openprod serve``;
``OPENPROD_USER`` names the person on a device's first use.
"""

from __future__ import annotations

import getpass
import os
import platform
from pathlib import Path

from platformdirs import user_data_path


def home() -> Path:
    """The per-user folder: identity, grants, plugins. Never inside a workspace, so that it never travels."""
    chosen = os.environ.get("OPENPROD_HOME")
    return Path(chosen) if chosen else user_data_path("openprod", appauthor=False)


def access_token() -> str | None:
    return os.environ.get("OPENPROD_TOKEN") or None


def person_name() -> str:
    """The name that people see, until it is changed in the identity file."""
    chosen = os.environ.get("OPENPROD_USER")
    if chosen:
        return chosen
    try:
        return getpass.getuser().capitalize()
    except (KeyError, OSError):
        return "Somebody"


def device_name() -> str:
    return platform.node() or "this device"
