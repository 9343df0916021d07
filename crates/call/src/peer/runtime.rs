//! The runtime on which webrtc-rs runs a connection: Tokio, with its tasks tracked
//! and the end of the connection's driver reported.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::task::TaskTracker;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime,
};

use super::event::PeerConnectionEventSender;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tokio, with the tasks that webrtc-rs spawns supervised.
#[derive(Debug)]
pub(super) struct SupervisedRuntime {
    tokio: Arc<dyn Runtime>,
    tasks: TaskTracker,
    events: PeerConnectionEventSender,
    /// Whether a TURN server is configured; a later configuration may have one.
    uses_turn: Arc<AtomicBool>,
    /// Whether the driver was spawned; it is the first task.
    has_driver: AtomicBool,
}

impl SupervisedRuntime {
    pub(super) fn new(
        tokio: Arc<dyn Runtime>,
        tasks: TaskTracker,
        events: PeerConnectionEventSender,
        uses_turn: Arc<AtomicBool>,
    ) -> Self {
        Self {
            tokio,
            tasks,
            events,
            uses_turn,
            has_driver: AtomicBool::new(false),
        }
    }
}

/// Longest driver sleep while TURN is configured: webrtc-rs delivers relayed
/// packets only when it wakes.
const MAX_SLEEP_WITH_TURN: Duration = Duration::from_millis(5);

impl Runtime for SupervisedRuntime {
    /// Spawns a task: first the driver, later one for each TCP connection, which
    /// ends once it is established. A panic caused by network input must end only
    /// this connection, so it is caught, and the end of the driver is reported. The
    /// driver of a closed connection also reports its end; nobody reads it then.
    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        let is_driver = !self.has_driver.swap(true, Ordering::Relaxed);
        let events = self.events.clone();
        let supervised = async move {
            if AssertUnwindSafe(future).catch_unwind().await.is_err() {
                tracing::error!("a task of a peer connection panicked");
            }
            if is_driver {
                events.driver_ended();
            }
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
        let longest = if self.uses_turn.load(Ordering::Relaxed) {
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

    use super::super::event::PeerConnectionEvents;
    use super::*;

    fn runtime(tasks: &TaskTracker) -> (SupervisedRuntime, PeerConnectionEvents) {
        let (events, received) = PeerConnectionEventSender::new();
        let tokio = default_runtime().unwrap();
        let runtime = SupervisedRuntime::new(tokio, tasks.clone(), events, Arc::default());
        (runtime, received)
    }

    #[tokio::test]
    async fn a_panicking_driver_reports_its_end_and_ends_nothing_else() {
        let tasks = TaskTracker::new();
        let (runtime, mut received) = runtime(&tasks);
        runtime.spawn(Box::pin(async { panic!("caused by network input") }));
        received.states.changed().await.unwrap();
        assert!(received.states.borrow().has_driver_ended);
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn the_end_of_another_task_is_not_the_end_of_the_driver() {
        let tasks = TaskTracker::new();
        let (runtime, received) = runtime(&tasks);
        runtime.spawn(Box::pin(std::future::pending()));
        let driver_only = tasks.len();
        runtime.spawn(Box::pin(async {}));
        while tasks.len() > driver_only {
            tokio::task::yield_now().await;
        }
        assert!(!received.states.borrow().has_driver_ended);
    }
}
