-- Who wrote and removed which runs of a text, and who worked apart there. Derived; rebuilt at the next opening.

DROP TABLE span;
DROP TABLE apart;

CREATE TABLE span (                      -- no two rows of one client and kind overlap
    document TEXT NOT NULL, client INTEGER NOT NULL, deleted INTEGER NOT NULL, clock INTEGER NOT NULL,
    length INTEGER NOT NULL, root TEXT NOT NULL, bundle INTEGER NOT NULL,
    PRIMARY KEY (document, client, deleted, clock)
) WITHOUT ROWID;
CREATE INDEX span_by_bundle ON span (document, root, bundle);

CREATE TABLE text_change (               -- a bundle that runs of a text are credited to
    document TEXT NOT NULL, root TEXT NOT NULL, log TEXT NOT NULL, seq INTEGER NOT NULL,
    bundle INTEGER NOT NULL, user TEXT NOT NULL,
    whole INTEGER NOT NULL,              -- it came as a whole state: what its author had seen is said there
    PRIMARY KEY (document, root, log, seq)
) WITHOUT ROWID;
CREATE INDEX text_change_whole ON text_change (document, root, log, seq) WHERE whole;

CREATE TABLE apart (                     -- those that another one, of another person, was made apart from
    document TEXT NOT NULL, root TEXT NOT NULL, log TEXT NOT NULL, seq INTEGER NOT NULL,
    bundle INTEGER NOT NULL, user TEXT NOT NULL, whole INTEGER NOT NULL,
    PRIMARY KEY (document, root, log, seq)
) WITHOUT ROWID;

-- What an author had seen only ever grows along a log: say it once, and find who first had seen something.
DELETE FROM dependency WHERE EXISTS (
    SELECT 1 FROM dependency earlier WHERE earlier.log = dependency.log AND earlier.on_log = dependency.on_log
    AND earlier.seq < dependency.seq AND earlier.on_seq >= dependency.on_seq
);
CREATE INDEX dependency_by_seen ON dependency (log, on_log, on_seq);

INSERT OR REPLACE INTO meta (name, value) SELECT 'derive', 'again' WHERE EXISTS (SELECT 1 FROM bundle);
