//! The STUN and TURN servers that a client is told of.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use visavis_protocol::IceServer;

use crate::clock::{Now, Timestamp};
use crate::id::ClientId;

/// The servers, and how credentials for them are made.
#[derive(Debug, Clone)]
pub(crate) struct IceServers {
    pub servers: Vec<IceServer>,
    pub turn_secret: Option<String>,
    /// How long credentials made with the secret are valid.
    pub lifetime: Duration,
}

/// The servers of one client.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientIceServers {
    pub servers: Vec<IceServer>,
    /// Of the credentials made with the secret, if there are any.
    pub expiry: Option<Expiry>,
}

/// When TURN credentials end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expiry {
    pub at: Timestamp,
    /// When the client gets new ones: after 75 % of the lifetime. TURN servers go by real
    /// time, so a manual clock does not bring it nearer.
    pub renew_at: Instant,
}

impl IceServers {
    /// The servers for one client, this server's own STUN server first. TURN servers without credentials get some
    /// by the TURN REST API (draft-uberti-behave-turn-rest-00): the username
    /// is when it expires and whose it is, the credential its HMAC-SHA1.
    pub fn for_client(
        &self,
        client: ClientId,
        stun_url: Option<&str>,
        now: Now,
    ) -> ClientIceServers {
        let at = now.utc.after(self.lifetime);
        let credentials = self.turn_secret.as_ref().map(|secret| {
            let username = format!("{}:{client}", at.secs());
            let credential = sign(secret, &username);
            (username, credential)
        });
        let dress = |server: &IceServer| match &credentials {
            Some((username, credential)) if wants_credentials(server) => IceServer {
                urls: server.urls.clone(),
                username: Some(username.clone()),
                credential: Some(credential.clone()),
            },
            _ => server.clone(),
        };
        let own = stun_url.map(|url| IceServer {
            urls: vec![url.to_owned()],
            username: None,
            credential: None,
        });
        let renewable = credentials.is_some() && self.servers.iter().any(wants_credentials);
        ClientIceServers {
            servers: (own.into_iter())
                .chain(self.servers.iter().map(dress))
                .collect(),
            expiry: renewable.then(|| Expiry {
                at,
                renew_at: now.instant + self.lifetime / 4 * 3,
            }),
        }
    }
}

fn wants_credentials(server: &IceServer) -> bool {
    let turn = |url: &String| url.starts_with("turn:") || url.starts_with("turns:");
    server.username.is_none() && server.urls.iter().any(turn)
}

fn sign(secret: &str, text: &str) -> String {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn server(url: &str, username: Option<&str>) -> IceServer {
        IceServer {
            urls: vec![url.to_owned()],
            username: username.map(str::to_owned),
            credential: username.map(str::to_owned),
        }
    }

    fn start() -> Now {
        Now {
            instant: Instant::now(),
            utc: Timestamp::default(),
        }
    }

    #[test]
    fn only_turn_servers_without_credentials_get_some_of_the_lifetime() {
        let ice = IceServers {
            servers: vec![
                server("stun:192.0.2.1", None),
                server("turn:192.0.2.2", None),
                server("turn:192.0.2.3", Some("fixed")),
            ],
            turn_secret: Some("north".to_owned()),
            lifetime: Duration::from_secs(14_400),
        };
        let client = Uuid::from_u128(1);
        let told = ice.for_client(client, Some("stun:a:1"), start()).servers;
        assert_eq!(told[0], server("stun:a:1", None));
        assert_eq!(told[1], ice.servers[0]);
        assert_eq!(told[3], ice.servers[2]);
        let username = "14400:00000000-0000-0000-0000-000000000001";
        assert_eq!(told[2].username.as_deref(), Some(username));
        assert_eq!(told[2].credential, Some(sign("north", username)));
    }

    #[test]
    fn credentials_of_the_secret_are_renewed_after_three_quarters_of_their_lifetime() {
        let mut ice = IceServers {
            servers: vec![server("turn:192.0.2.2", None)],
            turn_secret: Some("north".to_owned()),
            lifetime: Duration::from_secs(400),
        };
        let now = start();
        let expiry = |ice: &IceServers| ice.for_client(Uuid::nil(), None, now).expiry;
        let made = expiry(&ice).unwrap();
        assert_eq!(made.at, Timestamp::from_secs(400));
        assert_eq!(made.renew_at, now.instant + Duration::from_secs(300));
        ice.servers = vec![server("turn:192.0.2.3", Some("fixed"))];
        assert!(expiry(&ice).is_none(), "fixed credentials do not expire");
        ice.servers = vec![server("turn:192.0.2.2", None)];
        ice.turn_secret = None;
        assert!(expiry(&ice).is_none(), "there are no credentials");
    }

    #[test]
    fn the_signature_is_rfc_2202s() {
        // RFC 2202, section 3, test case 2.
        let expected = [
            0xef, 0xfc, 0xdf, 0x6a, 0xe5, 0xeb, 0x2f, 0xa2, 0xd2, 0x74, 0x16, 0xd5, 0xf1, 0x84,
            0xdf, 0x9c, 0x25, 0x9a, 0x7c, 0x79,
        ];
        let signed = sign("Jefe", "what do ya want for nothing?");
        assert_eq!(STANDARD.decode(signed).unwrap(), expected);
    }
}
