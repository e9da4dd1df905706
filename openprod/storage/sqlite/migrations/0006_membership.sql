-- Who may do what: signed records, each after those that it builds on.
CREATE TABLE member_record (number INTEGER PRIMARY KEY, data BLOB NOT NULL);

-- Bundles that are kept and not applied, until somebody has looked at them. Derived from the bundles and the records.
CREATE TABLE held (bundle INTEGER PRIMARY KEY);
