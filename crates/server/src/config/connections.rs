//! Bounds of TCP connections.

use std::time::Duration;

use super::Limits;

/// Descriptors kept for files, the database, outgoing requests and the listeners:
/// a quarter of the limit within these bounds.
const RESERVED_DESCRIPTORS: (usize, usize) = (64, 1_024);
/// Connections kept for HTTP when WebSockets use all others: a tenth of all within
/// these bounds.
const HTTP_CONNECTIONS: (usize, usize) = (16, 256);
/// Most connections, whatever the descriptor limit.
const MAX_CONNECTIONS: usize = 1_000_000;

/// Bounds of HTTP connections, before they become WebSockets.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Longest TLS handshake.
    pub handshake: Duration,
    /// Longest time from the first byte of a request, or from the start of a
    /// connection, to the end of the request's header.
    pub header: Duration,
    /// Longest time from the end of a header to the end of the request's body.
    pub body: Duration,
    /// Longest time between a response and the next request of a connection.
    pub idle: Duration,
    /// Connections of one peer address (IPv6: /64), WebSockets included.
    pub per_address: usize,
    /// Connections in all, WebSockets included; `None` = what the descriptor limit
    /// of the process allows.
    pub connections: Option<usize>,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(10),
            body: Duration::from_secs(20),
            idle: Duration::from_secs(30),
            per_address: 256,
            connections: None,
        }
    }
}

impl HttpLimits {
    /// Connections in all.
    pub(crate) fn max_connections(&self) -> usize {
        self.connections
            .unwrap_or_else(|| connections_of(descriptors()))
    }
}

impl Limits {
    /// WebSocket connections in all.
    pub(crate) fn max_sockets(&self) -> usize {
        sockets_of(self.http.max_connections())
    }
}

fn connections_of(descriptors: usize) -> usize {
    let (least, most) = RESERVED_DESCRIPTORS;
    let reserved = (descriptors / 4).clamp(least, most);
    descriptors
        .saturating_sub(reserved)
        .clamp(1, MAX_CONNECTIONS)
}

fn sockets_of(connections: usize) -> usize {
    let (least, most) = HTTP_CONNECTIONS;
    let kept = (connections / 10).clamp(least, most);
    connections.saturating_sub(kept).max(1)
}

/// The descriptor limit of the process.
#[cfg(unix)]
fn descriptors() -> usize {
    let limit = rlimit::Resource::NOFILE.get_soft();
    limit.map_or(1_024, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Windows limits handles by memory only.
#[cfg(not(unix))]
fn descriptors() -> usize {
    16_384
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_kept_for_everything_but_connections() {
        assert_eq!(connections_of(300), 225);
        assert_eq!(connections_of(1_024), 768);
        assert_eq!(connections_of(65_536), 64_512);
        assert_eq!(connections_of(usize::MAX), MAX_CONNECTIONS);
        assert_eq!(connections_of(10), 1);
    }

    #[test]
    fn websockets_leave_connections_for_http() {
        assert_eq!(sockets_of(225), 203);
        assert_eq!(sockets_of(64_512), 64_256);
        assert_eq!(sockets_of(1), 1);
    }
}
