//! Questions to a room service before entering a room: a short connection of
//! its own for each.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use visavis_protocol::{
    ClientMessage, ErrorCode, GetRoom, ListRooms, ListedRoom, Request, RoomInfo, ServerMessage,
};

use crate::signal::{NotAServer, open, read, socket_url};

/// How long a question may take, connection and all.
const LIMIT: Duration = Duration::from_secs(5);

/// Why a question has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LobbyError {
    /// The text is no server's URL.
    #[error(transparent)]
    NotAServer(#[from] NotAServer),
    /// The server does not answer.
    #[error("the server does not answer")]
    Unreachable,
    /// The server does not know the question: a plain one has no `get-room`.
    #[error("the server does not tell this")]
    Unsupported,
    /// The server refused.
    #[error("the server refused: {0:?}")]
    Refused(ErrorCode),
}

/// A room service, asked from outside of its rooms.
#[derive(Debug, Clone, Copy)]
pub struct Lobby;

impl Lobby {
    /// The rooms that are not private.
    ///
    /// # Errors
    /// When the server does not answer or refuses.
    pub async fn rooms(server: &str) -> Result<Vec<ListedRoom>, LobbyError> {
        match ask(server, ClientMessage::ListRooms(ListRooms::default())).await? {
            ServerMessage::RoomsList(list) => Ok(list.rooms),
            _ => Err(LobbyError::Unsupported),
        }
    }

    /// What is to be seen of one room.
    ///
    /// # Errors
    /// When the server does not answer, does not know the question, or refuses.
    pub async fn room(server: &str, room_id: &str) -> Result<RoomInfo, LobbyError> {
        let payload = GetRoom {
            room_id: room_id.to_owned(),
        };
        match ask(
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

async fn ask(server: &str, question: ClientMessage) -> Result<ServerMessage, LobbyError> {
    let url = socket_url(server)?;
    let exchange = async {
        let mut socket = open(&url).await.ok()?;
        let mut asked = false;
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else {
                continue;
            };
            match read(&text).map(|message| *message) {
                Some(ServerMessage::ClientId(_)) if !asked => {
                    asked = true;
                    socket.send(Message::text(question.to_json())).await.ok()?;
                }
                Some(answer) if asked => {
                    // The answer is here; how the goodbye goes changes nothing.
                    let _ = socket.close(None).await;
                    return Some(answer);
                }
                _ => {}
            }
        }
        None
    };
    match timeout(LIMIT, exchange)
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
