"""`openprod concept`, `bind`, `unbind`, `assert`, `entity`, `duplicates`: what means what, and what is one thing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from openprod.cli.calls import Node, Refused, call
from openprod.cli.options import folder_argument, json_option, message_option, plural, quoted
from openprod.cli.output import cell, note, print_json, print_table, say
from openprod.errors import InputError

_STATES = {"same": "", "fills": "will be filled in", "differs": "they differ: a choice", "stays": "stays with each"}


def _commit(
    folder: Path, operation: dict[str, Any], message: str, done: str, *,
    as_json: bool, about: str, entities: Sequence[str] = (),
) -> None:  # fmt: skip
    """``about``: what the history says when no message was given, with places for the titles of ``entities``."""

    async def work(node: Node) -> Any:
        said = message or about.format(*[await _title(node, entity) for entity in entities])
        return await node.post("bundles", body={"operations": [operation], "message": said})

    receipt = call(folder, work)
    if as_json:
        print_json(receipt)
    elif not receipt["bundle"]:
        note("Nothing had to be changed.")
    else:
        say(f"{done} Bundle {receipt['bundle'][:12]}.")
        if receipt["conflicts"]:
            note(f"{plural(len(receipt['conflicts']), 'conflict')} to decide: openprod conflicts {quoted(folder)}")


async def _title(node: Node, entity: str) -> str:
    try:
        found = await node.get("entities", entity)
    except Refused:
        return entity  # what is wrong with it is said by whoever is asked to change it
    return str(found["title"])


# -- concepts ----------------------------------------------------------------------------------------------


@click.group()
def concept() -> None:
    """Meanings that several plugins share, such as a person."""


@concept.command("list")
@folder_argument
@json_option
def concept_list(folder: Path, as_json: bool) -> None:
    """List concepts, their fields and the facets bound to them."""
    found = call(folder, lambda node: node.get("concepts"))
    if as_json:
        print_json(found)
        return
    rows = [
        (one["concept"], ", ".join(one["fields"]), ", ".join(map(_binding, one["bindings"])), one["concept_entities"])
        for one in found["concepts"]
    ]
    print_table(["concept", "fields", "bound", "things"], rows, empty="No concepts have been defined.")


def _binding(binding: dict[str, Any]) -> str:
    pairs = ", ".join(own if own == theirs else f"{own}={theirs}" for own, theirs in binding["fields"].items())
    return f"{binding['facet']} ({pairs})"


@concept.command("define")
@folder_argument
@click.argument("name")
@click.argument("fields", nargs=-1, required=True, metavar="FIELD[:TYPE]...")
@click.option("--label", default="", help="How people call it.")
@message_option
@json_option
def concept_define(folder: Path, name: str, fields: tuple[str, ...], label: str, message: str, as_json: bool) -> None:
    """Define a concept, or define it anew: openprod concept define DIR Person name email phone"""
    declared = {}
    for field in fields:
        own, _, type_ = field.partition(":")
        declared[own] = {"type": type_ or "string"}
    operation = {"op": "define_concept", "concept": name, "fields": declared, "label": label}
    _commit(folder, operation, message, f"{name} is defined.", as_json=as_json, about=f"Defined {_plain(name)}")


@concept.command("show")
@folder_argument
@click.argument("name")
@json_option
def concept_show(folder: Path, name: str, as_json: bool) -> None:
    """List the things of a concept, with what belongs to each."""
    found = call(folder, lambda node: node.get("concepts", name, "entities"))
    if as_json:
        print_json(found)
        return
    for one in found["concept_entities"]:
        say(f"{one['id']}  {one['title']}")
        for field, value in sorted(one["values"].items()):
            say(f"    {field}: {cell(value)}")
        for member in one["bound"]:
            say(f"    {member['entity']}  {member['title']} ({member['facet']})")
    if not found["concept_entities"]:
        note(f"Nothing has been asserted to be a {name} yet: openprod assert {quoted(folder)} {name} ENTITY…")


# -- bindings ----------------------------------------------------------------------------------------------


@click.command()
@folder_argument
@click.argument("facet")
@click.argument("concept_name", metavar="CONCEPT")
@click.argument("pairs", nargs=-1, required=True, metavar="FIELD[=FIELD OF THE FACET]...")
@message_option
@json_option
def bind(folder: Path, facet: str, concept_name: str, pairs: tuple[str, ...], message: str, as_json: bool) -> None:
    """Say what a facet's fields mean: openprod bind DIR schedule.attendee Person name=displayName

    Nothing is the same thing yet by that: `openprod assert` says so.
    """
    fields = {}
    for pair in pairs:
        own, _, theirs = pair.partition("=")
        fields[own] = theirs or own
    operation = {"op": "bind_facet", "facet": facet, "concept": concept_name, "fields": fields}
    done = f"{facet} is bound to {concept_name}."
    about = f"Bound {_plain(facet)} to {_plain(concept_name)}"
    _commit(folder, operation, message, done, as_json=as_json, about=about)


@click.command()
@folder_argument
@click.argument("what", metavar="ENTITY|FACET")
@click.option("--facet", default="", help="Only this facet of the entity.")
@message_option
@json_option
def unbind(folder: Path, what: str, facet: str, message: str, as_json: bool) -> None:
    """Take an entity out of its concept entity, or a facet's binding back. Every field keeps its value."""

    async def ask(node: Node) -> dict[str, Any]:
        concepts = (await node.get("concepts"))["concepts"]
        facets = {binding["facet"] for one in concepts for binding in one["bindings"]}
        if what in facets:
            return {"op": "unbind_facet", "facet": what}
        return {"op": "unbind", "entity": what, "facet": facet}

    operation = call(folder, ask)
    entities = [what] if operation["op"] == "unbind" else []
    about = "Unbound {}" if entities else f"Unbound {_plain(what)}"
    done = f"{what} is unbound; its values stay."
    _commit(folder, operation, message, done, as_json=as_json, about=about, entities=entities)


@click.command("assert")
@folder_argument
@click.argument("concept_name", metavar="CONCEPT")
@click.argument("entities", nargs=-1, required=True, metavar="ENTITY...")
@click.option("--preview", is_flag=True, help="Only show what it will do.")
@message_option
@json_option
def assert_(
    folder: Path, concept_name: str, entities: tuple[str, ...], preview: bool, message: str, as_json: bool
) -> None:
    """Say that entities are one real thing. Where their values differ, people choose; nothing is overwritten."""
    if preview:
        body = {"entities": list(entities)}
        found = call(folder, lambda node: node.post("concepts", concept_name, "preview", body=body))
        if as_json:
            print_json(found)
            return
        rows = [
            (
                one["field"],
                _STATES[one["state"]],
                *(f"{value['title']}: {cell(value['value'])}" for value in one["values"]),
            )
            for one in found["fields"]
        ]
        width = max((len(row) for row in rows), default=2)
        padded = [(*row, *[""] * (width - len(row))) for row in rows]
        print_table(["field", "", *[""] * (width - 2)], padded)
        note("Nothing was changed. Leave --preview out to assert it.")
        return
    operation = {"op": "assert_same", "concept": concept_name, "entities": list(entities)}
    done = f"{plural(len(entities), 'entity', 'entities')}: one {concept_name}."
    about = f"One {_plain(concept_name)}: {', '.join(['{}'] * min(len(entities), 5))}"
    _commit(folder, operation, message, done, as_json=as_json, about=about, entities=entities[:5])


# -- entities ----------------------------------------------------------------------------------------------


@click.group()
def entity() -> None:
    """One entity: what it holds, and merging two that are one."""


@entity.command("show")
@folder_argument
@click.argument("id")
@json_option
def entity_show(folder: Path, id: str, as_json: bool) -> None:
    """Show an entity: its fields, edges, and what it stands for."""
    found = call(folder, lambda node: node.get("entities", id))
    if as_json:
        print_json(found)
        return
    say(f"{found['title']}  ({found['id']}){'  deleted' if found['deleted'] else ''}")
    for facet, fields in sorted(found["facets"].items()):
        say(f"  {facet}")
        for field, value in sorted(fields.items()):
            if value not in (None, ""):
                say(f"    {field}: {cell(value)}")
    for field, value in sorted(found.get("values", {}).items()):
        say(f"    {field}: {cell(value)}")
    for edge in found["edges"]:
        say(f"  {_end(edge)}")
    for one in found.get("merged", ()):
        say(f"  merged into it: {one['title']} ({one['id']})")
    for one in found.get("belongs_to", ()):
        say(f"  is {one['title']} ({one['concept_entity']}) as {one['facet']}")
    for one in found.get("bound", ()):
        say(f"  has {one['title']} ({one['entity']}) as {one['facet']}")


@entity.command("merge")
@folder_argument
@click.argument("survivor")
@click.argument("absorbed")
@click.option(
    "--set", "chosen", multiple=True, metavar="FACET/FIELD=VALUE", help="What both will say, where they differ."
)
@click.option("--apply", is_flag=True, help="Merge them; otherwise it is only shown what that will do.")
@message_option
@json_option
def entity_merge(
    folder: Path, survivor: str, absorbed: str, chosen: tuple[str, ...], apply: bool, message: str, as_json: bool
) -> None:
    """Make one of two: what is said of ABSORBED is said of SURVIVOR. `openprod entity split` brings it back."""
    if apply:
        operation = {"op": "merge_entities", "survivor": survivor, "absorbed": absorbed, "values": _chosen(chosen)}
        done = f"Merged: {absorbed} is {survivor} from now on."
        about = "Merged {} into {}"
        _commit(folder, operation, message, done, as_json=as_json, about=about, entities=(absorbed, survivor))
        return
    found = call(folder, lambda node: node.get("entities", survivor, "merge-preview", absorbed=absorbed))
    if as_json:
        print_json(found)
        return
    rows = [
        (f"{one['facet']}/{one['field']}", cell(one["survivor"]), cell(one["absorbed"]), _STATES[one["state"]])
        for one in (*found["fields"], *found["texts"])
    ]
    print_table(["field", found["survivor"]["title"], found["absorbed"]["title"], ""], rows)
    for edge in found["edges"]:
        say(f"moves: {_end(edge)}")
    for facet in found["attaches"]:
        say(f"gets: {facet}")
    note("Nothing was changed. Add --apply to merge, and --set FACET/FIELD=VALUE where they differ.")


def _plain(text: str) -> str:
    """For a place in a message: braces stand for themselves."""
    return text.replace("{", "{{").replace("}", "}}")


def _end(edge: dict[str, Any]) -> str:
    """An edge, as it is seen from one of its ends."""
    outward = edge["direction"] == "out"
    return f"{edge['label']} {'→' if outward else '←'} {edge['title']} ({edge['to'] if outward else edge['from']})"


def _chosen(given: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    values: dict[str, dict[str, Any]] = {}
    for text in given:
        place, equals, value = text.partition("=")
        facet, slash, field = place.partition("/")
        if not equals or not slash:
            raise InputError(f"“{text[:80]}” isn't understood.", hint="Write --set plugin.facet/field=value.")
        try:
            values.setdefault(facet, {})[field] = json.loads(value)
        except (ValueError, RecursionError):
            values.setdefault(facet, {})[field] = value
    return values


@entity.command("split")
@folder_argument
@click.argument("id", metavar="ABSORBED")
@message_option
@json_option
def entity_split(folder: Path, id: str, message: str, as_json: bool) -> None:
    """Take a merge back: the entity is itself again, with what it had."""
    operation = {"op": "split_entity", "entity": id}
    done = f"{id} is itself again."
    _commit(folder, operation, message, done, as_json=as_json, about="Split from {}", entities=(id,))


# -- duplicates --------------------------------------------------------------------------------------------


@click.group()
def duplicates() -> None:
    """Entities that may be one thing. Rules propose; only people merge."""


@duplicates.command("list")
@folder_argument
@json_option
def duplicates_list(folder: Path, as_json: bool) -> None:
    """List what the rules propose, with the command that would do it."""
    found = call(folder, lambda node: node.get("proposals"))
    if as_json:
        print_json(found)
        return
    for one in found["proposals"]:
        ids = [entity["id"] for entity in one["entities"]]
        say(f"{', '.join(entity['title'] for entity in one['entities'])}: same {' and '.join(one['by'])}")
        if one["kind"] == "assert":
            say(f"    openprod assert {quoted(folder)} {one['about']} {' '.join(ids)}")
        else:
            for absorbed in ids[1:]:
                say(f"    openprod entity merge {quoted(folder)} {ids[0]} {absorbed}")
    if not found["proposals"]:
        note("The rules propose nothing. `openprod duplicates rule` sets one.")


@duplicates.command("rule")
@folder_argument
@click.argument("about", metavar="FACET|CONCEPT")
@click.argument("sets", nargs=-1, metavar="FIELD[,FIELD]...")
@message_option
@json_option
def duplicates_rule(folder: Path, about: str, sets: tuple[str, ...], message: str, as_json: bool) -> None:
    """Say by which fields two may be one: openprod duplicates rule DIR Person email name,phone. None ends the rule."""
    operation = {"op": "set_rule", "about": about, "fields": [one.split(",") for one in sets]}
    done = "The rule is set." if sets else "The rule has ended."
    about = f"What may be one {_plain(about)}" + (f": same {_plain(' or '.join(sets))}" if sets else ": no rule")
    _commit(folder, operation, message, done, as_json=as_json, about=about)
