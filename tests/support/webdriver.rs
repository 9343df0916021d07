//! A window's page, driven as a person would (W3C WebDriver).

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::http::client;
use crate::wait::wait_until;

/// How the protocol marks an element's id.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const APPEARS_LIMIT: Duration = Duration::from_secs(30);

/// A session with a driver.
pub struct Session {
    http: Client,
    url: String,
}

/// Something on the page.
pub struct Element<'a> {
    session: &'a Session,
    id: String,
}

/// A rectangle in the page, in CSS pixels.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[expect(missing_docs, reason = "a rectangle")]
pub struct Rectangle {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Session {
    /// Starts a session with the driver at `driver`, a URL.
    ///
    /// # Errors
    /// When the driver cannot give what is asked for.
    pub async fn start(driver: &str, capabilities: Value) -> Result<Self> {
        let mut session = Self {
            http: client(),
            url: format!("{driver}/session"),
        };
        let wanted = json!({"capabilities": {"alwaysMatch": capabilities}});
        let started = session.call(Method::POST, "", Some(wanted)).await?;
        let id = started["sessionId"].as_str().context("no session id")?;
        session.url = format!("{}/{id}", session.url);
        Ok(session)
    }

    /// Ends it, and with it the window.
    ///
    /// # Errors
    /// When the driver is gone.
    pub async fn end(self) -> Result<()> {
        self.call(Method::DELETE, "", None).await?;
        Ok(())
    }

    /// Runs the body of a function in the page, and gives what it returns.
    ///
    /// # Errors
    /// When it throws.
    pub async fn run(&self, script: &str) -> Result<Value> {
        let body = json!({"script": script, "args": []});
        self.call(Method::POST, "/execute/sync", Some(body)).await
    }

    /// Waits for an element by its XPath.
    ///
    /// # Errors
    /// When it does not appear.
    pub async fn find(&self, path: &str) -> Result<Element<'_>> {
        wait_until(
            &format!("the page shows {path}"),
            APPEARS_LIMIT,
            async || {
                let found = self.all(path).await?;
                Ok(found.into_iter().next())
            },
        )
        .await
    }

    /// Waits until no element has this XPath.
    ///
    /// # Errors
    /// When one stays.
    pub async fn loses(&self, path: &str) -> Result<()> {
        wait_until(
            &format!("the page loses {path}"),
            APPEARS_LIMIT,
            async || Ok(self.all(path).await?.is_empty().then_some(())),
        )
        .await
    }

    /// Waits for a button by its name, and presses it.
    ///
    /// # Errors
    /// When it does not appear, or cannot be pressed.
    pub async fn press(&self, name: &str) -> Result<()> {
        let path = format!("//button[not(@disabled)][{}]", named(name));
        wait_until(
            &format!("{name} can be pressed"),
            APPEARS_LIMIT,
            async || {
                // It may still be on its way in, or disabled.
                Ok(self.find(&path).await?.press().await.ok())
            },
        )
        .await
    }

    /// Waits for a field by its label, and writes into it in place of what it held.
    ///
    /// # Errors
    /// When it does not appear, or cannot be written into.
    pub async fn fill(&self, label: &str, text: &str) -> Result<()> {
        let path = format!(
            "//*[self::input or self::textarea][@aria-label='{label}' \
             or @id=//label[{name}]/@for or ancestor::label[{name}]]",
            name = named(label)
        );
        let field = self.find(&path).await?;
        field.call("/clear", json!({})).await?;
        field.call("/value", json!({"text": text})).await?;
        Ok(())
    }

    async fn all(&self, path: &str) -> Result<Vec<Element<'_>>> {
        let body = json!({"using": "xpath", "value": path});
        let found = self.call(Method::POST, "/elements", Some(body)).await?;
        let ids = found.as_array().into_iter().flatten();
        Ok(ids
            .filter_map(|element| element[ELEMENT].as_str())
            .map(|id| Element {
                session: self,
                id: id.to_owned(),
            })
            .collect())
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let url = format!("{}{path}", self.url);
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let mut answer: Value = request.send().await?.json().await?;
        if let Some(error) = answer["value"]["error"].as_str() {
            bail!("{path}: {error}: {}", answer["value"]["message"]);
        }
        Ok(answer["value"].take())
    }
}

/// An XPath condition: what a person reads on it, or a screen reader says.
fn named(name: &str) -> String {
    format!("@aria-label='{name}' or normalize-space()='{name}'")
}

impl Element<'_> {
    /// Presses it.
    ///
    /// # Errors
    /// When it cannot be pressed.
    pub async fn press(&self) -> Result<()> {
        self.call("/click", json!({})).await?;
        Ok(())
    }

    /// What a person reads on it.
    ///
    /// # Errors
    /// When it is gone.
    pub async fn text(&self) -> Result<String> {
        let text = self.get("/text").await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Where it is.
    ///
    /// # Errors
    /// When it is gone.
    pub async fn rectangle(&self) -> Result<Rectangle> {
        Ok(serde_json::from_value(self.get("/rect").await?)?)
    }

    async fn get(&self, what: &str) -> Result<Value> {
        let path = format!("/element/{}{what}", self.id);
        self.session.call(Method::GET, &path, None).await
    }

    async fn call(&self, what: &str, body: Value) -> Result<Value> {
        let path = format!("/element/{}{what}", self.id);
        self.session.call(Method::POST, &path, Some(body)).await
    }
}
