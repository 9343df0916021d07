//! Asking a service over HTTP.

use anyhow::{Result, ensure};
use reqwest::{Client, Method};
use serde_json::Value;

/// A client of any service.
pub fn client() -> Client {
    // Built together with the server, reqwest can TLS, and asks whose cryptography.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

/// A client of one service, with headers that go with every request.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    base: String,
    headers: Vec<(String, String)>,
}

/// What the service answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The header `Content-Type`.
    pub content_type: String,
    /// The body as it came.
    pub text: String,
    /// The body as JSON; null where it is none.
    pub json: Value,
    /// The other headers, their names in lower case.
    headers: reqwest::header::HeaderMap,
    /// What was asked, for the message of a failed test.
    question: String,
}

impl Http {
    /// `base` is `http://HOST:PORT`.
    pub fn new(base: impl Into<String>) -> Self {
        Self {
            client: client(),
            base: base.into(),
            headers: Vec::new(),
        }
    }

    /// The same client with one more header.
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.push((name.to_owned(), value.to_owned()));
        other
    }

    /// The same client with a Bearer token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        self.with_header("authorization", &format!("Bearer {token}"))
    }

    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, None).await
    }

    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// # Errors
    /// When there is no answer.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// # Errors
    /// When there is no answer.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.send(Method::DELETE, path, None).await
    }

    /// Any request, with a body in JSON.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        self.send_raw(method, path, body).await
    }

    /// Any request, with a body of any type.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send_raw(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Answer> {
        let question = format!("{method} {path}");
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some((content_type, body)) = body {
            request = request.header("content-type", content_type).body(body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let text = answer.text().await?;
        let content_type = headers.get("content-type");
        Ok(Answer {
            status,
            content_type: content_type
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned(),
            json: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
            headers,
            question,
        })
    }
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON, where the status is this one.
    ///
    /// # Errors
    /// Says what came instead.
    pub fn expect(self, status: u16) -> Result<Value> {
        ensure!(
            self.status == status,
            "{}: {} in place of {status}: {}",
            self.question,
            self.status,
            self.text
        );
        Ok(self.json)
    }

    /// Checks that it was refused, with this status and a problem document
    /// (RFC 9457) of this type, and gives the document.
    ///
    /// # Errors
    /// Says what came instead.
    pub fn expect_problem(self, status: u16, kind: &str) -> Result<Value> {
        let question = self.question.clone();
        let problem = self.expect(status)?;
        ensure!(problem["type"] == kind, "{question}: {problem}");
        Ok(problem)
    }
}
