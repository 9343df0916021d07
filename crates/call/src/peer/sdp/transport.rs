//! The transport of a description: ICE credentials, DTLS fingerprint and role,
//! candidates.

use super::SdpError;
use super::text::{MediaText, SdpText, has, value, values};

/// Candidates read from one description; further ones are ignored.
const MAX_CANDIDATES: usize = 64;

/// Longest ICE credential (RFC 8839, section 5.4).
const MAX_CREDENTIAL_CHARACTERS: usize = 256;

/// The transport that all sections share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::peer) struct RemoteTransport {
    pub(in crate::peer) ufrag: String,
    pub(super) password: String,
    /// SHA-256 of the certificate, as upper-case hexadecimal octets with colons.
    pub(in crate::peer) fingerprint: String,
    pub(super) setup: Setup,
    pub(super) is_ice_lite: bool,
}

/// The value of `a=setup` (RFC 4145, section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setup {
    Active,
    Passive,
    /// `actpass`, or the attribute is absent.
    Either,
}

/// Our role in the DTLS handshake. It stays for the whole association
/// (RFC 8842, section 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::peer) enum DtlsRole {
    /// Client.
    Active,
    /// Server.
    Passive,
}

impl DtlsRole {
    /// The value of `a=setup`.
    pub(in crate::peer) fn setup(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }
}

impl RemoteTransport {
    /// Our role when we answer this transport's offer. An ICE-lite peer must be
    /// able to wait for us, so it is the client then, as webrtc-rs decides too.
    pub(in crate::peer) fn role_of_answerer(&self) -> DtlsRole {
        match self.setup {
            Setup::Passive => DtlsRole::Active,
            Setup::Either if !self.is_ice_lite => DtlsRole::Active,
            Setup::Active | Setup::Either => DtlsRole::Passive,
        }
    }

    /// Our role when this transport's answer accepts our offer of both roles.
    pub(in crate::peer) fn role_of_offerer(&self) -> DtlsRole {
        match self.setup {
            Setup::Passive => DtlsRole::Active,
            Setup::Active | Setup::Either => DtlsRole::Passive,
        }
    }

    /// Reads the transport of `tagged`, the section that stands for the bundle
    /// (RFC 9143, section 7.2), or of the session where the section has none.
    pub(super) fn read(
        text: &SdpText<'_>,
        tagged: Option<&MediaText<'_>>,
    ) -> Result<Self, SdpError> {
        let media: &[&str] = tagged.map_or(&[], |media| &media.lines);
        let find = |name| value(media, name).or_else(|| value(&text.session, name));
        let credential = |name| {
            find(name)
                .filter(|value| is_credential(value))
                .map(str::to_owned)
                .ok_or(SdpError::Attribute(name))
        };
        let fingerprint = values(media, "fingerprint")
            .chain(values(&text.session, "fingerprint"))
            .find_map(sha_256)
            .ok_or(SdpError::Attribute("fingerprint"))?;
        Ok(Self {
            ufrag: credential("ice-ufrag")?,
            password: credential("ice-pwd")?,
            fingerprint,
            setup: match find("setup") {
                Some("active") => Setup::Active,
                Some("passive") => Setup::Passive,
                _ => Setup::Either,
            },
            is_ice_lite: has(&text.session, "ice-lite"),
        })
    }

    /// The candidates of `tagged`, the section that stands for the bundle. Those of
    /// other sections are for a peer that does not bundle: Firefox and GStreamer
    /// gather for each section, and close the sockets of bundled ones. A malformed one
    /// is left to webrtc-rs, which ignores it.
    pub(super) fn candidates(tagged: Option<&MediaText<'_>>) -> Vec<String> {
        let lines: &[&str] = tagged.map_or(&[], |media| &media.lines);
        let mut candidates: Vec<String> = Vec::new();
        for candidate in values(lines, "candidate") {
            let candidate = format!("candidate:{candidate}");
            if candidates.len() < MAX_CANDIDATES && !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        }
        candidates
    }
}

/// Whether this can be an ICE credential. Some stacks use more characters than
/// `ice-char`; none uses white space.
fn is_credential(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= MAX_CREDENTIAL_CHARACTERS
        && value.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The digest of a SHA-256 fingerprint, `sha-256 AB:CD:…`; the algorithm is
/// case-insensitive (RFC 8122, section 5).
fn sha_256(value: &str) -> Option<String> {
    let (algorithm, digest) = value.trim().split_once(' ')?;
    let is_octet =
        |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let octets = digest.trim().split(':');
    let is_digest = octets.clone().count() == 32 && octets.clone().all(is_octet);
    (algorithm.eq_ignore_ascii_case("sha-256") && is_digest)
        .then(|| digest.trim().to_ascii_uppercase())
}
