//! A participant of either side.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use visavis_tests::headless::Headless;
use visavis_tests::shaper::Shaper;

use crate::clip::Clip;
use crate::luma::Luma;
use crate::ours::Ours;
use crate::theirs::Theirs;
use crate::timeline::Second;

/// Whose participants take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Ours,
    Chromium,
}

/// The pictures that a participant sends.
#[derive(Debug, Clone, Copy)]
pub enum Video<'a> {
    /// None.
    Off,
    /// A file.
    Clip(&'a Clip),
    /// The same with the time in each frame in place of its number.
    Timed(&'a Clip),
}

/// The sound that a participant sends and hears.
#[derive(Debug, Clone)]
pub enum Sound {
    /// None in either direction.
    Off,
    /// A file; what is received is decoded and mixed, and played nowhere.
    File(PathBuf),
    /// A microphone with echo, noise and level corrected, and a speaker: those of a
    /// sound card with this environment. Chromium's fake microphone plays the file, and
    /// without a display it plays nowhere.
    Devices {
        environment: Vec<(String, String)>,
        file: PathBuf,
    },
    /// The same devices on both sides, as a mouth or as an ear only.
    Mouth(Vec<(String, String)>),
    Ear(Vec<(String, String)>),
}

/// What a participant sends and how.
#[derive(Clone)]
pub struct Setup<'a> {
    pub video: Video<'a>,
    pub sound: Sound,
    pub codec: &'static str,
    /// The most that Chromium sends, in kbit/s. Ours has no such setting.
    pub cap: Option<u32>,
    /// The size in which ours shows the others.
    pub show: Option<&'a str>,
    /// The machine of a shaped network.
    pub machine: Option<(&'a Shaper, usize)>,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self {
            video: Video::Off,
            sound: Sound::Off,
            codec: "vp8",
            cap: None,
            show: None,
            machine: None,
        }
    }
}

/// A running participant.
pub enum Person {
    Ours(Box<Ours>),
    Theirs(Box<Theirs>),
}

impl Person {
    /// Starts a participant and waits until it is in the room; the first creates it.
    ///
    /// # Errors
    /// When it does not get there.
    pub async fn join(
        side: Side,
        server: &str,
        room: Option<&str>,
        setup: &Setup<'_>,
    ) -> Result<Self> {
        Ok(match side {
            Side::Ours => Self::Ours(Box::new(Ours::join(server, room, setup).await?)),
            Side::Chromium => Self::Theirs(Box::new(Theirs::join(server, room, setup).await?)),
        })
    }

    pub fn id(&self) -> &str {
        match self {
            Self::Ours(ours) => ours.headless.member(),
            Self::Theirs(theirs) => &theirs.id,
        }
    }

    pub fn room(&self) -> &str {
        match self {
            Self::Ours(ours) => ours.headless.room(),
            Self::Theirs(theirs) => &theirs.room,
        }
    }

    /// The process that everything of this participant descends from.
    ///
    /// # Errors
    /// When it has ended.
    pub fn pid(&self) -> Result<u32> {
        let pid = match self {
            Self::Ours(ours) => ours.headless.pid(),
            Self::Theirs(theirs) => theirs.chromium.process().pid(),
        };
        pid.context("a participant has ended")
    }

    /// Milliseconds to the first picture of another one: since the own join was sent or,
    /// if that was earlier, since the other's arrival was announced. `None` before it.
    ///
    /// # Errors
    /// When the participant does not answer.
    pub async fn first_picture(&mut self, of: &str) -> Result<Option<f64>> {
        match self {
            Self::Ours(ours) => Ok(ours.first_picture(of)),
            Self::Theirs(theirs) => theirs.first_picture(of).await,
        }
    }

    /// The figures since the last call, of each peer. `elapsed` is the time since the
    /// watch began.
    ///
    /// # Errors
    /// When the participant does not answer.
    pub async fn seconds(&mut self, elapsed: Duration) -> Result<Vec<(String, Second)>> {
        match self {
            Self::Ours(ours) => Ok(ours.seconds(elapsed)),
            Self::Theirs(theirs) => theirs.seconds(elapsed).await,
        }
    }

    /// The newest frame of a peer, as decoded; `None` if there is none yet.
    ///
    /// # Errors
    /// When the participant does not answer.
    pub async fn frame(&mut self, of: &str) -> Result<Option<Luma>> {
        match self {
            Self::Ours(ours) => ours.frame(of).await,
            Self::Theirs(theirs) => theirs.frame(of).await,
        }
    }

    /// Ours as a process, for what only it reports.
    pub fn into_headless(self) -> Option<Headless> {
        match self {
            Self::Ours(ours) => Some(ours.headless),
            Self::Theirs(_) => None,
        }
    }
}
