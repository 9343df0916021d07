-- The times that the retention of rows counts from, and the indexes to find rows by them.
-- A row whose document does not give the time counts from this migration. Documents are
-- matched at their end, which only the server writes: a cast to json fails for \u0000.

ALTER TABLE chat ADD COLUMN sent_at BIGINT;
UPDATE chat SET sent_at = COALESCE(
    (EXTRACT(EPOCH FROM substring(entry FROM
        '"sentAt":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z)"(?:,"to":"[^"]*")?\}$'
    )::timestamptz) * 1000)::bigint,
    (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint
);
-- The default is for nodes of an older version that still run.
ALTER TABLE chat ALTER COLUMN sent_at
    SET DEFAULT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint;
ALTER TABLE chat ALTER COLUMN sent_at SET NOT NULL;
CREATE INDEX chat_sent ON chat (sent_at);

CREATE INDEX events_at ON events (at);

-- When the room was closed or deleted.
ALTER TABLE rooms ADD COLUMN ended_at BIGINT;
UPDATE rooms SET ended_at = COALESCE(
    deleted_at,
    substring(doc FROM
        '"closed":\{"at":(-?[0-9]{1,18}),"reason":"[a-z_]+"\},"deletedAt":null,"version":[0-9]+\}$'
    )::bigint,
    (SELECT MAX(i.ended_at) FROM room_instances i WHERE i.room = rooms.uid),
    (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint
) WHERE is_active = 0;
CREATE INDEX rooms_ended ON rooms (ended_at, uid) WHERE ended_at IS NOT NULL;
-- Deleted rooms are found by `ended_at` now.
DROP INDEX rooms_deleted;

CREATE INDEX room_instances_ended ON room_instances (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX participants_left ON participants (left_at) WHERE left_at IS NOT NULL;

-- The egress of a session: a recording may exist.
ALTER TABLE sessions ADD COLUMN egress TEXT;
UPDATE sessions SET egress = substring(doc FROM '"egress":"([^"]*)"');
