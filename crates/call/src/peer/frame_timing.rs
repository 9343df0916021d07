//! When a frame was captured, encoded and sent, in header extensions of its last packet:
//! `abs-capture-time` and `video-timing` of libwebrtc. An implementation that does not
//! know them does not negotiate them.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::rtp::header::Header;
use visavis_media::EncodedVideo;
use visavis_media::video::FrameTiming;

use super::clock::{PeerClock, micros_at};

/// `abs-capture-time`: the capture time as UQ32.32 seconds since 1900 (RFC 5905), on the
/// clock of `clock-pong` and of our sender reports.
pub(super) const CAPTURE_TIME_URI: &str =
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
/// `video-timing`: flags, then six times since the capture in milliseconds: start and end
/// of the encoding, end of the packetisation, exit from the pacer, two for servers.
pub(super) const VIDEO_TIMING_URI: &str =
    "http://www.webrtc.org/experiments/rtp-hdrext/video-timing";

/// Seconds from 1900 to 1970.
const NTP_UNIX: u64 = 2_208_988_800;
/// Flag of `video-timing`: sent at an interval, not for an unusual frame.
const BY_TIMER: u8 = 1;
const TIMING_BYTES: usize = 13;
/// Both extensions with their headers and padding. A larger packet might exceed the
/// MTU.
pub(super) const RESERVED_BYTES: usize = 28;
/// Frames older than this, or from the future by more than a second, were stamped by
/// another clock.
const MAX_AGE: Duration = Duration::from_secs(60);
const MAX_AHEAD: Duration = Duration::from_secs(1);

/// The negotiated identifiers of the two extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimingIds {
    pub(super) capture_time: u8,
    pub(super) video_timing: u8,
}

impl TimingIds {
    /// Finds the identifiers in a list of extensions: two different ones that fit the
    /// header of one byte (RFC 8285, section 4.2).
    pub(super) fn find(id_of: impl Fn(&str) -> Option<u8>) -> Option<Self> {
        let usable = |uri| id_of(uri).filter(|id| (1..=14).contains(id));
        let ids = Self {
            capture_time: usable(CAPTURE_TIME_URI)?,
            video_timing: usable(VIDEO_TIMING_URI)?,
        };
        (ids.capture_time != ids.video_timing).then_some(ids)
    }

    /// Writes when a frame was captured and encoded, and that its last packet is sent
    /// now.
    pub(super) fn write(&self, header: &mut Header, frame: &FrameTimes, now: Instant) {
        let capture = ntp_of(micros_at(frame.captured_at)).to_be_bytes();
        let since = |at: Instant| {
            let time = at.saturating_duration_since(frame.captured_at);
            let rounded = (time + Duration::from_micros(500)).as_millis();
            u16::try_from(rounded).unwrap_or(u16::MAX).to_be_bytes()
        };
        let (start, end, exit) = (
            since(frame.encode_started_at),
            since(frame.encoded_at),
            since(now),
        );
        let mut timing = Vec::with_capacity(TIMING_BYTES);
        timing.push(BY_TIMER);
        for time in [start, end, end, exit, [0; 2], [0; 2]] {
            timing.extend(time);
        }
        let capture = Bytes::copy_from_slice(&capture);
        // Without the one, the other says nothing; a failure leaves the frame untimed.
        let _ = header.set_extension(self.capture_time, capture);
        let _ = header.set_extension(self.video_timing, timing.into());
    }

    /// What the header says about its frame, on our clock. `None` where it says nothing,
    /// the offset of the peer's clock is not known, or the times are impossible.
    pub(super) fn read(
        &self,
        header: &Header,
        clock: &PeerClock,
        now: Instant,
    ) -> Option<FrameTiming> {
        let capture = header.get_extension(self.capture_time)?;
        let capture = u64::from_be_bytes(capture.get(..8)?.try_into().ok()?);
        let timing = header.get_extension(self.video_timing)?;
        let timing: &[u8; TIMING_BYTES] = timing.get(..)?.try_into().ok()?;
        let time = |number: usize| {
            let bytes = [timing[1 + 2 * number], timing[2 + 2 * number]];
            Duration::from_millis(u16::from_be_bytes(bytes).into())
        };
        let captured_at = clock.instant_of(micros_of(capture)?)?;
        let (encode_started, encoded, sent) = (time(0), time(1), time(3));
        let is_possible = encode_started <= encoded
            && encoded <= sent
            && now.saturating_duration_since(captured_at) < MAX_AGE
            && captured_at.saturating_duration_since(now) < MAX_AHEAD;
        is_possible.then_some(FrameTiming {
            captured_at,
            encode_started,
            encoded,
            sent,
        })
    }
}

/// The times of a frame that is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameTimes {
    captured_at: Instant,
    encode_started_at: Instant,
    encoded_at: Instant,
}

impl From<&EncodedVideo> for FrameTimes {
    fn from(frame: &EncodedVideo) -> Self {
        Self {
            captured_at: frame.captured_at,
            encode_started_at: frame.encode_started_at,
            encoded_at: frame.encoded_at,
        }
    }
}

/// Microseconds since 1970 as UQ32.32 seconds since 1900.
pub(super) fn ntp_of(micros: u64) -> u64 {
    let seconds = micros / 1_000_000 + NTP_UNIX;
    let fraction = ((micros % 1_000_000) << 32) / 1_000_000;
    seconds << 32 | fraction
}

fn micros_of(ntp: u64) -> Option<u64> {
    let seconds = (ntp >> 32).checked_sub(NTP_UNIX)?;
    // Rounded, so that what was written is read.
    let fraction = ((ntp & 0xFFFF_FFFF) * 1_000_000 + (1 << 31)) >> 32;
    Some(seconds * 1_000_000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: TimingIds = TimingIds {
        capture_time: 5,
        video_timing: 6,
    };

    /// A clock that shows what ours does.
    fn same_clock() -> PeerClock {
        let clock = PeerClock::default();
        let t0 = clock.ping().t0;
        let received_at = Instant::now();
        let t3 = micros_at(received_at);
        let middle = t0 + (t3 - t0) / 2;
        let pong = visavis_protocol::ClockPong {
            t0,
            t1: middle,
            t2: middle,
        };
        clock.answered(pong, received_at);
        clock
    }

    fn stamped(after_capture: [u64; 3]) -> (Header, Instant) {
        let captured_at = Instant::now();
        let [started, encoded, sent] =
            after_capture.map(|micros| captured_at + Duration::from_micros(micros));
        let frame = FrameTimes {
            captured_at,
            encode_started_at: started,
            encoded_at: encoded,
        };
        let mut header = Header {
            version: 2,
            ..Header::default()
        };
        IDS.write(&mut header, &frame, sent);
        (header, captured_at)
    }

    #[test]
    fn both_extensions_are_used_or_none() {
        let find = |capture_time: Option<u8>, video_timing: Option<u8>| {
            TimingIds::find(|uri| match uri {
                CAPTURE_TIME_URI => capture_time,
                VIDEO_TIMING_URI => video_timing,
                _ => None,
            })
        };
        assert_eq!(find(Some(5), Some(6)), Some(IDS));
        for (capture_time, video_timing) in [
            (None, Some(6)),
            (Some(5), None),
            (Some(5), Some(5)),
            (Some(0), Some(6)),
            (Some(5), Some(15)),
        ] {
            let found = find(capture_time, video_timing);
            assert_eq!(found, None, "{capture_time:?} {video_timing:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_in_whole_milliseconds() {
        let (header, captured_at) = stamped([1_400, 7_600, 30_000]);
        let now = Instant::now();
        let timing = IDS.read(&header, &same_clock(), now).unwrap();
        let ms = Duration::from_millis;
        let found = (timing.encode_started, timing.encoded, timing.sent);
        assert_eq!(found, (ms(1), ms(8), ms(30)));
        let error = timing.captured_at.max(captured_at) - timing.captured_at.min(captured_at);
        assert!(error < Duration::from_micros(200), "{error:?}");
    }

    #[test]
    fn the_capture_time_is_an_ntp_time() {
        assert_eq!(ntp_of(500_000), NTP_UNIX << 32 | 1 << 31);
        for micros in [0, 1, 999_999, 1_795_000_000_123_456] {
            assert_eq!(micros_of(ntp_of(micros)), Some(micros));
        }
        assert_eq!(micros_of(0), None);
    }

    #[test]
    fn times_that_are_missing_cut_or_impossible_are_not_read() {
        let now = Instant::now();
        let clock = same_clock();
        let (header, _) = stamped([1_000, 2_000, 3_000]);
        assert_eq!(
            IDS.read(&header, &PeerClock::default(), now),
            None,
            "no offset"
        );
        assert_eq!(IDS.read(&Header::default(), &clock, now), None);
        let with = |id: u8, bytes: &'static [u8]| {
            let mut header = header.clone();
            header.set_extension(id, Bytes::from_static(bytes)).unwrap();
            IDS.read(&header, &clock, now)
        };
        assert_eq!(with(5, &[1, 2, 3]), None);
        assert_eq!(with(5, &[0; 8]), None);
        assert_eq!(with(5, &[0xFF; 8]), None);
        assert_eq!(with(6, &[1; 12]), None);
        assert_eq!(with(6, &[1, 0, 9, 0, 3, 0, 3, 0, 9, 0, 0, 0, 0]), None);
        assert!(with(6, &[1, 0, 1, 0, 3, 0, 3, 0, 9, 0, 0, 0, 0]).is_some());
    }
}
