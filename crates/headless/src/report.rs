//! JSON lines, each flushed at once.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use visavis_call::{PeerConnectionState, PeerStatistics};
use visavis_media::video::{DelayHistogram, VideoSendStats};

use crate::process::usage;

/// One line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Line<'a> {
    Joined {
        room: &'a str,
        member: &'a str,
        ms: u64,
    },
    Peer {
        member: &'a str,
        state: PeerConnectionState,
    },
    FirstFrame {
        member: &'a str,
        ms: u64,
    },
    Stats(Stats<'a>),
    Chat {
        member: &'a str,
        text: &'a str,
    },
    Error {
        code: &'a str,
    },
    Summary(Summary<'a>),
}

/// The figures of one peer. Counts are since the connection's beginning, rates
/// and delays over the time since the line before.
#[derive(Debug, Serialize)]
pub struct Stats<'a> {
    pub member: &'a str,
    pub sent_kbps: f64,
    pub received_kbps: f64,
    /// Encoded pictures handed to this peer.
    pub frames_encoded: u64,
    pub frames_decoded: u64,
    pub frames_dropped: u64,
    pub width: u32,
    pub height: u32,
    /// Packets of picture and sound that did not come, or came too late.
    pub lost: u64,
    /// Of the pictures where there are any, else of the sound.
    pub jitter_ms: f32,
    pub round_trip_ms: Option<f32>,
    pub freezes: u64,
    pub freeze_ms: u64,
    pub concealed_samples: u64,
    pub delay_ms_p50: Option<u32>,
    pub delay_ms_p95: Option<u32>,
    /// W3C totalAudioEnergy of the received sound.
    pub audio_energy: f64,
}

#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    pub peers: Vec<Stats<'a>>,
    /// Pictures that the source gave while someone took them.
    pub frames_captured: u64,
    pub frames_encoded: u64,
    pub cpu_seconds: Option<f64>,
    pub peak_rss_bytes: Option<u64>,
}

/// Writes the lines, and keeps what the summary needs.
pub struct Report {
    out: Box<dyn Write + Send>,
    /// In the order of first sight.
    members: Vec<String>,
    last: HashMap<String, Seen>,
}

struct Seen {
    first_at: Instant,
    at: Instant,
    statistics: PeerStatistics,
}

impl Report {
    /// To a file, or with `-` to standard output.
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

    /// Writes a line. A reader that is gone is an error: nobody would know.
    pub fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.out.write_all(&text)?;
        self.out.flush()
    }

    /// Writes the line of one peer for the time since the one before.
    pub fn stats(&mut self, now: Instant, statistics: PeerStatistics) -> io::Result<()> {
        let member = statistics.member.clone();
        // A connection that was made anew counts from the beginning.
        let before = self
            .last
            .remove(&member)
            .filter(|seen| seen.statistics.bytes_sent <= statistics.bytes_sent);
        if !self.members.contains(&member) {
            self.members.push(member.clone());
        }
        let seconds = before.as_ref().map_or(1.0, |seen| {
            now.duration_since(seen.at).as_secs_f64().max(0.001)
        });
        let first_at = before.as_ref().map_or(now, |seen| seen.first_at);
        let line = line(
            &statistics,
            before.as_ref().map(|seen| &seen.statistics),
            seconds,
        );
        let written = self.line(&Line::Stats(line));
        self.last.insert(
            member,
            Seen {
                first_at,
                at: now,
                statistics,
            },
        );
        written
    }

    /// Writes the last line: totals of each peer, gone ones too, and of the process.
    pub fn summary(&mut self, sent: VideoSendStats) -> io::Result<()> {
        let last = std::mem::take(&mut self.last);
        let seen = self.members.iter().filter_map(|member| last.get(member));
        let peers = seen.map(|seen| {
            let seconds = seen.at.duration_since(seen.first_at).as_secs_f64().max(1.0);
            line(&seen.statistics, None, seconds)
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
    let pictures = now.video.packets_received > 0;
    Stats {
        member: &now.member,
        sent_kbps: rate(now.bytes_sent, before.map(|before| before.bytes_sent)),
        received_kbps: rate(received(now), before.map(received)),
        frames_encoded: now.frames_sent,
        frames_decoded: now.video.frames_decoded,
        frames_dropped: now.video.frames_dropped,
        width: now.video.width,
        height: now.video.height,
        lost: now.video.packets_lost + now.audio.packets_lost,
        jitter_ms: if pictures {
            now.video.jitter_ms
        } else {
            now.audio.jitter_ms
        },
        round_trip_ms: now.round_trip_ms,
        freezes: now.video.freezes,
        freeze_ms: now.video.freeze_ms,
        concealed_samples: now.audio.concealed_samples,
        delay_ms_p50: delay.percentile(0.5),
        delay_ms_p95: delay.percentile(0.95),
        audio_energy: now.audio.total_energy,
    }
}
