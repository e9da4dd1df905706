"""Who works on this device: a user, and the device's Ed25519 key. Kept per user, outside every workspace."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import NamedTuple

from nacl.signing import SigningKey

from openprod.core.bundles import Actor
from openprod.core.ids import device_id
from openprod.errors import DamagedFile


class Identity(NamedTuple):
    user: str
    name: str
    device_name: str
    key: SigningKey

    @property
    def device(self) -> str:
        return device_id(bytes(self.key.verify_key))

    @property
    def actor(self) -> Actor:
        """The person at this device, which is called by its name: the log's id holds its key's."""
        return Actor(self.user, self.name, self.device_name)


def load(home: Path, *, name: str, device_name: str) -> Identity:
    """The identity in ``home``, made on first use (folder 0700, files 0600). Raises DamagedFile."""
    profile, key_file = home / "identity.json", home / "device.key"
    try:
        data = json.loads(profile.read_text())
        return Identity(
            data["user"], data["name"], data["device_name"], SigningKey(bytes.fromhex(key_file.read_text().strip()))
        )
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFile(
            f"The identity in {home} can't be read.", hint="Move the folder away to start with a new identity."
        ) from error
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not key_file.exists():
        _write(key_file, SigningKey.generate().encode().hex() + "\n")
    if not profile.exists():
        record = {"user": f"user_{secrets.token_hex(8)}", "name": name, "device_name": device_name}
        _write(profile, json.dumps(record, indent=2) + "\n")
    return load(home, name=name, device_name=device_name)


def _write(path: Path, text: str) -> None:
    # Another process may be doing the same: whoever comes first decides, and both read that.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
