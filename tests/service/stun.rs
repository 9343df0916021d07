//! The STUN server of ours, asked by a client that is not.

use anyhow::{Result, ensure};
use tokio::process::Command;
use visavis_tests::programs;
use visavis_tests::server::RoomServer;

#[tokio::test]
async fn coturns_stun_client_learns_its_address_from_the_server() -> Result<()> {
    let server = RoomServer::start(&[]).await?;
    let (host, port) = server.address().rsplit_once(':').unwrap_or_default();
    let mut client = Command::new(programs::installed("turnutils_stunclient")?);
    client.args(["-L", "127.0.0.3", "-p", port, host]);
    let answer = programs::output(&mut client).await?;
    let learned = answer.contains("UDP reflexive addr: 127.0.0.3:");
    ensure!(learned, "the client says: {answer}");
    server.stop().await
}
