//! An HTTP client of the running server.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, bail};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use visavis_protocol::token::VideoGrant;

use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::webhook::dispatcher::{http_client, reason};

/// The running server.
pub(super) struct Remote {
    /// `http://…`, without a last slash.
    pub url: String,
    client: Client,
    /// An administrator's token, where the server has keys.
    token: Option<String>,
}

/// An address to connect to: the unspecified one is only for listening.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

impl Remote {
    pub fn of(config: &ServerConfig) -> anyhow::Result<Self> {
        let scheme = if config.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let url = match &config.public_url {
            // ws and wss become http and https.
            Some(url) => url.replacen("ws", "http", 1),
            None => format!("{scheme}://{}", reachable(config.listen)),
        };
        let grant = VideoGrant {
            room_create: true,
            room_list: true,
            room_admin: true,
            ..VideoGrant::default()
        };
        let token = config
            .keys
            .as_ref()
            .map(|keys| keys.sign(&keys.claims("visavis-server", None, grant, Clock::real())));
        Ok(Self {
            url,
            client: http_client()?,
            token: token.transpose()?,
        })
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Response> {
        let request = self.client.get(format!("{}{path}", self.url));
        self.send(request).await
    }

    /// Calls a method of LiveKit's API with an empty request.
    pub async fn twirp(&self, method: &str) -> anyhow::Result<Value> {
        let url = format!("{}/twirp/livekit.RoomService/{method}", self.url);
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json");
        let answer = self.send(request.body("{}")).await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{} answers {status}: {}", self.url, text.trim());
        }
        serde_json::from_str(&text)
            .with_context(|| format!("{} answers with invalid JSON", self.url))
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let sent = request.send().await;
        sent.map_err(|error| anyhow::anyhow!("{} cannot be reached: {}", self.url, reason(&error)))
    }
}
