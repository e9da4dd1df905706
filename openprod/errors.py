"""Every error that Openprod raises on purpose.

::

    OpenprodError                 code, sentence, hint
    ├── InputError                what a person or program sent can't be used        (HTTP 400)
    │   ├── MalformedUpdate       bytes that are not a Yjs update
    │   ├── MalformedFrame        bytes that are not a message between nodes
    │   ├── LimitExceeded         larger, deeper or more than is allowed             (HTTP 413)
    │   ├── InvalidOperation      an operation that makes no sense here
    │   ├── InvalidManifest       a plugin manifest that can't be used
    │   └── InvalidFile           an imported or merged file that can't be read
    ├── NotFound                  nothing by that name                              (HTTP 404)
    ├── Stale                     the thing changed since it was looked at          (HTTP 409)
    ├── Unauthenticated           nobody known: no access token, or not one of ours  (HTTP 401)
    ├── Denied                    not allowed to                                    (HTTP 403)
    ├── Unreachable               another device doesn't answer                     (HTTP 503)
    ├── StorageError              the disk or the file is in the way                (HTTP 503)
    │   ├── NewerFile             made by a newer version of the program
    │   ├── WrongFile             not a workspace
    │   ├── DamagedFile           torn, truncated or altered
    │   ├── DiskFull              no room left
    │   ├── ReadOnly              the folder or file can't be written
    │   └── Busy                  another program holds the workspace
    └── Untrusted                 a signature, hash or chain that doesn't hold       (HTTP 400)

``code`` is stable and meant for programs; ``str(error)`` is a sentence for people;
``hint`` says what to do next and may be empty.
"""

from __future__ import annotations

from typing import Any, ClassVar


class OpenprodError(Exception):
    """Base of the tree. ``sentence`` is plain words; ``hint`` what to do next; ``details`` JSON for programs."""

    code: ClassVar[str] = "ERROR"
    status: ClassVar[int] = 500

    def __init__(self, sentence: str, *, hint: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint
        self.details = details or {}


class InputError(OpenprodError):
    code = "INPUT"
    status = 400


class MalformedUpdate(InputError):
    code = "MALFORMED_UPDATE"


class MalformedFrame(InputError):
    code = "MALFORMED_FRAME"


class LimitExceeded(InputError):
    code = "LIMIT_EXCEEDED"
    status = 413


class InvalidOperation(InputError):
    code = "INVALID_OPERATION"


class InvalidManifest(InputError):
    code = "INVALID_MANIFEST"


class InvalidFile(InputError):
    code = "INVALID_FILE"


class NotFound(OpenprodError):
    code = "NOT_FOUND"
    status = 404


class Stale(OpenprodError):
    code = "STALE"
    status = 409


class Unauthenticated(OpenprodError):
    code = "UNAUTHENTICATED"
    status = 401


class Denied(OpenprodError):
    code = "DENIED"
    status = 403


class Unreachable(OpenprodError):
    code = "UNREACHABLE"
    status = 503


class StorageError(OpenprodError):
    code = "STORAGE"
    status = 503


class NewerFile(StorageError):
    code = "NEWER_FILE"


class WrongFile(StorageError):
    code = "WRONG_FILE"


class DamagedFile(StorageError):
    code = "DAMAGED_FILE"


class DiskFull(StorageError):
    code = "DISK_FULL"


class ReadOnly(StorageError):
    code = "READ_ONLY"


class Busy(StorageError):
    code = "BUSY"


class Untrusted(OpenprodError):
    code = "UNTRUSTED"
    status = 400
