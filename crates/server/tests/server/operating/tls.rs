//! TLS by certificate files.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use visavis_server::{Server, ServerConfig, TlsFiles};

use super::{run, start};
use crate::support::LIMIT;

/// A certificate for localhost and 127.0.0.1, and its files.
struct Certificate {
    directory: tempfile::TempDir,
    der: CertificateDer<'static>,
}

impl Certificate {
    fn new() -> Self {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned).to_vec();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let made = Self {
            directory: tempfile::tempdir().unwrap(),
            der: cert.der().clone(),
        };
        std::fs::write(made.file("cert.pem"), cert.pem()).unwrap();
        std::fs::write(made.file("key.pem"), signing_key.serialize_pem()).unwrap();
        made
    }

    fn file(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.file("cert.pem").into(),
            key: self.file("key.pem").into(),
        }
    }

    async fn connect(&self, address: SocketAddr) -> TlsStream<TcpStream> {
        self.try_connect(address).await.unwrap()
    }

    async fn try_connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let socket = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let secured = TlsConnector::from(Arc::new(config)).connect(name, socket);
        timeout(LIMIT, secured).await.expect("in time")
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let (certificate, renewed) = (Certificate::new(), Certificate::new());
    let server = Server::bind(ServerConfig {
        tls: Some(certificate.files()),
        ..ServerConfig::default()
    });
    let server = server.await.unwrap();
    let address = server.local_addr();
    let mut before = certificate.connect(address).await;

    // For a while the two do not belong together.
    for name in ["cert.pem", "key.pem"] {
        assert!(renewed.try_connect(address).await.is_err());
        std::fs::copy(renewed.file(name), certificate.file(name)).unwrap();
    }
    timeout(LIMIT, async {
        while renewed.try_connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("in time");
    assert!(certificate.try_connect(address).await.is_err());

    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    before.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    before.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK", "who came before stays");
}

#[tokio::test]
async fn rooms_are_made_over_https_and_wss_while_others_never_shake_hands() {
    let certificate = Certificate::new();
    let server = Server::bind(ServerConfig {
        tls: Some(certificate.files()),
        ..ServerConfig::default()
    });
    let server = server.await.unwrap();
    let address = server.local_addr();
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }

    let mut https = certificate.connect(address).await;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    https.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(LIMIT, https.read_to_end(&mut answer))
        .await
        .expect("in time")
        .unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 200 OK"),
        "{}",
        String::from_utf8_lossy(&answer)
    );

    let stream = certificate.connect(address).await;
    let (mut wss, _) = client_async(format!("wss://{address}/ws"), stream)
        .await
        .unwrap();
    let create = json!({"type": "create-room", "payload": {"name": "Tea"}});
    wss.send(Message::text(create.to_string())).await.unwrap();
    let mut hear = async || {
        let next = timeout(LIMIT, wss.next()).await.expect("in time");
        let text = next.unwrap().unwrap().into_text().unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    assert_eq!(hear().await["type"], "client-id");
    assert_eq!(hear().await["type"], "room-created");

    // Who speaks plain HTTP there is not answered.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(LIMIT, plain.read_to_end(&mut answer))
        .await
        .expect("in time");
    assert!(!answer.starts_with(b"HTTP"));

    // Those who did not shake hands are dropped in the end.
    for mut socket in silent {
        let ended = timeout(LIMIT, socket.read(&mut [0; 16]))
            .await
            .expect("in time");
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
}

#[tokio::test]
async fn the_program_speaks_tls_and_the_doctor_trusts_whom_it_is_told_to() {
    let certificate = Certificate::new();
    let (cert, key) = (certificate.file("cert.pem"), certificate.file("key.pem"));
    let server = start(&["--tls-cert", &cert, "--tls-key", &key], &[]).await;
    let url = format!("https://localhost:{}", server.address.port());
    let doctor = ["doctor", "--public-url", &url];
    let (status, said, _) = run(&doctor, &[("SSL_CERT_FILE", &cert)]).await;
    assert_eq!(status, 0, "{said}");
    let (status, said, _) = run(&doctor, &[]).await;
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("FAIL  url: "), "{said}");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_said_in_one_line() {
    let certificate = Certificate::new();
    let other = Certificate::new();
    let (cert, key) = (certificate.file("cert.pem"), other.file("key.pem"));
    for (cert, key) in [
        (cert.as_str(), key.as_str()),
        (cert.as_str(), cert.as_str()),
        (key.as_str(), key.as_str()),
        ("/nowhere/cert.pem", key.as_str()),
    ] {
        let arguments = [
            "--listen",
            "127.0.0.1:0",
            "--tls-cert",
            cert,
            "--tls-key",
            key,
        ];
        let (status, said, complaint) = run(&arguments, &[]).await;
        assert_eq!((status, said.as_str()), (1, ""), "{complaint}");
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
    }
}
