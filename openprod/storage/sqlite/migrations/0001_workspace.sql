-- A workspace: the oplog is the truth; everything marked derived can be rebuilt from it.
-- Tables WITHOUT ROWID name the columns of their key first, in its order: the integrity check of SQLite 3.40 takes
-- their other columns for NULL where they don't.

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE bundle (
    number    INTEGER PRIMARY KEY,       -- order of arrival on this replica
    id        TEXT NOT NULL UNIQUE,
    log       TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    hlc       TEXT NOT NULL,
    user      TEXT NOT NULL,
    name      TEXT NOT NULL,
    device    TEXT NOT NULL,
    via       TEXT NOT NULL,
    intent    TEXT NOT NULL,
    message   TEXT NOT NULL,
    undoes    TEXT NOT NULL,
    hash      BLOB NOT NULL,
    body      BLOB NOT NULL,
    signature BLOB NOT NULL,
    UNIQUE (log, seq)
);

CREATE TABLE dependency (                -- what a bundle's author had seen of other logs, when that advanced
    log TEXT NOT NULL, on_log TEXT NOT NULL, seq INTEGER NOT NULL, on_seq INTEGER NOT NULL,
    PRIMARY KEY (log, on_log, seq)
) WITHOUT ROWID;

CREATE TABLE snapshot (document TEXT PRIMARY KEY, number INTEGER NOT NULL, state BLOB NOT NULL);

CREATE TABLE token (
    id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, label TEXT NOT NULL, document TEXT NOT NULL, role TEXT NOT NULL,
    user TEXT NOT NULL, name TEXT NOT NULL, created TEXT NOT NULL, expires TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE quarantine (
    number INTEGER PRIMARY KEY, document TEXT NOT NULL, bytes BLOB NOT NULL, why TEXT NOT NULL, at TEXT NOT NULL
);

-- derived -------------------------------------------------------------------------------------------------

CREATE TABLE register (
    id       INTEGER PRIMARY KEY,
    document TEXT NOT NULL,
    root     TEXT NOT NULL,
    key      TEXT NOT NULL,
    entity   TEXT NOT NULL,
    field    TEXT NOT NULL,
    client   INTEGER NOT NULL,           -- the winner, what every Yjs program shows
    clock    INTEGER NOT NULL,
    forked   INTEGER NOT NULL,           -- more than one leaf in the version tree
    value    TEXT,                       -- shown value as canonical JSON; NULL while the key is absent
    sought   INTEGER NOT NULL,           -- looked up by value: unique fields, ends of edges
    UNIQUE (root, key, document)
);
CREATE INDEX register_by_value ON register (root, field, substr(value, 1, 40)) WHERE sought;
CREATE INDEX register_by_entity ON register (entity, root);

CREATE TABLE version (
    document      TEXT NOT NULL,
    client        INTEGER NOT NULL,
    clock         INTEGER NOT NULL,
    register      INTEGER NOT NULL,
    parent_client INTEGER,
    parent_clock  INTEGER,
    value         TEXT,                  -- NULL: not kept by the program that told us
    bundle        INTEGER NOT NULL,
    PRIMARY KEY (document, client, clock)
) WITHOUT ROWID;
CREATE INDEX version_by_register ON version (register);

CREATE TABLE clearing (
    document TEXT NOT NULL, client INTEGER NOT NULL, clock INTEGER NOT NULL, bundle INTEGER NOT NULL,
    register INTEGER NOT NULL,
    PRIMARY KEY (document, client, clock, bundle)
) WITHOUT ROWID;
CREATE INDEX clearing_by_register ON clearing (register);

CREATE TABLE span (
    document TEXT NOT NULL, client INTEGER NOT NULL, clock INTEGER NOT NULL, deleted INTEGER NOT NULL,
    bundle INTEGER NOT NULL, length INTEGER NOT NULL, root TEXT NOT NULL,
    PRIMARY KEY (document, client, clock, deleted, bundle)
) WITHOUT ROWID;
CREATE INDEX span_by_root ON span (document, root);

CREATE TABLE apart (
    document TEXT NOT NULL, root TEXT NOT NULL,
    first_client INTEGER NOT NULL, first_clock INTEGER NOT NULL, first_length INTEGER NOT NULL,
    second_client INTEGER NOT NULL, second_clock INTEGER NOT NULL, second_length INTEGER NOT NULL,
    PRIMARY KEY (document, root, first_client, first_clock, second_client, second_clock)
) WITHOUT ROWID;

CREATE TABLE resolution (
    document TEXT NOT NULL, client INTEGER NOT NULL, clock INTEGER NOT NULL, id TEXT NOT NULL,
    conflict TEXT NOT NULL, root TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, bundle INTEGER NOT NULL,
    PRIMARY KEY (document, client, clock)
) WITHOUT ROWID;
CREATE INDEX resolution_by_register ON resolution (root, key);
CREATE INDEX resolution_by_conflict ON resolution (conflict);

CREATE TABLE conflict (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, status TEXT NOT NULL, reopened INTEGER NOT NULL,
    entity TEXT NOT NULL, facet TEXT NOT NULL, field TEXT NOT NULL,
    document TEXT NOT NULL, register INTEGER, heads TEXT NOT NULL, subject TEXT NOT NULL, hlc TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX conflict_by_status ON conflict (status, id);
CREATE INDEX conflict_by_entity ON conflict (entity);
