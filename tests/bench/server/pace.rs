//! Actions at a fixed rate, however long the server takes to answer.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::time::{MissedTickBehavior, interval};

/// Calls `act` `count` times, `per_second` times a second; `check` ends it early.
///
/// # Errors
/// The first of `act` and `check`.
pub async fn at_rate(
    per_second: f64,
    count: usize,
    check: impl Fn() -> Result<()>,
    mut act: impl FnMut(usize) -> Result<()>,
) -> Result<()> {
    let mut ticks = interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let started = Instant::now();
    let mut done = 0;
    while done < count {
        ticks.tick().await;
        check()?;
        let due = started.elapsed().as_secs_f64() * per_second;
        while done < count && (done as f64) < due {
            act(done)?;
            done += 1;
        }
    }
    Ok(())
}
