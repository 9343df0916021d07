//! The data channel: messages between two of ours.

use std::sync::Arc;

use rtc::data_channel::RTCDataChannelInit;
use visavis_protocol::limits::MAX_MESSAGE_BYTES;
use visavis_protocol::{PEER_CHANNEL_LABEL, PeerMessage};
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelMessage};
use webrtc::peer_connection::PeerConnection;

use super::signal::{Signal, Signals};

/// Creates our channel: ordered and reliable.
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

/// Reads a channel until it closes. One with another label is read too, and
/// what it brings dropped: unread, it would be kept.
pub(super) async fn read(channel: Arc<dyn DataChannel>, signals: Signals) {
    let is_ours = channel
        .label()
        .await
        .is_ok_and(|label| label == PEER_CHANNEL_LABEL);
    while let Some(event) = channel.poll().await {
        match event {
            DataChannelEvent::OnOpen if is_ours => {
                signals
                    .send_patiently(Signal::ChannelOpen(channel.clone()))
                    .await;
            }
            DataChannelEvent::OnMessage(message) if is_ours => {
                if let Some(message) = parse(&message) {
                    signals
                        .send_patiently(Signal::Message(Box::new(message)))
                        .await;
                }
            }
            DataChannelEvent::OnClose => break,
            _ => {}
        }
    }
    signals.send_patiently(Signal::ChannelClosed(channel)).await;
}

fn parse(message: &RTCDataChannelMessage) -> Option<PeerMessage> {
    if message.data.len() > MAX_MESSAGE_BYTES {
        tracing::debug!(bytes = message.data.len(), "a peer's message is too large");
        return None;
    }
    let text = std::str::from_utf8(&message.data).ok()?;
    PeerMessage::parse(text)
        .inspect_err(|error| tracing::debug!(%error, "a peer's message is ignored"))
        .ok()
}

/// Hands a message over; drops it when too much is waiting.
pub(super) async fn send(channel: &dyn DataChannel, message: &PeerMessage) {
    if let Err(error) = channel.try_send_text(&message.to_json()).await {
        tracing::debug!(%error, "a message to a peer is dropped");
    }
}
