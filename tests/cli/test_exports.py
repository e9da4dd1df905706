"""`openprod export`, with the node running and without."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import ROOT, Laptop

DATA = ROOT / "plugins" / "contacts" / "tests" / "data"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    alex = Laptop(folder, "Alex")
    alex.done("new", "show.openprod", "--name", "A Show", "--plugin", "contacts")
    alex.done("import", "show.openprod", "contacts.vcard", DATA / "phone-3.0.vcf", "--apply")
    alex.done("import", "show.openprod", "contacts.sheet", DATA / "contact-sheet.csv", "--apply")
    return folder


@pytest.fixture(params=["closed", "served"])
def laptop(request: pytest.FixtureRequest, made: Path, tmp_path: Path) -> Iterator[Laptop]:
    shutil.copytree(made, tmp_path / "alex")
    alex = Laptop(tmp_path / "alex", "Alex")
    if request.param == "closed":
        yield alex
        return
    with alex.serving("show.openprod"):
        yield alex


def test_a_shared_file_and_a_private_one(laptop: Laptop) -> None:
    """INV-PRIVATE-1"""
    assert laptop.done("export", "show.openprod", "contacts.sheet", "-o", "sheet.csv") == "sheet.csv is written.\n"
    shared = (laptop.folder / "sheet.csv").read_text(encoding="utf-8-sig")
    assert "Kwabena Asante-Ferreira" in shared
    assert "vegan" not in shared
    again = laptop.run("export", "show.openprod", "contacts.sheet", "-o", "sheet.csv", "--private")
    assert again.status == 1
    assert "is there already" in again.err
    assert "--force" in again.err
    private = laptop.run("export", "show.openprod", "contacts.sheet", "-o", "sheet.csv", "--private", "--force")
    assert private.status == 0
    assert "private fields" in private.err
    assert "vegan" in (laptop.folder / "sheet.csv").read_text(encoding="utf-8-sig")
    assert (laptop.folder / "sheet.csv").stat().st_mode & 0o077 == 0


def test_options_json_and_a_folder(laptop: Laptop) -> None:
    (laptop.folder / "out").mkdir()
    words = (
        "export",
        "show.openprod",
        "contacts.vcard",
        "-o",
        "out",
        "--arg",
        "version=3.0",
        "--arg",
        "department=cast",
    )
    found = laptop.run(*words, "--json").json
    assert found == {"files": [str(laptop.folder / "out" / "contacts.vcf")], "private": False}
    text = (laptop.folder / "out" / "contacts.vcf").read_text(encoding="utf-8")
    assert text.count("VERSION:3.0") == 3
    assert laptop.done(*words, "--force") == "out/contacts.vcf is written.\n"


def test_the_formats_are_listed(laptop: Laptop) -> None:
    listed = laptop.done("export", "show.openprod")
    assert "contacts.vcard\tAddress book (vCard)\tyes\tversion: 4.0" in listed
    names = [one["name"] for one in laptop.run("export", "show.openprod", "--json").json["exports"]]
    assert {"contacts.sheet", "contacts.vcard"} <= set(names)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("contacts.pdf", "-o", "x"), 1, "contacts.vcard"),
        (("contacts.vcard",), 2, "-o FILE_OR_FOLDER"),
        (("contacts.vcard", "-o", "x", "--arg", "version"), 2, "“version”"),
        (("contacts.vcard", "-o", "x", "--arg", "version=9"), 1, "version=4.0 or version=3.0"),
        (("contacts.vcard", "-o", "x", "--arg", "private=yes"), 1, "--private"),
        (("contacts.vcard", "-o", "x", "--arg", "department=Fly"), 1, "CAST"),
        (("contacts.vcard", "-o", "show.openprod/workspace.db/x"), 1, "error[STORAGE]"),
    ],
)
def test_what_goes_wrong_is_said(laptop: Laptop, words: tuple[str, ...], status: int, said: str) -> None:
    ended = laptop.run("export", "show.openprod", *words)
    assert ended.status == status, ended.err
    assert said in ended.err
    assert "hint:" in ended.err
    assert not (laptop.folder / "x").exists()
