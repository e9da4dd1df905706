"""What goes into the wheel besides the code: the built page and the shipped plugins, where an installed program looks.

Not into an editable install, which reads both from the checkout.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Shipped(BuildHookInterface):
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "standard":
            return
        root = Path(self.root)
        page = root / "client" / "dist"
        if not (page / "index.html").is_file():
            raise RuntimeError("The page isn't built, and a wheel without it serves nothing: `make wheel` builds both.")
        build_data["force_include"][str(page)] = "openprod/_shipped/client"
        build_data["force_include"][str(root / "plugins")] = "openprod/_shipped/plugins"
