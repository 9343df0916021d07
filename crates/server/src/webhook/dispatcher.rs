//! Webhooks on their way: in order for each room, several rooms at a time, kept
//! until they are taken. Of the nodes that share a database one delivers.

mod attempts;
mod client;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rand::RngExt;
use tokio::sync::watch;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

pub(crate) use attempts::Attempts;
pub(crate) use client::{Answer, LIMIT, WebhookClient, http_client, reason};

use crate::clock::{Clock, Timestamp};
use crate::metrics::{Delivered, Metrics};
use crate::store::{Delivery, Store, StoreError};

/// Rooms that one receiver is told of at a time.
const AT_ONCE: usize = 16;
/// The first wait after a failure; each next one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// What is older is given up, by the service's clock.
const LIFE: Duration = Duration::from_secs(24 * 3_600);
/// Nodes that share a database look this often for what another one wrote; so
/// does one whose database is down.
const LOOK: Duration = Duration::from_secs(1);
/// Longer than a request may take: another node begins after the last has ended.
const LEASE: Duration = Duration::from_secs(15);
/// For clocks that run at different speeds.
const LEASE_MARGIN: Duration = Duration::from_secs(1);
/// A busy service writes more often than it is worth to look.
const PAUSE: Duration = Duration::from_millis(10);

/// A receiver and a room: whose queue it is.
type Queue = (String, String);

/// What deliveries need.
pub(crate) struct Context {
    pub store: Store,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    pub attempts: Arc<Attempts>,
    /// The id of this node.
    pub node: String,
    pub receivers: Vec<String>,
    pub cancel: CancellationToken,
}

/// Delivers as long as the server runs; `written` changes whenever the event log has
/// grown.
pub(crate) async fn run(
    context: Context,
    client: WebhookClient,
    mut written: watch::Receiver<u64>,
) {
    let context = Arc::new(context);
    let mut dispatcher = Dispatcher {
        client: Arc::new(client),
        busy: HashMap::new(),
        under_way: JoinSet::new(),
        lease: Arc::new(AtomicI64::new(i64::MAX)),
        context: Arc::clone(&context),
    };
    loop {
        let looked = Instant::now();
        let wait = dispatcher.start_due().await.unwrap_or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "due deliveries cannot be read");
            Some(LOOK)
        });
        let due = async {
            match wait {
                Some(wait) => sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = context.cancel.cancelled() => break,
            _ = written.changed() => {}
            Some(done) = dispatcher.under_way.join_next_with_id() => dispatcher.returned(done),
            () = due => {}
        }
        sleep_until(looked + PAUSE).await;
    }
    if context.store.is_shared() {
        // Another node need not wait until the lease expires.
        let _ = context.store.drop_lease("webhooks", &context.node).await;
    }
}

struct Dispatcher {
    context: Arc<Context>,
    client: Arc<WebhookClient>,
    busy: HashMap<task::Id, Queue>,
    under_way: JoinSet<()>,
    /// Until when nobody else delivers, in real time.
    lease: Arc<AtomicI64>,
}

impl Dispatcher {
    /// Sends out what is due; how long to wait for more.
    async fn start_due(&mut self) -> Result<Option<Duration>, StoreError> {
        let store = &self.context.store;
        let now = Clock::real();
        if store.is_shared() {
            // By this node's clock, whose reading precedes the database's.
            let until = now.after(LEASE - LEASE_MARGIN);
            if !store
                .take_lease("webhooks", &self.context.node, LEASE)
                .await?
            {
                return Ok(Some(LOOK));
            }
            self.lease.store(until.0, Ordering::Relaxed);
        }
        let mut found = Vec::new();
        for url in &self.context.receivers {
            let busy: HashSet<&str> = self.rooms_busy_at(url).collect();
            let free = AT_ONCE.saturating_sub(busy.len());
            if free == 0 {
                continue;
            }
            // Those under way are still in the queue.
            let most = i64::try_from(2 * AT_ONCE).unwrap_or(i64::MAX);
            let due = store.due_webhooks(url, now, most).await?;
            let new = due
                .into_iter()
                .filter(|new| !busy.contains(new.room.as_str()));
            found.extend(new.take(free));
        }
        for delivery in found {
            let queue = (delivery.url.clone(), delivery.room.clone());
            let (context, client) = (Arc::clone(&self.context), Arc::clone(&self.client));
            let lease = Arc::clone(&self.lease);
            let task = self.under_way.spawn(async move {
                tokio::select! {
                    () = context.cancel.cancelled() => {}
                    done = empty_queue(&context, &client, &lease, delivery) => {
                        if let Err(error) = done {
                            let error = &error as &dyn std::error::Error;
                            tracing::warn!(error, "cannot note what was delivered");
                        }
                    }
                }
            });
            self.busy.insert(task.id(), queue);
        }
        let next = store.next_webhook_due(now).await?;
        let next = next.map(|at| at.since(now));
        Ok(match next {
            Some(next) if store.is_shared() => Some(next.min(LOOK)),
            None if store.is_shared() => Some(LOOK),
            next => next,
        })
    }

    fn rooms_busy_at<'a>(&'a self, receiver: &'a str) -> impl Iterator<Item = &'a str> {
        let there = self.busy.values().filter(move |(url, _)| url == receiver);
        there.map(|(_, room)| room.as_str())
    }

    fn returned(&mut self, done: Result<(task::Id, ()), JoinError>) {
        let task = match done {
            Ok((task, ())) => task,
            Err(error) => {
                tracing::error!(%error, "a delivery failed");
                error.id()
            }
        };
        self.busy.remove(&task);
    }
}

/// Delivers what waits for one receiver about one room, up to the first failure,
/// and as long as no other node may do the same.
async fn empty_queue(
    context: &Context,
    client: &WebhookClient,
    lease: &AtomicI64,
    first: Delivery,
) -> Result<(), StoreError> {
    let mut next = Some(first);
    while let Some(delivery) = next {
        if Clock::real().after(LIMIT).0 > lease.load(Ordering::Relaxed) {
            return Ok(());
        }
        let now = context.clock.now();
        if now.since(delivery.created_at) >= LIFE {
            tracing::warn!(
                event = delivery.event,
                url = delivery.url,
                "a webhook is given up"
            );
            context.metrics.delivered(Delivered::GivenUp);
        } else {
            let answer = client.send(&delivery.url, &delivery.body, now).await;
            context.attempts.record(&delivery, &answer, now);
            if !answer.is_taken() {
                return failed(context, &delivery, &answer).await;
            }
            context.metrics.delivered(Delivered::Taken);
        }
        // What was taken is not sent again because the database is down.
        while let Err(error) = context.store.remove_webhook(delivery.seq).await {
            tracing::warn!(%error, "cannot note what was delivered");
            sleep(LOOK).await;
        }
        next = context
            .store
            .next_webhook(&delivery.url, &delivery.room)
            .await?;
    }
    Ok(())
}

async fn failed(context: &Context, delivery: &Delivery, answer: &Answer) -> Result<(), StoreError> {
    context.metrics.delivered(Delivered::Failed);
    let wait = wait_after(delivery.attempts, rand::rng().random());
    tracing::warn!(
        event = delivery.event,
        url = delivery.url,
        %answer,
        attempts = delivery.attempts + 1,
        ?wait,
        "a webhook was not taken"
    );
    let next_at: Timestamp = Clock::real().after(wait);
    context.store.delay_webhook(delivery, next_at).await
}

/// How long to wait after so many failures before this one; `chance` (0 to 1)
/// spreads the retries of many rooms by a fifth.
fn wait_after(failures: i64, chance: f64) -> Duration {
    let doublings = u32::try_from(failures).unwrap_or(u32::MAX).min(16);
    let wait = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
    wait.mul_f64(0.8 + 0.2 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_double_from_a_second_to_a_minute_and_are_spread() {
        let waits: Vec<u64> = (0..9)
            .map(|failures| wait_after(failures, 1.0).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(wait_after(0, 0.0), Duration::from_millis(800));
        assert_eq!(wait_after(i64::MAX, 1.0), LONGEST_WAIT);
        assert_eq!(wait_after(-1, 1.0), LONGEST_WAIT);
    }
}
