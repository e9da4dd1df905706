"""Every command, with the node running and not."""

from __future__ import annotations

import json

from tests.cli.program import Laptop, set_start


def the_cue(laptop: Laptop, number: str = "42") -> str:
    found = laptop.run("query", "show.openprod", f"cues.cue where number = {number}", "--json").json
    assert len(found["rows"]) == 1
    entity: str = found["rows"][0][0]
    return entity


def test_query(either: Laptop) -> None:
    found = either.run("query", "show.openprod", "cues.cue where list = LX sort -number limit 2", "--json").json
    number = found["columns"].index("number")
    assert [row[number] for row in found["rows"]] == ["42.5", "42"]
    lines = either.done("query", "show.openprod", "cues.cue", "where", "start", "=", "10:15", "sort", "-list")
    rows = [line.split("\t") for line in lines.splitlines()]
    assert [row[rows[0].index("label")] for row in rows[1:]] == ["Wind", "Ghost reveal"]
    asked = json.dumps({"facet": "cues.cue", "where": {"label": "Wind"}, "fields": ["list"]})
    assert [row[1:] for row in either.run("query", "show.openprod", asked, "--json").json["rows"]] == [["SND"]]
    nothing = either.run("query", "show.openprod", "cues.cue where list = FLY")
    assert (nothing.status, nothing.err) == (0, "Nothing matches.\n")
    asked_for = either.done("query", "show.openprod", "cues.cue where label = Wind select scene, label")
    assert asked_for.splitlines()[0].split("\t") == ["entity", "scene", "label"]  # scene is empty
    assert either.done("query", "show.openprod", "cues.cue select sum(scene)").splitlines()[0] == "sum(scene)"


def test_log_history_and_hash(either: Laptop) -> None:
    log = either.run("log", "show.openprod", "--json").json
    assert [bundle["intent"] for bundle in log["bundles"]] == ["adopt", "import"]
    assert {bundle["author"] for bundle in log["bundles"]} == {"Alex"}
    newest = either.done("log", "show.openprod", "--newest", "--limit", "1")
    assert "import" in newest
    history = either.run("history", "show.openprod", the_cue(either), "--json").json
    assert history["title"] == "Cue LX 42"
    assert "10:15" in either.done("history", "show.openprod", the_cue(either))
    shown = either.done("hash", "show.openprod").strip()
    assert either.run("hash", "show.openprod", "--json").json == {"state_hash": shown}
    assert either.done("rebuild", "show.openprod").strip() == shown


def test_import_looks_first_and_changes_nothing_twice(either: Laptop) -> None:
    before = either.done("hash", "show.openprod")
    (either.folder / "more.csv").write_text("List,Q,Label\nLX,99,Bows\nLX,1,Preset\nLX,42,Dawn\n")
    plan = either.run("import", "show.openprod", "cues.csv", "more.csv", "--json").json
    assert (plan["applied"], plan["proposal"]["counts"]["created"]) == (False, 1)
    looked = either.run("import", "show.openprod", "cues.csv", "more.csv")
    assert "Nothing was changed" in looked.err
    (change,) = plan["proposal"]["changes"]
    assert "\t".join((change["title"], "Label", change["before"], "Dawn")) in looked.out
    assert either.done("hash", "show.openprod") == before
    assert "Imported as bundle" in either.done("import", "show.openprod", "cues.csv", "more.csv", "--apply")
    after = either.done("hash", "show.openprod")
    assert after != before
    assert "Nothing had to be changed" in either.done("import", "show.openprod", "cues.csv", "more.csv", "--apply")
    assert either.done("hash", "show.openprod") == after
    either.done("undo", "show.openprod")
    assert len(either.run("query", "show.openprod", "cues.cue", "--json").json["rows"]) == 4
    either.done("redo", "show.openprod")
    assert len(either.run("query", "show.openprod", "cues.cue", "--json").json["rows"]) == 5


def test_tokens(either: Laptop) -> None:
    made = either.run(
        "token", "create", "show.openprod", "--document", "cues", "--role", "viewer", "--label", "board", "--json"
    ).json
    assert (made["role"], made["document"], made["label"]) == ("viewer", "cues", "board")
    listed = either.run("token", "list", "show.openprod", "--json").json["tokens"]
    assert [one["id"] for one in listed] == [made["id"]]
    assert made["token"] not in either.done("token", "list", "show.openprod")
    either.done("token", "revoke", "show.openprod", made["id"])
    assert either.run("token", "list", "show.openprod", "--json").json["tokens"] == []
    plain = either.run("token", "create", "show.openprod")
    assert len(plain.out.split()) == 1
    assert "isn't shown again" in plain.err


def test_plugins(either: Laptop) -> None:
    found = either.run("plugin", "list", "show.openprod", "--json").json
    assert found["adopted"] == ["cues"]
    either.done("plugin", "adopt", "show.openprod", "script")
    assert either.run("plugin", "list", "show.openprod", "--json").json["adopted"] == ["cues", "script"]
    assert "adopted already" in either.done("plugin", "adopt", "show.openprod", "script")


def test_care(either: Laptop) -> None:
    assert either.run("doctor", "show.openprod", "--json").json["healthy"]
    assert "All is well." in either.done("doctor", "show.openprod")
    either.done("backup", "show.openprod", "copy")
    restored = either.run("restore", "copy", "again.openprod", "--json").json
    assert restored["name"] == "A Show"
    assert either.done("hash", "again.openprod") == either.done("hash", "show.openprod")
    refused = either.run("backup", "show.openprod", "copy")
    assert (refused.status, refused.err.split(":")[0]) == (1, "error[INPUT]")


def test_two_laptops_and_a_stick(either: Laptop, jordan: Laptop) -> None:
    """Both change the same field apart; the stick brings the conflict, a decision settles it on both."""
    cue = the_cue(either)
    stick = jordan.folder.parent
    jordan.edit("show.openprod", set_start(cue, "10:45"))
    (either.folder / "later.csv").write_text("List,Q,Start time\nLX,42,10:30\n")
    either.done("import", "show.openprod", "cues.csv", "later.csv", "--apply")

    either.done("have", "show.openprod", "-o", stick / "have")
    assert (
        jordan.run("pack", "show.openprod", "-o", stick / "pack", "--for", stick / "have", "--json").json["bundles"]
        == 1
    )
    before = either.done("hash", "show.openprod")
    plan = either.run("merge", "show.openprod", stick / "pack", "--json").json
    assert (plan["applied"], plan["bundles"]) == (False, 1)
    assert plan["authors"] == [{"author": "Jordan", "bundles": 1}]
    sentence = plan["conflicts"][0]["sentence"]
    assert sentence.startswith("Cue LX 42 start time: ")
    assert "Alex set 10:30" in sentence
    assert "Jordan set 10:45" in sentence
    assert sentence in either.done("merge", "show.openprod", stick / "pack")
    assert either.done("hash", "show.openprod") == before

    assert either.run("merge", "show.openprod", stick / "pack", "--apply", "--json").json["open_conflicts"] == 1
    again = either.done("merge", "show.openprod", stick / "pack", "--apply")
    assert again.splitlines() == ["There is nothing new in it.", "1 open conflict in all."]
    (conflict,) = either.run("conflicts", "show.openprod", "--json").json["conflicts"]
    theirs = next(one["version"] for one in conflict["candidates"] if one["value"] == "10:45")
    assert theirs in either.done("conflicts", "show.openprod")
    assert "decided 10:45" in either.done("resolve", "show.openprod", conflict["id"], "--choose", theirs)
    assert either.run("conflicts", "show.openprod").err == "No open conflicts.\n"
    narrowed = either.run("conflicts", "show.openprod", "--entity", the_cue(either))
    assert narrowed.err == "No open conflicts like that.\n"
    assert (
        either.run("resolve", "show.openprod", conflict["id"], "--reopen", "--json").json["conflict"]["status"]
        == "open"
    )
    # It shows none of the values to choose from, and says why.
    reopened = either.done("conflicts", "show.openprod")
    assert "shown now" not in reopened
    assert "every program shows what the decision said that was taken back" in reopened
    decided = either.run("resolve", "show.openprod", conflict["id"], "--value", '"11:15"', "--json").json
    assert decided["conflict"]["resolution"]["value"] == "11:15"

    either.done("pack", "show.openprod", "-o", stick / "all")
    jordan.done("merge", "show.openprod", stick / "all", "--apply")
    assert jordan.done("hash", "show.openprod") == either.done("hash", "show.openprod")
    assert (
        jordan.run("conflicts", "show.openprod", "--status", "all", "--json").json["conflicts"][0]["status"]
        == "resolved"
    )


def test_queries_explain_themselves_and_point_at_what_is_wrong(either: Laptop) -> None:
    explained = either.done("query", "show.openprod", "cues.cue where list = LX and number = 42", "--explain")
    assert "USING INDEX register_by_value" in explained
    assert ":p1 = " in explained
    as_json = either.run("query", "show.openprod", "cues.cue select count() group by list", "--explain", "--json").json
    assert set(as_json) == {"sql", "parameters", "steps", "indexes"}
    wrong = either.run("query", "show.openprod", "cues.cue where lst = LX")
    assert wrong.status == 1
    assert "At column 16. Did you mean list?" in wrong.err
    counted = either.run("query", "show.openprod", "cues.cue select count() group by list sort list", "--json").json
    assert (counted["columns"], counted["rows"]) == (["list", "count()"], [["LX", 3], ["SND", 1]])
    assert either.run("query", "show.openprod", "cues.cue as of yesterday", "--json").json["rows"] == []


def test_a_view_that_nobody_declares(either: Laptop) -> None:
    ended = either.run("view", "show.openprod", "cues.nothing")
    assert ended.status == 1
    assert "error[NOT_FOUND]" in ended.err


def test_commands_at_once_take_turns(alex: Laptop) -> None:
    """Each is a process of its own, and no node serves the workspace."""
    numbers = ("1", "42", "42.5")
    for number in numbers:
        (alex.folder / f"{number}.csv").write_text(f"List,Q,Label\nNEW,{number},At once\n")
    for process in [alex.start("import", "show.openprod", "cues.csv", f"{one}.csv", "--apply") for one in numbers]:
        out, err = process.communicate()
        assert process.wait() == 0, err
        assert "Imported as bundle" in out
    found = alex.run("query", "show.openprod", "cues.cue where label = “At once” select number", "--json").json
    assert sorted(row[1] for row in found["rows"]) == sorted(numbers)
