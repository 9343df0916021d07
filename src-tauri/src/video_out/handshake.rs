//! Who may have pictures: the page that was told the token, in a web view of
//! this application. Another page in a browser can reach the port; it knows no
//! token, and its browser tells where it comes from.

use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::http::header::ORIGIN;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

/// The origins of the application's own page, by system.
const ORIGINS: &[&str] = &[
    "tauri://localhost",
    "http://tauri.localhost",
    "https://tauri.localhost",
    // The page's development server.
    #[cfg(debug_assertions)]
    "http://localhost:5173",
];

/// The longest message of the page, in bytes: its list of tiles.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// 128 random bits in hexadecimal.
pub(super) fn token() -> String {
    format!("{:032x}", rand::random::<u128>())
}

// The error is the library's.
#[allow(clippy::result_large_err)]
pub(super) async fn accept(
    stream: TcpStream,
    token: &str,
) -> Result<WebSocketStream<TcpStream>, Error> {
    let check = |request: &Request, response: Response| {
        if is_welcome(request, token) {
            Ok(response)
        } else {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = StatusCode::FORBIDDEN;
            Err(refusal)
        }
    };
    let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE_BYTES));
    accept_hdr_async_with_config(stream, check, Some(config)).await
}

fn is_welcome(request: &Request, token: &str) -> bool {
    let origin = request
        .headers()
        .get(ORIGIN)
        .and_then(|origin| origin.to_str().ok());
    request.uri().path().strip_prefix('/') == Some(token)
        && origin.is_some_and(|origin| ORIGINS.contains(&origin))
}
