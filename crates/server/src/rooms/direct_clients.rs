//! The clients of this node, where they may be reached without a room.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::{ClientId, SocketId};
use crate::socket::Outbox;

#[derive(Default)]
pub(crate) struct DirectClients(Mutex<HashMap<ClientId, (SocketId, Outbox)>>);

impl DirectClients {
    /// A client is on this socket from now on.
    pub fn enter(&self, client: ClientId, socket: SocketId, outbox: Outbox) {
        self.clients().insert(client, (socket, outbox));
    }

    /// A socket's client is gone, unless it has come back on another.
    pub fn leave(&self, client: ClientId, socket: SocketId) {
        let mut clients = self.clients();
        if clients.get(&client).is_some_and(|(on, _)| *on == socket) {
            clients.remove(&client);
        }
    }

    /// Where to reach a client.
    pub fn find(&self, client: ClientId) -> Option<Outbox> {
        self.clients()
            .get(&client)
            .map(|(_, outbox)| outbox.clone())
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<ClientId, (SocketId, Outbox)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
