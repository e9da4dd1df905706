"""Who asks, and what they may do: bearer token → grant → actor. Roles: viewer < editor < owner."""

from __future__ import annotations

import hmac
from typing import Final

from starlette.datastructures import Headers

from openprod.core.bundles import Actor
from openprod.engine.tokens import ROLES, Grant, Role, token_hash
from openprod.engine.workspace import Workspace
from openprod.errors import Denied, Unauthenticated

_TOKEN_CHARACTERS_MAX: Final = 512


class Access:
    """Checks tokens. The token of this launch is the owner's; it is known only here, never in the workspace."""

    def __init__(self, workspace: Workspace, owner_token: str | None) -> None:
        self._workspace = workspace
        self._owner_hash = None if owner_token is None else token_hash(owner_token)

    def check(self, token: str) -> Grant | None:
        """The grant of a token that holds now, else None."""
        if not token or len(token) > _TOKEN_CHARACTERS_MAX:
            return None
        if self._owner_hash is not None and hmac.compare_digest(self._owner_hash, token_hash(token)):
            owner = self._workspace.actor
            return Grant("launch", "", "", "owner", owner.user, owner.name, "")
        return self._workspace.token_check(token)

    def identify(self, headers: Headers) -> tuple[str, Grant]:
        """(token, grant) of a request. Raises Unauthenticated, in the same words whatever is wrong with it."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token.strip()
        grant = self.check(token) if scheme.lower() == "bearer" else None
        if grant is None:
            raise Unauthenticated(
                "The access token is missing, wrong, expired or withdrawn.",
                hint="Send the header “Authorization: Bearer TOKEN”. `openprod token create` makes a token.",
            )
        return token, grant

    def actor(self, grant: Grant) -> Actor:
        """The author of what comes in under the grant."""
        here = self._workspace.actor
        return Actor(grant.user or here.user, grant.name or here.name, here.device, grant.label)


def require_role(grant: Grant, role: Role) -> None:
    """Raises Denied when the grant is of a lesser role."""
    if ROLES.index(grant.role) < ROLES.index(role):
        raise Denied(
            f"This access token is for a {grant.role}; this needs {'an' if role[0] in 'eo' else 'a'} {role}.",
            hint="Ask whoever runs the production for another token.",
            details={"role": grant.role, "needs": role},
        )


def require_document(grant: Grant, document: str) -> None:
    """Raises Denied when the grant is for another document."""
    if not grant.allows(document):
        raise Denied(
            f"This access token opens only the document “{grant.document}”.",
            hint="Ask whoever runs the production for a token without that limit.",
            details={"document": grant.document},
        )


def require_all_documents(grant: Grant) -> None:
    """Raises Denied when the grant is limited to one document, for calls that reach beyond documents."""
    if grant.document:
        require_document(grant, "")
