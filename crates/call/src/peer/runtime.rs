//! The runtime that webrtc-rs drives a connection on: Tokio, with its task
//! among ours and its end noticed.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::task::TaskTracker;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime,
};

use super::signal::{Signal, Signals};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tokio, watched.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) tokio: Arc<dyn Runtime>,
    pub(super) tasks: TaskTracker,
    pub(super) signals: Signals,
    /// Whether packets may go through a relay.
    pub(super) relays: bool,
}

/// How long a packet may wait at the door of a relay.
const RELAY_PATIENCE: Duration = Duration::from_millis(5);

impl Runtime for Watched {
    /// What the network sends must not end more than this connection: a panic
    /// in the driver is caught, and its end reported like any other. A closed
    /// connection's driver ends too; nobody reads the signal then.
    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        let signals = self.signals.clone();
        let watched = async move {
            if AssertUnwindSafe(future).catch_unwind().await.is_err() {
                tracing::error!("a connection's driver panicked");
            }
            signals.send(Signal::DriverEnded);
        };
        self.tokio.spawn(Box::pin(self.tasks.track_future(watched)))
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        self.tokio.wrap_udp_socket(socket)
    }

    fn wrap_tcp_listener(
        &self,
        listener: std::net::TcpListener,
    ) -> io::Result<Arc<dyn AsyncTcpListener>> {
        self.tokio.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        address: SocketAddr,
    ) -> Boxed<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        self.tokio.connect_tcp(address)
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        self.tokio.resolve_host(host)
    }

    /// webrtc-rs hands a relayed packet to its TURN client only after that had
    /// its turn to write, and sleeps on it: so it may not sleep for long.
    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        let longest = if self.relays {
            RELAY_PATIENCE
        } else {
            Duration::MAX
        };
        self.tokio.sleep(duration.min(longest))
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        self.tokio.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.tokio.block_on(future);
    }
}

#[cfg(test)]
mod tests {
    use webrtc::runtime::default_runtime;

    use super::*;

    #[tokio::test]
    async fn a_driver_that_panics_is_reported_and_ends_nothing_else() {
        let (signals, mut received) = Signals::new();
        let tasks = TaskTracker::new();
        let tokio = default_runtime().unwrap();
        let runtime = Watched {
            tokio,
            tasks: tasks.clone(),
            signals,
            relays: false,
        };
        runtime.spawn(Box::pin(async { panic!("as the network wanted it") }));
        assert!(matches!(received.recv().await, Some(Signal::DriverEnded)));
        tasks.close();
        tasks.wait().await;
    }
}
