//! A scripted client.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use visavis_server::{Server, ServerConfig};

/// The longest that anything may take.
pub const LIMIT: Duration = Duration::from_secs(60);

/// What tokens and webhooks are signed with.
pub const KEY: &str = "devkey";
pub const SECRET: &str = "a secret of the tests, long enough for HS256";

pub async fn server() -> Server {
    Server::bind(ServerConfig::default()).await.unwrap()
}

/// The extensions that concern members and chat.
pub fn all() -> Value {
    json!(["members", "resume", "chat"])
}

pub struct Client {
    pub id: String,
    /// What the server said it has.
    pub features: Vec<String>,
    pub socket: WebSocketStream<TcpStream>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address, "/ws").await.unwrap()
    }

    pub async fn try_connect(address: SocketAddr, path: &str) -> Result<Self, Error> {
        Self::try_connect_with(address, path, &[]).await
    }

    /// Connects, with more headers in the handshake.
    pub async fn connect_with(address: SocketAddr, headers: &[(&'static str, &str)]) -> Self {
        let connected = Self::try_connect_with(address, "/ws", headers).await;
        connected.unwrap()
    }

    pub async fn try_connect_with(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Error> {
        let url = format!("ws://{address}{path}");
        Self::try_connect_to(address, &url, headers).await
    }

    /// Connects, with the host of the URL in the `Host` header.
    pub async fn try_connect_to(
        address: SocketAddr,
        url: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut request = url.into_client_request()?;
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            request
                .headers_mut()
                .append(HeaderName::from_static(name), value);
        }
        let (socket, _) = client_async(request, stream).await?;
        let mut client = Self {
            id: String::new(),
            features: Vec::new(),
            socket,
        };
        let welcome = client.hear().await;
        assert_eq!(welcome["type"], "client-id");
        client.id = welcome["id"].as_str().unwrap().to_owned();
        client.features = serde_json::from_value(welcome["features"].clone()).unwrap();
        Ok(client)
    }

    pub async fn say(&mut self, message: Value) {
        self.send(Message::text(message.to_string())).await;
    }

    pub async fn send(&mut self, message: Message) {
        let sent = timeout(LIMIT, self.socket.send(message)).await;
        sent.expect("sent in time").unwrap();
    }

    /// The next message.
    pub async fn hear(&mut self) -> Value {
        let heard = async {
            loop {
                match self.socket.next().await.expect("open").unwrap() {
                    Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                    Message::Ping(_) | Message::Pong(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        timeout(LIMIT, heard).await.expect("heard in time")
    }

    /// The next message of this type, whatever comes before it.
    pub async fn until(&mut self, kind: &str) -> Value {
        loop {
            let message = self.hear().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// The next message, which is of this type.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let message = self.hear().await;
        assert_eq!(message["type"], kind, "{message}");
        message
    }

    /// The next message, which is this error.
    pub async fn refused(&mut self, code: &str) -> Value {
        let message = self.expect("error").await;
        assert_eq!(message["code"], code, "{message}");
        message
    }

    /// Says something, and gives the next message.
    pub async fn ask(&mut self, message: Value) -> Value {
        self.say(message).await;
        self.hear().await
    }

    /// Creates a room; its id.
    pub async fn create(&mut self, payload: Value) -> String {
        let created = self
            .ask(json!({"type": "create-room", "payload": payload}))
            .await;
        assert_eq!(created["type"], "room-created", "{created}");
        created["room"]["id"].as_str().unwrap().to_owned()
    }

    pub async fn join(&mut self, room: &str) -> Value {
        self.ask(json!({"type": "join-room", "payload": {"roomId": room}}))
            .await
    }

    /// Asks to come in, with whatever else is said.
    pub async fn check_entry(&mut self, payload: Value) -> Value {
        self.ask(json!({"type": "join-room", "payload": payload}))
            .await
    }

    pub async fn join_with(&mut self, room: &str, features: Value) -> Value {
        let payload = json!({"roomId": room, "features": features});
        self.ask(json!({"type": "join-room", "payload": payload}))
            .await
    }

    /// Everything said before this has been dealt with, and nothing more of it
    /// is to come: the next message is the echo of our own chat.
    pub async fn nothing_more(&mut self) {
        let chat = self
            .ask(json!({"type": "chat", "payload": "anything more?"}))
            .await;
        assert_eq!(chat["payload"], "anything more?", "{chat}");
    }

    /// Reads to the end, answering the close frame; its code, if there is one.
    pub async fn closed(&mut self) -> Option<u16> {
        let end = async {
            let mut code = None;
            while let Some(Ok(message)) = self.socket.next().await {
                if let Message::Close(frame) = message {
                    code = frame.map(|frame| frame.code.into());
                }
            }
            code
        };
        timeout(LIMIT, end).await.expect("closed in time")
    }

    /// Ends with a close frame.
    pub async fn close(mut self) {
        self.socket.close(None).await.unwrap();
    }

    /// Ends as a cable does that is cut: without a close frame.
    pub fn cut(self) {
        self.socket.get_ref().set_zero_linger().unwrap();
    }
}

/// One HTTP request; status, head and body.
pub async fn http(
    address: SocketAddr,
    method: &str,
    path: &str,
    head: &str,
    body: &str,
) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{head}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    let read = timeout(LIMIT, stream.read_to_string(&mut response)).await;
    read.expect("answered in time").unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

/// Asks for a room until it is as wanted.
pub async fn wait_for_room(
    address: SocketAddr,
    room: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    let mut watcher = Client::connect(address).await;
    let watch = async {
        loop {
            let info = watcher
                .ask(json!({"type": "get-room", "payload": {"roomId": room}}))
                .await;
            if wanted(&info) {
                return info;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, watch).await.expect("as wanted in time")
}
