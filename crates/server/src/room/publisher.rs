//! What a room's task publishes to other nodes: in order, one message under way,
//! beside everything else the task does.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use uuid::Uuid;

use super::services::RoomServices;
use crate::cluster::ClusterMessage;
use crate::id::ClientId;

/// Messages that wait to be published. Past it the other nodes read the
/// room's rows instead.
const MAX_MESSAGES: usize = 1_024;

/// A message, with the node that it is for; `None`: all that have participants.
type Addressed = (Option<String>, ClusterMessage);

/// A relayed message that its node did not receive.
pub(super) struct Undelivered {
    pub to: ClientId,
    pub frame: String,
}

pub(super) type Publishing = Pin<Box<dyn Future<Output = Option<Undelivered>> + Send>>;

#[derive(Default)]
pub(super) struct Publisher {
    waiting: VecDeque<Addressed>,
}

impl Publisher {
    pub fn push(&mut self, node: Option<String>, message: ClusterMessage) {
        if self.waiting.len() >= MAX_MESSAGES {
            tracing::warn!("too many messages wait for other nodes: they read the rows instead");
            self.waiting.clear();
            self.waiting.push_back((None, ClusterMessage::CatchUp));
        }
        self.waiting.push_back((node, message));
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn start_next(
        &mut self,
        services: &Arc<dyn RoomServices>,
        room: Uuid,
    ) -> Option<Publishing> {
        let (node, message) = self.waiting.pop_front()?;
        let services = Arc::clone(services);
        Some(Box::pin(async move {
            let Some(node) = node else {
                services.publish(room, message).await;
                return None;
            };
            let relayed = match &message {
                ClusterMessage::Relay { to, frame } => Some(Undelivered {
                    to: *to,
                    frame: frame.clone(),
                }),
                _ => None,
            };
            match services.send_to_node(&node, room, message).await {
                true => None,
                false => relayed,
            }
        }))
    }
}
