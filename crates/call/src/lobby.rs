//! Requests to a server outside a call. Each opens a connection of its own.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use visavis_protocol::{
    ClientMessage, ErrorCode, GetRoom, ListRooms, ListedRoom, Request, RoomInfo, ServerMessage,
};

use crate::signalling::{NotAServer, open, parse, socket_url};

/// Timeout of a request, including the connection.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LobbyError {
    /// The text is not a server URL.
    #[error(transparent)]
    NotAServer(#[from] NotAServer),
    /// The server did not answer in time, or the connection failed.
    #[error("the server does not answer")]
    Unreachable,
    /// The server does not support the request. Plain servers have no `get-room`.
    #[error("the server does not support this request")]
    Unsupported,
    /// The server answered with an error.
    #[error("the server rejected the request: {0:?}")]
    Refused(ErrorCode),
}

/// Requests to a server outside a call.
#[derive(Debug, Clone, Copy)]
pub struct Lobby;

impl Lobby {
    /// Lists the rooms that are not private.
    ///
    /// # Errors
    /// See [`LobbyError`].
    pub async fn rooms(server: &str) -> Result<Vec<ListedRoom>, LobbyError> {
        match request(server, ClientMessage::ListRooms(ListRooms::default())).await? {
            ServerMessage::RoomsList(list) => Ok(list.rooms),
            _ => Err(LobbyError::Unsupported),
        }
    }

    /// Gets the public information about a room.
    ///
    /// # Errors
    /// See [`LobbyError`].
    pub async fn room(server: &str, room_id: &str) -> Result<RoomInfo, LobbyError> {
        let payload = GetRoom {
            room_id: room_id.to_owned(),
        };
        match request(
            server,
            ClientMessage::GetRoom(Request {
                request_id: None,
                payload,
            }),
        )
        .await?
        {
            ServerMessage::RoomInfo(info) => Ok(info.room),
            _ => Err(LobbyError::Unsupported),
        }
    }
}

async fn request(server: &str, request: ClientMessage) -> Result<ServerMessage, LobbyError> {
    let url = socket_url(server)?;
    let exchange = async {
        let mut socket = open(&url).await.ok()?;
        let mut sent = false;
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else {
                continue;
            };
            match parse(&text).map(|message| *message) {
                Some(ServerMessage::ClientId(_)) if !sent => {
                    sent = true;
                    socket.send(Message::text(request.to_json())).await.ok()?;
                }
                Some(answer) if sent => {
                    // The answer is complete; a failed close does not matter.
                    let _ = socket.close(None).await;
                    return Some(answer);
                }
                _ => {}
            }
        }
        None
    };
    match timeout(REQUEST_TIMEOUT, exchange)
        .await
        .ok()
        .flatten()
        .ok_or(LobbyError::Unreachable)?
    {
        ServerMessage::Error(error) if error.code == ErrorCode::UnknownType => {
            Err(LobbyError::Unsupported)
        }
        ServerMessage::Error(error) => Err(LobbyError::Refused(error.code)),
        answer => Ok(answer),
    }
}
