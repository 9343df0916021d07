//! A long call of four: memory, delay and descriptors stay as they were, and nothing is
//! left of those who leave.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::{Instant, sleep};
use visavis_tests::headless::{Headless, MEDIA_LIMIT, SMALL, see_each_other};
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

/// From the first frames to the first reading. Most buffers have their sizes after a
/// minute. The packets kept for retransmissions, 1,024 a track, and the queues of
/// webrtc-rs, which keep the capacity of their largest burst, take three.
const SHORT_WARM_UP: Duration = Duration::from_secs(60);
const WARM_UP: Duration = Duration::from_secs(180);
/// One reading is the smallest of this many seconds: what is always held.
const READING: u32 = 10;
/// Largest growth of memory, as a share. In the minute after the short warm-up it grows by
/// 2 to 3.5 %; in the seven minutes after the long one by 0.3 %.
const GROWTH_IN_A_MINUTE: f64 = 0.05;
const GROWTH_IN_AN_HOUR: f64 = 0.02;
/// Largest growth of the median delay, in milliseconds.
const DELAY_GROWTH: f64 = 10.0;

/// What a participant holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// Proportional set size, in KiB.
    memory: u64,
    threads: usize,
    descriptors: usize,
}

impl Held {
    fn by(one: &Headless) -> Result<Self> {
        let pid = one.pid().context("a participant ended")?;
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = pss.and_then(|line| line.split_whitespace().next());
        let entries = |folder| Ok::<_, std::io::Error>(fs::read_dir(folder)?.count());
        Ok(Self {
            memory: kib.context("no Pss")?.parse()?,
            threads: entries(format!("/proc/{pid}/task"))?,
            descriptors: entries(format!("/proc/{pid}/fd"))?,
        })
    }

    /// The smallest memory of some seconds, with the last counts.
    async fn reading(people: &[Headless]) -> Result<Vec<Self>> {
        let mut smallest: Vec<Self> = people.iter().map(Self::by).collect::<Result<_>>()?;
        for _ in 1..READING {
            sleep(Duration::from_secs(1)).await;
            for (held, one) in smallest.iter_mut().zip(people) {
                let now = Self::by(one)?;
                *held = Self {
                    memory: now.memory.min(held.memory),
                    ..now
                };
            }
        }
        Ok(smallest)
    }
}

/// The mean of the median delays of all directions in their last second.
fn delay(people: &[Headless]) -> Result<f64> {
    let mut delays = Vec::new();
    for one in people {
        for other in people.iter().filter(|other| other.member() != one.member()) {
            let stats = one.stats(other.member()).context("no statistics")?;
            delays.push(stats.delay_ms_p50.context("no delay")?);
        }
    }
    Ok(delays.iter().sum::<f64>() / delays.len() as f64)
}

async fn lasts(warm_up: Duration, time: Duration, largest_growth: f64) -> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let scene = ["--video", SMALL, "--audio", "tone:440"];
    let host = [&["--create", "endurance"], &scene[..]].concat();
    let host = Headless::join("anna", &server.url(), &host).await?;
    let alone = Held::by(&host)?;
    let room = host.room().to_owned();
    let guest = [&["--room", room.as_str()], &scene[..]].concat();
    let mut people = vec![host];
    for name in ["bert", "cleo", "dora"] {
        people.push(Headless::join(name, &server.url(), &guest).await?);
    }
    see_each_other(&people, 30).await?;
    sleep(warm_up).await;
    let (before, delay_before) = (Held::reading(&people).await?, delay(&people)?);
    let since = Instant::now();
    sleep(time).await;
    see_each_other(&people, 30).await?;
    let (after, delay_after) = (Held::reading(&people).await?, delay(&people)?);
    eprintln!(
        "after {:?}: delay {delay_before:.1} and {delay_after:.1} ms",
        since.elapsed()
    );
    for (before, after) in before.iter().zip(&after) {
        let growth = after.memory as f64 / before.memory as f64 - 1.0;
        eprintln!("{before:?} became {after:?}: {:.2} %", growth * 100.0);
        ensure!(
            growth < largest_growth,
            "memory grew by {:.1} %",
            growth * 100.0
        );
        ensure!(
            after.threads <= before.threads,
            "{before:?} became {after:?}"
        );
        ensure!(
            after.descriptors <= before.descriptors,
            "{before:?} became {after:?}"
        );
    }
    ensure!(
        delay_after < delay_before + DELAY_GROWTH,
        "the delay grew to {delay_after} ms"
    );

    let host = people.remove(0);
    for guest in people {
        guest.leave().await?;
    }
    let mut left = None;
    wait_until("nothing is left of the others", MEDIA_LIMIT, async || {
        let now = Held::by(&host)?;
        left = Some(now);
        let is_as_before = now.threads <= alone.threads && now.descriptors <= alone.descriptors;
        Ok(is_as_before.then_some(()))
    })
    .await
    .with_context(|| format!("{alone:?} before they came, {left:?} after they left"))?;
    host.leave().await?;
    server.stop().await
}

#[tokio::test]
async fn a_call_of_four_grows_by_nothing_in_two_minutes() -> Result<()> {
    lasts(SHORT_WARM_UP, Duration::from_secs(60), GROWTH_IN_A_MINUTE).await
}

#[tokio::test]
#[ignore = "long: a call of an hour"]
async fn a_call_of_four_grows_by_nothing_in_an_hour() -> Result<()> {
    lasts(WARM_UP, Duration::from_secs(3_600), GROWTH_IN_AN_HOUR).await
}
