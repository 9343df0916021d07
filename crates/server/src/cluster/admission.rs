//! Places in a room, reserved before the row's transaction: whoever comes to a
//! full room costs the database nothing but a look.
//!
//! The set `members:{uid}` holds the sids of those inside, and an empty text so
//! that it is there while nobody is. One that is missing is made from the rows.

use std::sync::LazyLock;

use redis::Script;
use uuid::Uuid;

use super::Cluster;

/// The set lives on for as long as a cached room.
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

/// What Redis says to one who wants a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reserved {
    /// There was one.
    Yes,
    /// There was none; the rows have the last word.
    Full,
    /// Its counters are to be made from the rows first.
    Unknown,
    /// It does not answer: the rows alone decide.
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

    /// Makes a room's counters from its rows; `replace` = even if there are some.
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

    /// Gives a place back.
    pub async fn release(&self, room: Uuid, sid: &str) {
        let released = self
            .ask::<i64>(redis::cmd("SREM").arg(key(room)).arg(sid))
            .await;
        if released.is_err() {
            self.is_stale(&key(room));
        }
    }

    /// Forgets a room's counters.
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
