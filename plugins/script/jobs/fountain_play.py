"""Plays written in Fountain: acts and scenes as sections (``# ACT I``, ``## SCENE II``) or headings (``.SCENE II``).

Fountain itself is parsed by fountain-py, which follows fountain.io's syntax, numbers lines and reads plays with forced
headings. What makes a play of it is here: acts, and who speaks.
"""

from __future__ import annotations

import re
from itertools import pairwise

from fountain import FountainParser
from fountain.elements import ElementType, FountainElement

from openprod.plugin_api import Changes, InvalidFile, Proposal, Skipped, Snapshot, Source, entity_id

from .play import Scene, division, entering, shown, speakers

TEXT_LENGTH_MAX = 2_000_000
LINE_LENGTH_MAX = 20_000
NOTES_MAX = 500
_SPACES = re.compile(r"[ \t]{3,}")

SCENE, ROLE, SPEAKS_IN = "script.scene", "script.role", "script.speaks_in"


def plan(source: Source, snapshot: Snapshot) -> Proposal:
    """Scenes, roles, and which role speaks in which scene. The words themselves stay in the file."""
    document = FountainParser().parse(_text(source))
    reader = _Reader(document.elements)
    if not any(scene.speeches for scene in reader.scenes):
        raise InvalidFile(
            f"Nobody speaks in “{source.name}”.",
            hint="A play in Fountain has each speaker's name in capitals on a line of its own, the speech below it.",
        )
    return _proposal(reader, snapshot, _title(document.metadata))


def _text(source: Source) -> str:
    """The text as the parser takes it, line for line. Raises InvalidFile for what no play looks like.

    The limits keep out what costs the parser time that grows with the square of a line or of the open notes.
    """
    text = _SPACES.sub("  ", source.text.replace("\r\n", "\n").replace("\r", "\n"))
    problem = ""
    if len(text) > TEXT_LENGTH_MAX:
        problem = f"it has more than {TEXT_LENGTH_MAX:,} characters"
    elif any(len(line) > LINE_LENGTH_MAX for line in text.split("\n")):
        problem = f"a line has more than {LINE_LENGTH_MAX:,} characters"
    elif text.count("[[") + text.count("/*") > NOTES_MAX:
        problem = f"it has more than {NOTES_MAX:,} notes"
    if problem:
        raise InvalidFile(
            f"“{source.name}” doesn't look like a play: {problem}.",
            hint="Look at it in a text editor; import one play.",
        )
    return text


class _Reader:
    """Walks through the elements once, after collecting the names that directions and headings agree on."""

    def __init__(self, elements: list[FountainElement]) -> None:
        self.scenes: list[Scene] = []
        self._act = ""
        self._page = 1
        self._paged = False
        self._known = _names(elements)
        for element in elements:
            self._take(element)
        self.scenes = [scene for scene, after in pairwise([*self.scenes, None]) if scene and not _hollow(scene, after)]

    def _take(self, element: FountainElement) -> None:
        kind = element.type
        if kind in (ElementType.SECTION, ElementType.SCENE_HEADING):
            self._heading(element)
        elif kind is ElementType.PAGE_BREAK:
            if self.scenes:
                self._page += 1
                self._paged = True
        elif kind is ElementType.ACTION:
            if self.scenes and not self.scenes[-1].heading and not self.scenes[-1].speeches:
                self.scenes[-1].heading = element.text.strip()
        elif kind is ElementType.CHARACTER:
            self._speech(element)
        elif kind is ElementType.DUAL_DIALOGUE:
            for side in ("left_character", "right_character"):
                inner = element.metadata.get(side)
                if isinstance(inner, FountainElement):
                    self._take(inner)

    def _heading(self, element: FountainElement) -> None:
        found = division(element.text)
        if found is None:
            if element.type is ElementType.SCENE_HEADING:
                self._open(Scene(self._act, "", element.text.strip(), self._page))
            return
        if found.kind == "act":
            if found.number != self._act:
                self._act = found.number
                if element.type is ElementType.SCENE_HEADING:
                    self._open(Scene(self._act, "", found.rest, self._page))
            elif element.type is ElementType.SCENE_HEADING and not self._in(self._act, ""):
                # The heading that repeats the section above it: an act of one scene.
                self._open(Scene(self._act, "", found.rest, self._page))
        elif not self._in(self._act, found.number):
            self._open(Scene(self._act, found.number, found.rest, self._page))

    def _in(self, act: str, number: str) -> bool:
        """Whether this scene is open already: its section and its heading say the same."""
        return bool(self.scenes) and (self.scenes[-1].act, self.scenes[-1].number) == (act, number)

    def _open(self, scene: Scene) -> None:
        self.scenes.append(scene)

    def _speech(self, element: FountainElement) -> None:
        if not self.scenes:
            self._open(Scene(self._act, "", "", self._page))
        heading = element.text.split("(")[0].strip().rstrip(".:")
        for name in speakers(heading, self._known):
            self.scenes[-1].speeches[name] += 1

    def page(self, scene: Scene) -> str | None:
        """Pages are known only where the text marks their breaks."""
        return str(scene.page) if self._paged else None


def _proposal(reader: _Reader, snapshot: Snapshot, title: str) -> Proposal:
    changes = Changes(snapshot)
    known_scenes, known_roles = _by_name(snapshot, SCENE), _by_name(snapshot, ROLE)
    skipped: list[Skipped] = []
    scene_ids: dict[str, str] = {}
    roles: dict[str, int] = {}
    speaks: dict[tuple[str, str], int] = {}
    for scene in reader.scenes:
        for name, count in scene.speeches.items():
            roles[name] = roles.get(name, 0) + count
            speaks[name, scene.name] = speaks.get((name, scene.name), 0) + count
        if scene.name in scene_ids:
            skipped.append(Skipped(scene.name, "It is there twice; the first is taken, its speeches are counted."))
            continue
        entity = known_scenes.get(scene.name) or entity_id("scene", snapshot.workspace, SCENE, scene.name)
        scene_ids[scene.name] = entity
        fields = {
            "name": scene.name,
            "code": scene.code or None,
            "act": scene.act or None,
            "scene": scene.number or None,
            "heading": scene.heading or None,
            "order": len(scene_ids),
            "page": reader.page(scene),
        }
        changes.put(entity, SCENE, fields)
    role_ids = {
        name: known_roles.get(shown(name)) or entity_id("role", snapshot.workspace, ROLE, shown(name)) for name in roles
    }
    for order, (name, speeches) in enumerate(roles.items(), start=1):
        changes.put(role_ids[name], ROLE, {"name": shown(name), "order": order, "speeches": speeches})
    for (name, scene_name), speeches in speaks.items():
        changes.link(SPEAKS_IN, role_ids[name], scene_ids[scene_name], {"speeches": speeches})
    counts = {"scenes": len(scene_ids), "roles": len(roles), "speeches": sum(roles.values()), **changes.counts}
    summary = f"{title}: {counts['scenes']} scenes, {counts['roles']} roles, {counts['speeches']} speeches."
    return Proposal(operations=changes.operations, summary=(summary,), skipped=tuple(skipped), counts=counts)


def _hollow(scene: Scene, after: Scene | None) -> bool:
    """An act's own heading, with its first scene's right below it."""
    return not scene.number and not scene.speeches and after is not None and after.act == scene.act


def _names(elements: list[FountainElement]) -> set[str]:
    """Names that speak, and names that enter: what a joint heading is taken apart by."""
    names: set[str] = set()
    for element in elements:
        if element.type is ElementType.CHARACTER:
            names.add(element.text.split("(")[0].strip().rstrip(".:"))
        elif element.type is ElementType.ACTION:
            names |= entering(element.text)
    return names


def _by_name(snapshot: Snapshot, facet: str) -> dict[str, str]:
    """{name: entity}; of several with one name, the first by id."""
    return {
        str(fields.get("name")): entity for entity, fields in sorted(snapshot.entities(facet).items(), reverse=True)
    }


def _title(metadata: object) -> str:
    title = metadata.get("title") if isinstance(metadata, dict) else None
    return " ".join(str(title).split()) if title else "The play"
