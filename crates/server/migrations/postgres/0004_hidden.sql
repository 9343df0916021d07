-- Whether a participant is hidden from the others: it counts in no list.

ALTER TABLE participants ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
