-- Fewer pages to write per commit: what was an index over every row is kept where something begins, or now and then.

-- Bundles of a log that follow each other also in order of arrival are a run; only its first is written down. A log's
-- bundles arrive in order.
CREATE TABLE run (
    number INTEGER PRIMARY KEY,          -- of the run's first bundle
    log TEXT NOT NULL, seq INTEGER NOT NULL,
    UNIQUE (log, seq)
);
INSERT INTO run SELECT number, log, seq FROM bundle b
    WHERE NOT EXISTS (SELECT 1 FROM bundle p WHERE p.number = b.number - 1 AND p.log = b.log AND p.seq = b.seq - 1);

-- The first 12 digits of ids, up to the bundle that meta 'ids_until' tells; the few that came after it are looked
-- through.
CREATE TABLE bundle_id (beginning TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (beginning, number))
    WITHOUT ROWID;
INSERT INTO bundle_id SELECT substr(id, 1, 12), number FROM bundle;
INSERT INTO meta SELECT 'ids_until', max(number) FROM bundle HAVING count(*);

CREATE TABLE bundle_without_indexes (
    number    INTEGER PRIMARY KEY,       -- order of arrival on this replica
    id        TEXT NOT NULL,
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
    signature BLOB NOT NULL
);
INSERT INTO bundle_without_indexes SELECT * FROM bundle ORDER BY number;
DROP TABLE bundle;
ALTER TABLE bundle_without_indexes RENAME TO bundle;

-- A register's versions are found from its winner and its leaves back to where it began, parent by parent. A leaf
-- stays here when something is written over it. Derived.
CREATE TABLE leaf (
    register INTEGER NOT NULL, client INTEGER NOT NULL, clock INTEGER NOT NULL,
    PRIMARY KEY (register, client, clock)
) WITHOUT ROWID;
INSERT INTO leaf
    SELECT register, client, clock FROM version
    EXCEPT SELECT register, parent_client, parent_clock FROM version
    EXCEPT SELECT id, client, clock FROM register;
DROP INDEX version_by_register;
