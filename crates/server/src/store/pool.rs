//! Connections to a database server. While it is down one caller at a time waits
//! for it; the others are told at once.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::any::AnyPoolOptions;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool};

use super::StoreError;

/// How long a caller waits for a connection before the database counts as down.
pub(super) const ACQUIRE_LIMIT: Duration = Duration::from_secs(3);
/// How long nobody asks a database that was just down.
const PAUSE: Duration = Duration::from_millis(500);
/// How many there are at most.
const CONNECTIONS: u32 = 16;

/// Where connections are lent; those that broke are replaced.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    pool: AnyPool,
    outage: Arc<Outage>,
}

impl Pool {
    /// Opens the first connection.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_LIMIT);
        Ok(Self {
            pool: options.connect_with(url.parse()?).await?,
            outage: Arc::default(),
        })
    }

    /// A connection, once there is one.
    pub async fn lend(&self) -> Result<PoolConnection<Any>, StoreError> {
        if !self.outage.may_ask(Instant::now()) {
            let why = io::Error::other("the database did not answer a moment ago");
            return Err(sqlx::Error::Io(why).into());
        }
        let lent = self.pool.acquire().await;
        match &lent {
            Ok(_) => self.outage.is_over(),
            // Where all are open they are busy, and the database is not down.
            Err(_) if self.pool.size() < CONNECTIONS => self.outage.goes_on(Instant::now()),
            Err(_) => {}
        }
        Ok(lent?)
    }
}

/// Since a caller waited in vain: when the next one may ask.
#[derive(Debug, Default)]
struct Outage(Mutex<Option<Instant>>);

impl Outage {
    fn may_ask(&self, now: Instant) -> bool {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *next {
            None => true,
            Some(at) if now < at => false,
            Some(_) => {
                // This one asks for all; it may give up without a word.
                *next = Some(now + ACQUIRE_LIMIT);
                true
            }
        }
    }

    fn goes_on(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now + PAUSE);
    }

    fn is_over(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_the_database_is_down_one_at_a_time_asks_it() {
        let (outage, start) = (Outage::default(), Instant::now());
        assert!(outage.may_ask(start));
        assert!(outage.may_ask(start));

        outage.goes_on(start);
        assert!(!outage.may_ask(start));
        assert!(outage.may_ask(start + PAUSE));
        assert!(!outage.may_ask(start + PAUSE), "another asks");
        assert!(
            outage.may_ask(start + PAUSE + ACQUIRE_LIMIT),
            "it was dropped"
        );

        outage.is_over();
        assert!(outage.may_ask(start));
    }
}
