-- Rows are documents (`doc`, JSON) with the columns that queries and
-- constraints need. Times are milliseconds since 1970, UTC; ids are text.

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE rooms (
    uid TEXT NOT NULL PRIMARY KEY,
    code VARCHAR(12) NOT NULL UNIQUE,
    ro TEXT NOT NULL UNIQUE,
    rtc_name TEXT NOT NULL UNIQUE,
    audience TEXT NOT NULL,
    host_id TEXT REFERENCES users (id),
    link TEXT,
    max_participants BIGINT NOT NULL DEFAULT 4,
    is_private BIGINT NOT NULL DEFAULT 0,
    is_active BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    due_at BIGINT,
    deleted_at BIGINT,
    doc TEXT NOT NULL
);
CREATE INDEX rooms_due ON rooms (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX rooms_link ON rooms (link) WHERE link IS NOT NULL;
-- A channel's sessions have a room each.
CREATE UNIQUE INDEX rooms_booked ON rooms (link)
    WHERE is_active = 1 AND substr(link, 1, 8) <> 'channel:';
CREATE INDEX rooms_listed ON rooms (created_at) WHERE is_private = 0 AND is_active = 1;
CREATE INDEX rooms_deleted ON rooms (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE incarnations (
    sid TEXT NOT NULL PRIMARY KEY,
    room TEXT NOT NULL REFERENCES rooms (uid) ON DELETE CASCADE,
    started_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX incarnations_room ON incarnations (room);

CREATE TABLE participants (
    sid TEXT NOT NULL PRIMARY KEY,
    room TEXT NOT NULL REFERENCES rooms (uid) ON DELETE CASCADE,
    client TEXT NOT NULL,
    node TEXT NOT NULL,
    joined_at BIGINT NOT NULL,
    left_at BIGINT,
    doc TEXT NOT NULL
);
CREATE INDEX participants_room ON participants (room, joined_at);
CREATE UNIQUE INDEX participants_present ON participants (room, client) WHERE left_at IS NULL;
CREATE INDEX participants_node ON participants (node) WHERE left_at IS NULL;

CREATE TABLE chat (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room TEXT NOT NULL REFERENCES rooms (uid) ON DELETE CASCADE,
    entry TEXT NOT NULL
);
CREATE INDEX chat_room ON chat (room, seq);

CREATE TABLE events (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    room TEXT,
    uri TEXT NOT NULL,
    label TEXT NOT NULL,
    payload TEXT NOT NULL
);
CREATE INDEX events_uri ON events (uri, seq);

-- A webhook's body, until its receiver has taken it.
CREATE TABLE deliveries (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event TEXT NOT NULL,
    room TEXT NOT NULL,
    url TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    next_at BIGINT NOT NULL
);
CREATE INDEX deliveries_next ON deliveries (next_at);
CREATE INDEX deliveries_room ON deliveries (url, room, seq);

CREATE TABLE rtcs (
    id TEXT NOT NULL PRIMARY KEY,
    room TEXT NOT NULL REFERENCES rooms (uid) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX rtcs_room ON rtcs (room, created_at);

CREATE TABLE channels (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    doc TEXT NOT NULL
);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    room TEXT NOT NULL,
    channel TEXT NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX sessions_room ON sessions (room, created_at);
CREATE INDEX sessions_channel ON sessions (channel, created_at);
CREATE UNIQUE INDEX sessions_active_room ON sessions (room)
    WHERE status NOT IN ('STOPPED', 'CANCELLED');
CREATE UNIQUE INDEX sessions_active_channel ON sessions (channel)
    WHERE status NOT IN ('STOPPED', 'CANCELLED');

-- What rooms are made for; the id is that of rooms.link.
CREATE TABLE bookings (
    id TEXT NOT NULL PRIMARY KEY,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    doc TEXT NOT NULL
);

-- The users' ids, and the identities that their tokens bear.
CREATE TABLE booked (
    who TEXT NOT NULL,
    booking TEXT NOT NULL REFERENCES bookings (id) ON DELETE CASCADE,
    PRIMARY KEY (who, booking)
);

-- Who does what only one node may do, and which nodes are alive.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    until BIGINT NOT NULL
);
