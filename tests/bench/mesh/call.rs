//! A call of several participants of one side.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::time::sleep;
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;

use crate::clip::Clip;
use crate::person::{Person, Setup, Side};
use crate::timeline::Timeline;
use crate::usage;

/// From a join to the pictures of all others, on a loaded machine.
const PICTURE_LIMIT: Duration = Duration::from_secs(60);
/// How often the figures are read.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often a received frame is taken.
const FRAME_INTERVAL: Duration = Duration::from_millis(250);

/// The timelines of a call, by receiver and sender: indices of its people.
pub type Timelines = HashMap<(usize, usize), Timeline>;

/// A running call.
pub struct Call {
    server: RoomServer,
    pub people: Vec<Person>,
}

impl Call {
    /// Starts the participants one after the other.
    ///
    /// # Errors
    /// When one of them does not get into the room.
    pub async fn start(side: Side, server: RoomServer, setups: &[Setup<'_>]) -> Result<Self> {
        let mut people: Vec<Person> = Vec::new();
        for setup in setups {
            let room = people.first().map(|first| first.room().to_owned());
            people.push(Person::join(side, &server.url(), room.as_deref(), setup).await?);
        }
        Ok(Self { server, people })
    }

    /// Adds a participant.
    ///
    /// # Errors
    /// When it does not get into the room.
    pub async fn add(&mut self, side: Side, setup: &Setup<'_>) -> Result<()> {
        let room = self.people.first().map(|first| first.room().to_owned());
        let url = self.server.url();
        let person = Person::join(side, &url, room.as_deref(), setup).await?;
        self.people.push(person);
        Ok(())
    }

    /// Waits until everyone has seen everyone who sends; gives the times in
    /// milliseconds, by receiver and sender.
    ///
    /// # Errors
    /// When a picture does not come.
    pub async fn first_pictures(&mut self, senders: usize) -> Result<Vec<f64>> {
        let ids: Vec<String> = self.people.iter().map(|one| one.id().to_owned()).collect();
        let mut times = Vec::new();
        for (receiver, person) in self.people.iter_mut().enumerate() {
            for (_, id) in ids
                .iter()
                .take(senders)
                .enumerate()
                .filter(|(n, _)| *n != receiver)
            {
                let what = format!("{receiver} sees {id}");
                let time = wait_until(&what, PICTURE_LIMIT, async || {
                    person.first_picture(id).await
                });
                times.push(time.await?);
            }
        }
        Ok(times)
    }

    /// Reads the figures for this long.
    ///
    /// # Errors
    /// When a participant does not answer.
    pub async fn watch(&mut self, time: Duration) -> Result<Timelines> {
        let ids: Vec<String> = self.people.iter().map(|one| one.id().to_owned()).collect();
        let since = Instant::now();
        let mut timelines = Timelines::new();
        // The first reading only begins the first second.
        for person in &mut self.people {
            person.seconds(Duration::ZERO).await?;
        }
        let mut due = INTERVAL;
        while due <= time {
            sleep(due.saturating_sub(since.elapsed())).await;
            for (receiver, person) in self.people.iter_mut().enumerate() {
                for (id, second) in person.seconds(since.elapsed()).await? {
                    let Some(sender) = ids.iter().position(|known| *known == id) else {
                        continue;
                    };
                    let timeline = timelines.entry((receiver, sender)).or_default();
                    timeline.0.push(second);
                }
            }
            due += INTERVAL;
        }
        Ok(timelines)
    }

    /// CPU seconds of each participant so far.
    ///
    /// # Errors
    /// When one has ended.
    pub fn cpu_seconds(&self) -> Result<Vec<f64>> {
        let people = self.people.iter();
        people.map(|one| usage::cpu_seconds(one.pid()?)).collect()
    }

    /// Proportional set size of each participant in MiB.
    ///
    /// # Errors
    /// When one has ended.
    pub fn memory_mib(&self) -> Result<Vec<f64>> {
        let people = self.people.iter();
        people.map(|one| usage::memory_mib(one.pid()?)).collect()
    }

    /// PSNR of frames that arrive in this time: each participant's of the next one.
    ///
    /// # Errors
    /// When a participant does not answer, or no frame shows its number.
    pub async fn psnr(&mut self, clip: &Clip, time: Duration) -> Result<Vec<f64>> {
        let ids: Vec<String> = self.people.iter().map(|one| one.id().to_owned()).collect();
        let since = Instant::now();
        let mut found = Vec::new();
        while since.elapsed() < time {
            for (receiver, person) in self.people.iter_mut().enumerate() {
                let sender = &ids[(receiver + 1) % ids.len()];
                if let Some(frame) = person.frame(sender).await? {
                    found.extend(clip.psnr(&frame)?);
                }
            }
            sleep(FRAME_INTERVAL).await;
        }
        (!found.is_empty())
            .then_some(())
            .context("no received frame shows its number")?;
        Ok(found)
    }

    /// Ends it.
    ///
    /// # Errors
    /// When a process does not end well.
    pub async fn end(self) -> Result<()> {
        for person in self.people {
            if let Some(headless) = person.into_headless() {
                headless.leave().await?;
            }
        }
        self.server.stop().await
    }
}
