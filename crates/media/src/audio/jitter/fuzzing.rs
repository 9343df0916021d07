//! Plays a fuzz script to a jitter buffer.

use super::{JitterBuffer, JitterStats, MAX_PACKETS, Outcome, Speed};
use crate::codec::opus::packet_samples;
use crate::fuzzing::{Packets, Step};

/// Checks after each step that what is held is bounded, that counts only grow, and
/// that packets of one stream are played in order.
pub(crate) fn fuzz(packets: &mut Packets<'_>) {
    let mut buffer = JitterBuffer::new();
    let mut before = JitterStats::default();
    let (mut last, mut played) = (None, 0);
    // The first and the newest packet of Opus.
    let mut ends: Option<(i64, i64)> = None;
    let mut concealed = buffer.concealed();
    while let Some(step) = packets.step() {
        match step {
            Step::Push(packet) => {
                if packet_samples(&packet.payload).is_some() {
                    let (first, newest) = ends.unwrap_or((packets.last, packets.last));
                    ends = Some((first, newest.max(packets.last)));
                }
                // Only Opus counts: for the buffer the step may be far.
                let follows_suspect = buffer.suspect == Some(packet.sequence);
                buffer.push(packet);
                packets.is_one_stream &= !follows_suspect || buffer.suspect.is_some();
            }
            Step::Read => match buffer.pull(packets.now) {
                Outcome::Packet(_) => {
                    let in_order = last.is_none_or(|last| buffer.next > last);
                    assert!(!packets.is_one_stream || in_order, "out of order");
                    last = Some(buffer.next);
                }
                Outcome::Recover { samples, .. }
                | Outcome::Conceal(samples)
                | Outcome::Noise(samples)
                | Outcome::Silence(samples) => {
                    played += samples as u64;
                    assert!(samples > 0 && samples.is_multiple_of(120));
                }
            },
            Step::Other(0) => buffer.pause(),
            Step::Other(how) => {
                if buffer.advise() != Speed::Normal {
                    buffer.note_stretched(if how & 1 == 0 { 240 } else { -240 });
                }
            }
        }
        let stats = buffer.stats();
        assert!(stats.received >= before.received && stats.bytes >= before.bytes);
        assert!(stats.lost >= before.lost);
        before = stats;
        let counts = buffer.concealed();
        assert!(counts.samples >= concealed.samples && counts.samples <= played);
        assert!(counts.silent_samples <= counts.samples);
        assert!(counts.events >= concealed.events && counts.events <= counts.samples);
        concealed = counts;
        let held: usize = buffer.packets.values().map(|held| held.samples).sum();
        assert!(buffer.packets.len() <= MAX_PACKETS && held == buffer.held_samples);
        if let Some((first, newest)) = ends.filter(|_| packets.is_one_stream) {
            assert!(
                stats.lost <= first.abs_diff(newest),
                "more lost than were sent"
            );
        }
    }
}
