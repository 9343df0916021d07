//! The data channel: [`PeerMessage`]s between two Visavis clients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::data_channel::RTCDataChannelInit;
use visavis_protocol::{PEER_CHANNEL_LABEL, PeerMessage};
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelMessage};
use webrtc::peer_connection::PeerConnection;

use super::event::{PeerConnectionEvent, PeerConnectionEventSender};

/// Creates the channel, ordered and reliable (RFC 8832).
pub(super) async fn create(
    connection: &dyn PeerConnection,
) -> Result<Arc<dyn DataChannel>, rtc::shared::error::Error> {
    let init = RTCDataChannelInit {
        ordered: true,
        ..Default::default()
    };
    connection
        .create_data_channel(PEER_CHANNEL_LABEL, Some(init))
        .await
}

/// Reads a channel until it closes. Messages of a channel with another label
/// are read and dropped, since webrtc-rs buffers unread ones.
pub(super) async fn read(channel: Arc<dyn DataChannel>, events: PeerConnectionEventSender) {
    let is_ours = channel
        .label()
        .await
        .is_ok_and(|label| label == PEER_CHANNEL_LABEL);
    while let Some(event) = channel.poll().await {
        match event {
            DataChannelEvent::OnOpen if is_ours => {
                events
                    .send(PeerConnectionEvent::DataChannelOpen(channel.clone()))
                    .await;
            }
            DataChannelEvent::OnMessage(message) if is_ours => {
                let arrived_at = Instant::now();
                let event = match parse(&message) {
                    Some(PeerMessage::ClockPing(ping)) => {
                        PeerConnectionEvent::ClockPing(ping, arrived_at)
                    }
                    Some(PeerMessage::ClockPong(pong)) => {
                        PeerConnectionEvent::ClockPong(pong, arrived_at)
                    }
                    Some(message) => PeerConnectionEvent::Message(Box::new(message)),
                    None => continue,
                };
                events.send(event).await;
            }
            DataChannelEvent::OnClose => break,
            _ => {}
        }
    }
    events
        .send(PeerConnectionEvent::DataChannelClosed(channel))
        .await;
}

/// Parses a message. [`PeerMessage::parse`] enforces
/// [`MAX_PEER_MESSAGE_BYTES`](visavis_protocol::limits::MAX_PEER_MESSAGE_BYTES) and
/// the other bounds; invalid messages are ignored.
fn parse(message: &RTCDataChannelMessage) -> Option<PeerMessage> {
    let text = std::str::from_utf8(&message.data).ok()?;
    PeerMessage::parse(text)
        .inspect_err(|error| tracing::debug!(%error, "an invalid message of a peer is ignored"))
        .ok()
}

/// Time without an acknowledgement, on a connected link, after which the channel
/// counts as stalled. SCTP in webrtc-rs stops to retransmit after six timeouts, also
/// when ICE finds another way later: the channel then delivers nothing more.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// The open channel on which messages are sent.
pub(super) struct OpenChannel {
    pub(super) channel: Arc<dyn DataChannel>,
    progress: Progress,
}

impl OpenChannel {
    pub(super) fn new(channel: Arc<dyn DataChannel>) -> Self {
        Self {
            channel,
            progress: Progress::default(),
        }
    }

    /// Queues a message, or drops it when the channel's send buffer is full.
    pub(super) async fn send(&mut self, message: &PeerMessage) {
        let text = message.to_json();
        match self.channel.try_send_text(&text).await {
            Ok(()) => self.progress.sent += text.len() as u64,
            Err(error) => tracing::debug!(%error, "a message to a peer was dropped"),
        }
    }

    /// Whether messages are not acknowledged, at the last [`update`](Self::update).
    pub(super) fn is_stalled(&self) -> bool {
        self.progress.is_stalled
    }

    /// Returns a change of whether the channel is stalled.
    pub(super) async fn update(&mut self, is_connected: bool, now: Instant) -> Option<bool> {
        let outstanding = self.channel.outstanding_bytes().await.ok()?;
        self.progress.update(outstanding as u64, is_connected, now)
    }
}

/// Tells whether messages are acknowledged.
#[derive(Debug, Default)]
struct Progress {
    sent: u64,
    acknowledged: u64,
    /// Since when the link is connected and outstanding bytes are not acknowledged.
    waiting_since: Option<Instant>,
    is_stalled: bool,
}

impl Progress {
    fn update(&mut self, outstanding: u64, is_connected: bool, now: Instant) -> Option<bool> {
        let acknowledged = self.sent.saturating_sub(outstanding);
        let progresses = acknowledged != self.acknowledged;
        self.acknowledged = acknowledged;
        if outstanding == 0 || progresses || !is_connected {
            self.waiting_since = None;
        }
        // Bytes may be outstanding for a short time at every look.
        let since =
            (outstanding > 0 && is_connected).then(|| *self.waiting_since.get_or_insert(now));
        let is_stalled = match since {
            Some(since) => now.duration_since(since) >= STALL_TIMEOUT,
            // A stalled channel stays so until it delivers.
            None => self.is_stalled && outstanding > 0 && !progresses,
        };
        let changed = is_stalled != self.is_stalled;
        self.is_stalled = is_stalled;
        changed.then_some(is_stalled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_stalled_when_nothing_is_acknowledged_and_no_more_once_it_delivers() {
        let start = Instant::now();
        let mut progress = Progress {
            sent: 300,
            ..Progress::default()
        };
        let mut at = |outstanding, is_connected, seconds| {
            let now = start + Duration::from_secs(seconds);
            progress.update(outstanding, is_connected, now)
        };
        // A cut is for ICE to find.
        for second in 0..20 {
            assert_eq!(at(300, false, second), None);
        }
        assert_eq!(at(300, true, 20), None);
        assert_eq!(at(300, true, 24), None);
        assert_eq!(at(300, true, 25), Some(true));
        assert_eq!(at(300, true, 26), None);
        // Another cut does not mend it.
        assert_eq!(at(300, false, 27), None);
        assert_eq!(at(100, true, 28), Some(false));
        assert_eq!(at(0, true, 29), None);
    }

    #[test]
    fn a_channel_that_always_has_unacknowledged_bytes_and_delivers_is_not_stalled() {
        let start = Instant::now();
        let mut progress = Progress::default();
        for second in 0..60 {
            progress.sent += 100;
            let now = start + Duration::from_secs(second);
            assert_eq!(progress.update(100, true, now), None);
        }
    }
}
