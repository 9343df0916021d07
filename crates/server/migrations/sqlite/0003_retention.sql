-- The times that the retention of rows counts from, and the indexes to find rows by them.
-- A row whose document does not give the time counts from this migration.

ALTER TABLE chat ADD COLUMN sent_at BIGINT NOT NULL DEFAULT 0;
UPDATE chat SET sent_at = COALESCE(
    CASE WHEN json_valid(entry) THEN CAST(ROUND(
        (julianday(json_extract(entry, '$.sentAt')) - 2440587.5) * 86400000.0
    ) AS INTEGER) END,
    CAST(strftime('%s', 'now') AS INTEGER) * 1000
);
CREATE INDEX chat_sent ON chat (sent_at);

CREATE INDEX events_at ON events (at);

-- When the room was closed or deleted.
ALTER TABLE rooms ADD COLUMN ended_at BIGINT;
UPDATE rooms SET ended_at = COALESCE(
    deleted_at,
    CASE WHEN json_valid(doc) THEN CAST(json_extract(doc, '$.closed.at') AS INTEGER) END,
    (SELECT MAX(i.ended_at) FROM room_instances i WHERE i.room = rooms.uid),
    CAST(strftime('%s', 'now') AS INTEGER) * 1000
) WHERE is_active = 0;
CREATE INDEX rooms_ended ON rooms (ended_at, uid) WHERE ended_at IS NOT NULL;
-- Deleted rooms are found by `ended_at` now.
DROP INDEX rooms_deleted;

CREATE INDEX room_instances_ended ON room_instances (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX participants_left ON participants (left_at) WHERE left_at IS NOT NULL;

-- The egress of a session: a recording may exist.
ALTER TABLE sessions ADD COLUMN egress TEXT;
UPDATE sessions SET egress = json_extract(doc, '$.egress') WHERE json_valid(doc);
