-- All values of a field stand together, by entity: a query reads them in one go. `id`, `root` + `key` and `entity` are
-- found through indexes, which are written when a register comes to be, never when its value changes.

CREATE TABLE register_together (
    root     TEXT NOT NULL,
    field    TEXT NOT NULL,
    entity   TEXT NOT NULL,
    id       INTEGER NOT NULL,
    value    TEXT,                       -- shown value as canonical JSON; NULL while the key is absent
    document TEXT NOT NULL,
    key      TEXT NOT NULL,
    client   INTEGER NOT NULL,           -- the winner, what every Yjs program shows
    clock    INTEGER NOT NULL,
    forked   INTEGER NOT NULL,           -- more than one leaf in the version tree
    sought   INTEGER NOT NULL,           -- looked up by value: unique fields, ends of edges
    PRIMARY KEY (root, field, entity, id)
) WITHOUT ROWID;
INSERT INTO register_together SELECT root, field, entity, id, value, document, key, client, clock, forked, sought
    FROM register ORDER BY root, field, entity, id;
DROP TABLE register;
ALTER TABLE register_together RENAME TO register;

CREATE UNIQUE INDEX register_by_id ON register (id);
CREATE UNIQUE INDEX register_by_key ON register (root, key, document);
CREATE INDEX register_by_value ON register (root, field, substr(value, 1, 40)) WHERE sought;
CREATE INDEX register_by_entity ON register (entity, root);
CREATE INDEX register_gone ON register (root, entity)
    WHERE entity <> '' AND field = '' AND (value IS NULL OR value = 'null');

CREATE TRIGGER field_without_marker AFTER INSERT ON register WHEN new.field <> '' AND new.entity <> ''
BEGIN
    INSERT OR IGNORE INTO unmarked SELECT new.root, new.entity WHERE NOT EXISTS
        (SELECT 1 FROM register WHERE root = new.root AND field = '' AND entity = new.entity AND entity <> '');
END;
CREATE TRIGGER marker_came AFTER INSERT ON register WHEN new.field = '' AND new.entity <> ''
BEGIN
    DELETE FROM unmarked WHERE root = new.root AND entity = new.entity;
END;
CREATE TRIGGER register_went AFTER DELETE ON register WHEN old.entity <> ''
BEGIN
    DELETE FROM unmarked WHERE root = old.root AND entity = old.entity;
END;
