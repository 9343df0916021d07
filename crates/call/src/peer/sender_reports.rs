//! Sender reports of our streams (RFC 3550, section 6.4.1).
//!
//! The sender reports of webrtc-rs map an RTP timestamp to the time at which its packet
//! was sent. A frame of sound is sent at least 20 ms after it was captured and a video
//! frame after its encoding, so that a receiver would show both apart by the difference.
//! These map it to the time of capture.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rtc::interceptor::{AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::sender_report::SenderReport;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use super::clock::micros_at;
use super::frame_timing::ntp_of;
use crate::rtp::{RtpTime, Ssrc};

/// Interval of the reports of each stream.
const INTERVAL: Duration = Duration::from_secs(1);
/// From the first packet of a connection to its first report: lip sync needs one of each
/// stream.
const FIRST: Duration = Duration::from_millis(200);

/// The newest frame of one of our streams: its RTP timestamp, and when it was captured.
#[derive(Debug, Default)]
pub(super) struct CaptureTime(Mutex<Option<(RtpTime, Instant)>>);

impl CaptureTime {
    pub(super) fn note(&self, timestamp: RtpTime, captured_at: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((timestamp, captured_at));
    }

    /// The RTP timestamp of what is captured at `now`.
    fn at(&self, now: Instant, clock_rate: u32) -> Option<RtpTime> {
        let newest = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (timestamp, captured_at) = newest?;
        let since = now.saturating_duration_since(captured_at);
        let ticks = since.as_micros() * u128::from(clock_rate) / 1_000_000;
        Some(RtpTime(timestamp.0.wrapping_add(ticks as u32)))
    }
}

/// One of our streams.
pub(super) struct ReportedStream {
    /// Of its RTP timestamps, in hertz.
    pub(super) clock_rate: u32,
    pub(super) capture: Arc<CaptureTime>,
}

/// Writes the reports of all streams of a connection.
pub(super) struct SenderReportInterceptor {
    streams: HashMap<Ssrc, Stream>,
    next: Option<Instant>,
    incoming: VecDeque<TaggedPacket>,
    outgoing: VecDeque<TaggedPacket>,
}

struct Stream {
    stream: ReportedStream,
    packets: u32,
    octets: u32,
    /// Packets at the last report: a stream that sends nothing has no further ones.
    reported: u32,
}

impl SenderReportInterceptor {
    pub(super) fn new(streams: impl IntoIterator<Item = (Ssrc, ReportedStream)>) -> Self {
        let streams = streams.into_iter().map(|(ssrc, stream)| {
            let stream = Stream {
                stream,
                packets: 0,
                octets: 0,
                reported: 0,
            };
            (ssrc, stream)
        });
        Self {
            streams: streams.collect(),
            next: None,
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
        }
    }

    fn report(&mut self, now: Instant) {
        for (ssrc, stream) in &mut self.streams {
            if std::mem::replace(&mut stream.reported, stream.packets) == stream.packets {
                continue;
            }
            let Some(timestamp) = stream.stream.capture.at(now, stream.stream.clock_rate) else {
                continue;
            };
            let report = SenderReport {
                ssrc: ssrc.0,
                ntp_time: ntp_of(micros_at(now)),
                rtp_time: timestamp.0,
                packet_count: stream.packets,
                octet_count: stream.octets,
                ..Default::default()
            };
            self.outgoing.push_back(TaggedPacket {
                now,
                transport: Default::default(),
                message: AttributedPacket::new(Packet::Rtcp(vec![Box::new(report)])),
            });
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for SenderReportInterceptor {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.incoming.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.incoming.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(rtp) = &packet.message.packet
            && let Some(stream) = self.streams.get_mut(&Ssrc(rtp.header.ssrc))
        {
            stream.packets = stream.packets.wrapping_add(1);
            stream.octets = stream.octets.wrapping_add(rtp.payload.len() as u32);
            self.next.get_or_insert(packet.now + FIRST);
        }
        self.outgoing.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outgoing.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.next.is_some_and(|next| next <= now) {
            self.next = Some(now + INTERVAL);
            self.report(now);
        }
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.next
    }
}

impl Interceptor for SenderReportInterceptor {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}

    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}

    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rtc::rtp;

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const AUDIO: Ssrc = Ssrc(1);
    const VIDEO: Ssrc = Ssrc(2);

    fn interceptor() -> (SenderReportInterceptor, Arc<CaptureTime>, Arc<CaptureTime>) {
        let (audio, video) = (Arc::<CaptureTime>::default(), Arc::<CaptureTime>::default());
        let stream = |clock_rate, capture: &Arc<CaptureTime>| ReportedStream {
            clock_rate,
            capture: capture.clone(),
        };
        let interceptor = SenderReportInterceptor::new([
            (AUDIO, stream(48_000, &audio)),
            (VIDEO, stream(90_000, &video)),
        ]);
        (interceptor, audio, video)
    }

    fn send(interceptor: &mut SenderReportInterceptor, ssrc: Ssrc, now: Instant) {
        let header = rtp::header::Header {
            version: 2,
            ssrc: ssrc.0,
            ..Default::default()
        };
        let packet = rtp::Packet {
            header,
            payload: Bytes::from_static(&[0; 100]),
        };
        let packet = TaggedPacket {
            now,
            transport: Default::default(),
            message: AttributedPacket::new(Packet::Rtp(packet)),
        };
        interceptor.handle_write(packet).unwrap();
        assert!(interceptor.poll_write().is_some());
    }

    fn reports(interceptor: &mut SenderReportInterceptor, now: Instant) -> Vec<SenderReport> {
        interceptor.handle_timeout(now).unwrap();
        let packets = std::iter::from_fn(|| interceptor.poll_write());
        let mut reports: Vec<SenderReport> = packets
            .flat_map(|packet| match packet.message.packet {
                Packet::Rtcp(packets) => packets,
                _ => Vec::new(),
            })
            .filter_map(|packet| packet.as_any().downcast_ref().cloned())
            .collect();
        reports.sort_by_key(|report| report.ssrc);
        reports
    }

    #[test]
    fn a_report_maps_the_rtp_timestamp_to_the_time_of_capture_and_not_of_sending() {
        let (mut interceptor, audio, video) = interceptor();
        let start = Instant::now() + Duration::from_secs(5);
        // Sound is sent 25 ms after its capture, the video captured with it after 90.
        audio.note(RtpTime(u32::MAX), start);
        send(&mut interceptor, AUDIO, start + 25 * MS);
        video.note(RtpTime(7_000), start);
        send(&mut interceptor, VIDEO, start + 90 * MS);
        let found = reports(&mut interceptor, start + 500 * MS);
        let [audio, video] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(audio.ntp_time, video.ntp_time);
        assert_eq!(audio.rtp_time, u32::MAX.wrapping_add(24_000));
        assert_eq!(video.rtp_time, 7_000 + 45_000);
        assert_eq!((audio.packet_count, audio.octet_count), (1, 100));
    }

    #[test]
    fn reports_come_once_a_second_and_only_of_streams_that_send() {
        let (mut interceptor, audio, video) = interceptor();
        let start = Instant::now();
        assert_eq!(interceptor.poll_timeout(), None);
        for capture in [&audio, &video] {
            capture.note(RtpTime(0), start);
        }
        let mut count = 0;
        for step in 0..500 {
            let now = start + step * 20 * MS;
            send(&mut interceptor, AUDIO, now);
            let found = reports(&mut interceptor, now);
            assert!(found.iter().all(|report| report.ssrc == AUDIO.0));
            count += found.len();
        }
        assert_eq!(count, 10);
        assert_eq!(reports(&mut interceptor, start + 20 * INTERVAL).len(), 1);
        assert_eq!(reports(&mut interceptor, start + 22 * INTERVAL).len(), 0);
    }
}
