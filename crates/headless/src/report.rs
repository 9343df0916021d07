//! The report: JSON lines, each flushed when written. `docs/statistics.md` describes
//! them.

mod delay;
mod tracks;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use visavis_call::{CandidatePair, PeerConnectionState, PeerStatistics, QualityView};
use visavis_media::video::{DelayHistogram, VideoSendStats};
use visavis_protocol::{TrackSource, WaitReason};

use self::delay::DelayByStage;
use self::tracks::{Inbound, Outbound};
use crate::process::usage;

/// One line of the report.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Line<'a> {
    Joined {
        room: &'a str,
        member: &'a str,
        ms: u64,
    },
    /// The join waits for a place or for a host.
    Waiting {
        position: u32,
        reason: WaitReason,
    },
    Peer {
        member: &'a str,
        state: PeerConnectionState,
    },
    NegotiationFailed {
        member: &'a str,
        reason: &'a str,
    },
    Muted {
        source: TrackSource,
        by: &'a str,
    },
    FirstFrame {
        member: &'a str,
        ms: u64,
    },
    /// A participant, the local one too, begins or ends to speak.
    Speaking {
        member: &'a str,
        speaking: bool,
    },
    Stats(Box<Stats<'a>>),
    Chat {
        member: &'a str,
        text: &'a str,
    },
    Error {
        code: &'a str,
    },
    /// The call ended; only the summary follows.
    Ended {
        reason: &'a str,
    },
    Summary(Summary<'a>),
}

/// The statistics of one peer. Counters start with the connection; rates and
/// delays cover the time since the previous line.
#[derive(Debug, Serialize)]
pub struct Stats<'a> {
    pub member: &'a str,
    pub sent_kbps: f64,
    pub received_kbps: f64,
    /// Encoded frames sent to this peer.
    pub frames_sent: u64,
    pub frames_decoded: u64,
    pub frames_dropped: u64,
    pub width: u32,
    pub height: u32,
    /// Frames of the screen that the peer shares.
    pub screen_frames_decoded: u64,
    /// Video and audio packets that were lost or arrived too late.
    pub lost: u64,
    /// Of the video where there is any, else of the audio, in milliseconds.
    pub jitter_ms: f32,
    pub round_trip_ms: Option<f32>,
    /// What the link to the peer carries, as estimated.
    pub available_kbps: f64,
    /// What the video to the peer is encoded at; 0 while its link is too narrow for video.
    pub video_target_kbps: f64,
    pub freezes: u64,
    pub freeze_ms: u64,
    pub concealed_samples: u64,
    pub silent_concealed_samples: u64,
    /// Samples played of this peer, silence too.
    pub total_samples_received: u64,
    pub delay_ms_p50: Option<u32>,
    pub delay_ms_p95: Option<u32>,
    pub delay_ms_max: Option<u32>,
    pub delay_ms_mean: Option<f64>,
    /// W3C `totalAudioEnergy` of the received audio.
    pub audio_energy: f64,
    pub delay_by_stage_ms: Option<DelayByStage>,
    pub screen_delay_by_stage_ms: Option<DelayByStage>,
    /// The peer's clock less ours.
    pub clock_offset_ms: Option<f64>,
    pub quality: Option<QualityView>,
    pub candidate_pair: Option<CandidatePair>,
    pub outbound: Outbound,
    pub inbound: Inbound,
}

#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    pub peers: Vec<Stats<'a>>,
    /// Frames captured while at least one encoder ran.
    pub frames_captured: u64,
    pub frames_encoded: u64,
    pub cpu_seconds: Option<f64>,
    pub peak_rss_bytes: Option<u64>,
}

/// Writes the lines, and keeps the last statistics of each member for the summary.
pub struct Report {
    out: Box<dyn Write + Send>,
    /// In the order of their first statistics.
    members: Vec<String>,
    last: HashMap<String, Previous>,
}

struct Previous {
    first_at: Instant,
    at: Instant,
    statistics: PeerStatistics,
}

impl Report {
    /// Opens a report to a file, or with `-` to standard output.
    pub fn open(path: &Path) -> io::Result<Self> {
        let out: Box<dyn Write + Send> = if path == Path::new("-") {
            Box::new(io::stdout())
        } else {
            Box::new(File::create(path)?)
        };
        Ok(Self {
            out,
            members: Vec::new(),
            last: HashMap::new(),
        })
    }

    /// Writes a line.
    ///
    /// # Errors
    /// When writing fails, which includes a closed pipe.
    pub fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.out.write_all(&text)?;
        self.out.flush()
    }

    /// Writes the statistics of one peer for the time since its previous line.
    pub fn stats(&mut self, now: Instant, statistics: PeerStatistics) -> io::Result<()> {
        let member = statistics.member.clone();
        // The counters of a new connection start at zero.
        let before = self
            .last
            .remove(&member)
            .filter(|previous| previous.statistics.bytes_sent <= statistics.bytes_sent);
        if !self.members.contains(&member) {
            self.members.push(member.clone());
        }
        let seconds = before.as_ref().map_or(1.0, |previous| {
            now.duration_since(previous.at).as_secs_f64().max(0.001)
        });
        let first_at = before.as_ref().map_or(now, |previous| previous.first_at);
        let line = line(
            &statistics,
            before.as_ref().map(|previous| &previous.statistics),
            seconds,
        );
        let written = self.line(&Line::Stats(Box::new(line)));
        self.last.insert(
            member,
            Previous {
                first_at,
                at: now,
                statistics,
            },
        );
        written
    }

    /// Writes the last line: the totals of each peer, those who left included, and of
    /// the process.
    pub fn summary(&mut self, sent: VideoSendStats) -> io::Result<()> {
        let last = std::mem::take(&mut self.last);
        let last_of_each = self.members.iter().filter_map(|member| last.get(member));
        let peers = last_of_each.map(|previous| {
            let seconds = previous
                .at
                .duration_since(previous.first_at)
                .as_secs_f64()
                .max(1.0);
            line(&previous.statistics, None, seconds)
        });
        let usage = usage();
        let summary = Summary {
            peers: peers.collect(),
            frames_captured: sent.frames_captured,
            frames_encoded: sent.frames_encoded,
            cpu_seconds: usage.map(|usage| usage.cpu_seconds),
            peak_rss_bytes: usage.map(|usage| usage.peak_rss_bytes),
        };
        self.line(&Line::Summary(summary))
    }
}

fn line<'a>(now: &'a PeerStatistics, before: Option<&PeerStatistics>, seconds: f64) -> Stats<'a> {
    let received = |statistics: &PeerStatistics| {
        statistics.video.bytes_received + statistics.audio.bytes_received
    };
    let rate = |now: u64, before: Option<u64>| {
        (now - before.unwrap_or(0).min(now)) as f64 * 8.0 / 1_000.0 / seconds
    };
    let delay: DelayHistogram = before.map_or_else(
        || now.video.delay.clone(),
        |before| now.video.delay.since(&before.video.delay),
    );
    let has_video = now.video.packets_received > 0;
    Stats {
        member: &now.member,
        sent_kbps: rate(now.bytes_sent, before.map(|before| before.bytes_sent)),
        received_kbps: rate(received(now), before.map(received)),
        frames_sent: now.frames_sent,
        frames_decoded: now.video.frames_decoded,
        frames_dropped: now.video.frames_dropped,
        width: now.video.width,
        height: now.video.height,
        screen_frames_decoded: now.screen.frames_decoded,
        lost: now.video.packets_lost + now.audio.packets_lost,
        jitter_ms: if has_video {
            now.video.jitter_ms
        } else {
            now.audio.jitter_ms
        },
        round_trip_ms: now.round_trip_ms,
        available_kbps: now.available_bits_per_second as f64 / 1_000.0,
        video_target_kbps: now.video_bits_per_second as f64 / 1_000.0,
        freezes: now.video.freezes,
        freeze_ms: now.video.freeze_ms,
        concealed_samples: now.audio.concealed_samples,
        silent_concealed_samples: now.audio.silent_concealed_samples,
        total_samples_received: now.audio.total_samples_played,
        delay_ms_p50: delay.percentile(0.5),
        delay_ms_p95: delay.percentile(0.95),
        delay_ms_max: delay.percentile(1.0),
        delay_ms_mean: delay.mean(),
        audio_energy: now.audio.total_energy,
        delay_by_stage_ms: DelayByStage::new(
            &now.video.stages,
            before.map(|before| &before.video.stages),
        ),
        screen_delay_by_stage_ms: DelayByStage::new(
            &now.screen.stages,
            before.map(|before| &before.screen.stages),
        ),
        clock_offset_ms: now.clock_offset_ms,
        quality: now.quality,
        candidate_pair: now.candidate_pair.clone(),
        outbound: Outbound::new(now),
        inbound: Inbound::new(now),
    }
}

#[cfg(test)]
mod tests;
