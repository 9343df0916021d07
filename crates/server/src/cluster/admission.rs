//! Places in a room, reserved in Redis before the row's transaction: a join of a
//! full room asks the database nothing.
//!
//! The set `members:{uid}` holds the sids of the present participants, and an empty
//! string so that it exists while the room is empty. `code:{uid}` is the room's code,
//! under which the cached room (`room:CODE`) has its limit. What is missing is built
//! again from the rows.

use std::sync::LazyLock;

use redis::Script;
use uuid::Uuid;

use super::Cluster;

/// The keys expire with the cached room.
const TTL_SECONDS: u32 = 86_400;
/// How often a full set is compared with the rows: a place whose release was lost
/// becomes free after this. Longer than a statement may take, so that a database that
/// does not answer holds up few of the refused.
const RECHECK_MS: u32 = 5_000;

/// KEYS: the set, the code, the mark of a recent check; ARGV: sid, TTL in seconds, time
/// between two checks in milliseconds. See [`Reserved`] for what is returned.
static RESERVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local code = redis.call('GET', KEYS[2])
        if not code or redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
        local is_room, room = pcall(cjson.decode, redis.call('GET', 'room:' .. code) or '')
        if not is_room then return -2 end
        local most = tonumber(room.maxParticipants) or 0
        if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then
            if most > 0 and redis.call('SCARD', KEYS[1]) - 1 >= most then
                if redis.call('SET', KEYS[3], '', 'NX', 'PX', ARGV[3]) then return 2 end
                return 0
            end
            redis.call('SADD', KEYS[1], ARGV[1])
        end
        redis.call('EXPIRE', KEYS[1], ARGV[2])
        redis.call('EXPIRE', KEYS[2], ARGV[2])
        return 1",
    )
});

/// KEYS: the set, the code; ARGV: TTL, whether to replace the set ('1'), the room's
/// code, the sids.
static REBUILD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[1])
        if ARGV[2] == '1' then redis.call('DEL', KEYS[1]) end
        if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
        redis.call('SADD', KEYS[1], '')
        for index = 4, #ARGV do redis.call('SADD', KEYS[1], ARGV[index]) end
        redis.call('EXPIRE', KEYS[1], ARGV[1])
        return 1",
    )
});

/// The outcome of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reserved {
    /// A place is reserved.
    Yes,
    /// No place is free.
    Full,
    /// No place is free, and the set was not compared with the rows recently.
    FullUnchecked,
    /// The set must be built from the rows first.
    NoSet,
    /// The room must be cached first.
    NoRoom,
    /// Redis does not answer: the transaction alone decides.
    Down,
}

impl Cluster {
    /// Reserves a place.
    pub async fn reserve(&self, room: Uuid, sid: &str) -> Reserved {
        let mut call = RESERVE.prepare_invoke();
        call.key(key(room)).key(code_key(room)).key(check_key(room));
        call.arg(sid).arg(TTL_SECONDS).arg(RECHECK_MS);
        match self.invoke::<i64>(&call).await {
            Ok(1) => Reserved::Yes,
            Ok(0) => Reserved::Full,
            Ok(2) => Reserved::FullUnchecked,
            Ok(-2) => Reserved::NoRoom,
            Ok(_) => Reserved::NoSet,
            Err(_) => {
                self.is_stale(&key(room));
                Reserved::Down
            }
        }
    }

    /// Builds a room's set from its rows; `replace` = even if there is one.
    pub async fn rebuild(&self, room: Uuid, code: &str, sids: &[String], replace: bool) {
        let mut call = REBUILD.prepare_invoke();
        call.key(key(room)).key(code_key(room));
        call.arg(TTL_SECONDS)
            .arg(u8::from(replace))
            .arg(code)
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

fn code_key(room: Uuid) -> String {
    format!("code:{{{room}}}")
}

fn check_key(room: Uuid) -> String {
    format!("full:{{{room}}}")
}
