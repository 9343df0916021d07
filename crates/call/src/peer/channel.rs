//! The data channel: [`PeerMessage`]s between two Visavis clients.

use std::sync::Arc;

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
                if let Some(message) = parse(&message) {
                    events
                        .send(PeerConnectionEvent::Message(Box::new(message)))
                        .await;
                }
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

/// Queues a message, or drops it when the channel's send buffer is full.
pub(super) async fn send(channel: &dyn DataChannel, message: &PeerMessage) {
    if let Err(error) = channel.try_send_text(&message.to_json()).await {
        tracing::debug!(%error, "a message to a peer was dropped");
    }
}
