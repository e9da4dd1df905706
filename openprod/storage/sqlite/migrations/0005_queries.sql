-- For queries. Both indexes are written when a register comes to be or a thing goes, never when a value changes.

CREATE INDEX register_by_field ON register (root, field, entity) WHERE entity <> '';
CREATE INDEX register_gone ON register (root, entity)
    WHERE entity <> '' AND field = '' AND (value IS NULL OR value = 'null');

-- Entities that have a field of a facet (or a property of an edge) and no marker, as outside programs may leave them.
-- Derived; kept by the triggers.
CREATE TABLE unmarked (root TEXT NOT NULL, entity TEXT NOT NULL, PRIMARY KEY (root, entity)) WITHOUT ROWID;

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

INSERT INTO unmarked SELECT DISTINCT r.root, r.entity FROM register r WHERE r.field <> '' AND r.entity <> ''
    AND NOT EXISTS (SELECT 1 FROM register m WHERE m.root = r.root AND m.field = '' AND m.entity = r.entity
        AND m.entity <> '');
