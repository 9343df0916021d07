//! Places in a room, reserved in Redis before the row's transaction: a join of a
//! full room starts no transaction.
//!
//! The set `members:{uid}` holds the sids of the present participants, and an empty
//! string so that it exists while the room is empty. A missing set is rebuilt from
//! the rows.

use std::sync::LazyLock;

use redis::Script;
use uuid::Uuid;

use super::Cluster;

/// The set expires with the cached room.
const TTL_SECONDS: u32 = 86_400;

/// KEYS[1] the set; ARGV: sid, the most (0 = any), TTL.
/// 1 = reserved, 0 = full, -1 = the set is not there.
static RESERVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
        local most = tonumber(ARGV[2])
        if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then
            if most > 0 and redis.call('SCARD', KEYS[1]) - 1 >= most then return 0 end
            redis.call('SADD', KEYS[1], ARGV[1])
        end
        redis.call('EXPIRE', KEYS[1], ARGV[3])
        return 1",
    )
});

/// KEYS[1] the set; ARGV: TTL, whether to replace it ('1'), the sids.
static REBUILD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if ARGV[2] == '1' then redis.call('DEL', KEYS[1]) end
        if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
        redis.call('SADD', KEYS[1], '')
        for index = 3, #ARGV do redis.call('SADD', KEYS[1], ARGV[index]) end
        redis.call('EXPIRE', KEYS[1], ARGV[1])
        return 1",
    )
});

/// The outcome of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reserved {
    /// A place is reserved.
    Yes,
    /// No place is free in Redis; the database is authoritative.
    Full,
    /// The set must be rebuilt from the rows first.
    Unknown,
    /// Redis does not answer: the transaction alone decides.
    Down,
}

impl Cluster {
    /// Reserves a place.
    pub async fn reserve(&self, room: Uuid, sid: &str, most: u32) -> Reserved {
        let mut call = RESERVE.prepare_invoke();
        call.key(key(room)).arg(sid).arg(most).arg(TTL_SECONDS);
        match self.invoke::<i64>(&call).await {
            Ok(1) => Reserved::Yes,
            Ok(0) => Reserved::Full,
            Ok(_) => Reserved::Unknown,
            Err(_) => {
                self.is_stale(&key(room));
                Reserved::Down
            }
        }
    }

    /// Builds a room's set from its rows; `replace` = even if there is one.
    pub async fn rebuild(&self, room: Uuid, sids: &[String], replace: bool) {
        let mut call = REBUILD.prepare_invoke();
        call.key(key(room))
            .arg(TTL_SECONDS)
            .arg(u8::from(replace))
            .arg(sids);
        if self.invoke::<i64>(&call).await.is_err() {
            self.is_stale(&key(room));
        }
    }

    /// Releases a place.
    pub async fn release(&self, room: Uuid, sid: &str) {
        let released = self
            .ask::<i64>(redis::cmd("SREM").arg(key(room)).arg(sid))
            .await;
        if released.is_err() {
            self.is_stale(&key(room));
        }
    }

    /// Deletes a room's set.
    pub async fn forget(&self, room: Uuid) {
        let forgotten = self.ask::<i64>(redis::cmd("DEL").arg(key(room))).await;
        if forgotten.is_err() {
            self.is_stale(&key(room));
        }
    }
}

fn key(room: Uuid) -> String {
    format!("members:{{{room}}}")
}
