//! The clients of this node that `--direct` makes reachable without a room.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::{ClientId, SocketId};
use crate::socket::Outbox;

#[derive(Default)]
pub(crate) struct DirectClients(Mutex<HashMap<ClientId, (SocketId, Outbox)>>);

impl DirectClients {
    /// Registers a client on this socket.
    pub fn enter(&self, client: ClientId, socket: SocketId, outbox: Outbox) {
        self.clients().insert(client, (socket, outbox));
    }

    /// Removes a socket's client, unless it has resumed on another socket.
    pub fn leave(&self, client: ClientId, socket: SocketId) {
        let mut clients = self.clients();
        if clients.get(&client).is_some_and(|(on, _)| *on == socket) {
            clients.remove(&client);
        }
    }

    /// The client's outbox.
    pub fn find(&self, client: ClientId) -> Option<Outbox> {
        self.clients()
            .get(&client)
            .map(|(_, outbox)| outbox.clone())
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<ClientId, (SocketId, Outbox)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
