//! One webhook, signed and sent.

use std::fmt;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};

use crate::access::token::Keys;
use crate::clock::Timestamp;
use crate::tls::{self, TlsError};
use crate::webhook::sign;

/// How long a receiver may take for its answer.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);
/// As LiveKit names it.
const WEBHOOK_JSON: &str = "application/webhook+json";

/// Sends webhooks.
pub(crate) struct WebhookClient {
    client: Client,
    keys: Keys,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    outcome: Result<StatusCode, String>,
    /// From the request to it.
    pub elapsed: Duration,
}

impl WebhookClient {
    pub fn new(keys: Keys) -> Result<Self, TlsError> {
        let client = http_client()?;
        Ok(Self { client, keys })
    }

    /// Sends exactly this body, signed as of now.
    pub async fn send(&self, url: &str, body: &str, now: Timestamp) -> Answer {
        let started = Instant::now();
        let outcome = async {
            let authorization = sign::authorization(&self.keys, body.as_bytes(), now)
                .map_err(|error| error.to_string())?;
            let request = self
                .client
                .post(url)
                .header(CONTENT_TYPE, WEBHOOK_JSON)
                .header(AUTHORIZATION, authorization)
                .body(body.to_owned());
            let response = request.send().await.map_err(|error| reason(&error))?;
            Ok(response.status())
        };
        Answer {
            outcome: outcome.await,
            elapsed: started.elapsed(),
        }
    }
}

impl Answer {
    /// Whether the receiver has it now.
    pub fn is_taken(&self) -> bool {
        self.outcome.as_ref().is_ok_and(StatusCode::is_success)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Ok(status) => write!(f, "{status}"),
            Err(why) => f.write_str(why),
        }
    }
}

/// Asks others, who have ten seconds, and follows no redirects.
pub(crate) fn http_client() -> Result<Client, TlsError> {
    Client::builder()
        .tls_backend_preconfigured(tls::client()?)
        .redirect(Policy::none())
        .timeout(LIMIT)
        .build()
        .map_err(|error| TlsError::Unusable(error.to_string()))
}

/// The innermost reason: the outer ones say that a request failed, and its URL.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", LIMIT.as_secs());
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
