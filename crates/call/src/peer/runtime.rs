//! The runtime on which webrtc-rs runs a connection's driver: Tokio, with the
//! driver's task tracked and its end reported.

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

use super::event::{PeerConnectionEvent, PeerConnectionEventSender};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tokio, with the tasks that webrtc-rs spawns supervised.
#[derive(Debug)]
pub(super) struct SupervisedRuntime {
    pub(super) tokio: Arc<dyn Runtime>,
    pub(super) tasks: TaskTracker,
    pub(super) events: PeerConnectionEventSender,
    /// Whether a TURN server is configured.
    pub(super) uses_turn: bool,
}

/// Longest driver sleep while TURN is configured: webrtc-rs delivers relayed
/// packets only when it wakes.
const MAX_SLEEP_WITH_TURN: Duration = Duration::from_millis(5);

impl Runtime for SupervisedRuntime {
    /// Runs the driver. A panic caused by network input must end only this
    /// connection, so it is caught and reported as the end of the driver. The
    /// driver of a closed connection also reports its end; the queue is closed
    /// then and the event is dropped.
    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        let events = self.events.clone();
        let supervised = async move {
            if AssertUnwindSafe(future).catch_unwind().await.is_err() {
                tracing::error!("the driver of a peer connection panicked");
            }
            events.try_send(PeerConnectionEvent::DriverEnded);
        };
        self.tokio
            .spawn(Box::pin(self.tasks.track_future(supervised)))
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

    /// Limits the driver's sleep to [`MAX_SLEEP_WITH_TURN`]. webrtc-rs passes a
    /// relayed packet to its TURN client only in the iteration after the next
    /// wake-up, so a long sleep would delay the packet.
    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        let longest = if self.uses_turn {
            MAX_SLEEP_WITH_TURN
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
    async fn a_panicking_driver_reports_its_end_and_ends_nothing_else() {
        let (events, mut received) = PeerConnectionEventSender::new();
        let tasks = TaskTracker::new();
        let tokio = default_runtime().unwrap();
        let runtime = SupervisedRuntime {
            tokio,
            tasks: tasks.clone(),
            events,
            uses_turn: false,
        };
        runtime.spawn(Box::pin(async { panic!("caused by network input") }));
        assert!(matches!(
            received.recv().await,
            Some(PeerConnectionEvent::DriverEnded)
        ));
        tasks.close();
        tasks.wait().await;
    }
}
