//! A room service's URL as a person types or pastes it.

use tauri::Url;

/// Why a text is no room service's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a room service's URL begins with ws, wss, http or https and names a host")]
pub struct NotAServer;

/// Reads a URL, or `HOST[:PORT]` alone, which means `ws`. What is a URL is
/// left as it is: the call engine uses it unchanged.
///
/// # Errors
/// When it cannot be a room service's.
pub fn parse(text: &str) -> Result<String, NotAServer> {
    let text = text.trim();
    let whole = if text.contains("://") {
        text.to_owned()
    } else {
        format!("ws://{text}")
    };
    let url = Url::parse(&whole).map_err(|_| NotAServer)?;
    let known = matches!(url.scheme(), "ws" | "wss" | "http" | "https");
    (known && url.has_host()).then_some(whole).ok_or(NotAServer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_alone_is_enough_and_a_url_stays_as_it_is() {
        assert_eq!(
            parse(" 192.0.2.1:7420 ").as_deref(),
            Ok("ws://192.0.2.1:7420")
        );
        assert_eq!(parse("example.org").as_deref(), Ok("ws://example.org"));
        assert_eq!(
            parse("https://example.org/ws").as_deref(),
            Ok("https://example.org/ws")
        );
        for text in ["", "ws://", "ftp://example.org", "visavis://room/x", "a b"] {
            assert_eq!(parse(text), Err(NotAServer), "{text}");
        }
    }
}
