-- Which entities stand for which, with chains and cycles followed. Derived.

CREATE TABLE redirect (entity TEXT PRIMARY KEY, survivor TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX redirect_by_survivor ON redirect (survivor);

CREATE TABLE bound (
    facet TEXT NOT NULL, entity TEXT NOT NULL, concept_entity TEXT NOT NULL,
    PRIMARY KEY (facet, entity)
) WITHOUT ROWID;
CREATE INDEX bound_by_concept_entity ON bound (concept_entity);
