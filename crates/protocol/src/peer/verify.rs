//! Messages of the verification of a peer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of a fixed length. On the wire: standard base64 with padding (RFC 4648,
/// section 4). Any other length is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedBytes<const N: usize>(pub [u8; N]);

impl<const N: usize> Serialize for FixedBytes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for FixedBytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(&text).map_err(D::Error::custom)?;
        let found = bytes.len();
        let bytes = bytes.try_into();
        let bytes = bytes.map_err(|_| D::Error::custom(format!("{found} bytes, expected {N}")))?;
        Ok(Self(bytes))
    }
}

/// The DTLS client's commitment, which starts a verification: both people compare
/// a short authentication string.
///
/// There is one exchange per DTLS association, on its data channel only. A is the
/// DTLS client and B the DTLS server; each chooses a nonce of 32 random bytes.
///
/// ```text
/// A ── verify-commit {commitment: SHA-256("visavis-commit-1" ‖ nA)} ──► B
/// A ◄── verify-nonce {nB} ──────────────────────────────────────────── B
/// A ── verify-reveal {nA} ────────────────────────────────────────────► B
/// ```
///
/// The string is the first 42 bits of
/// SHA-256("visavis-sas-1" ‖ fpA ‖ fpB ‖ nA ‖ nB), shown as seven of Matrix's 64
/// emoji. The fingerprints are the SHA-256 of the certificates that the DTLS
/// connection presented; fingerprints in SDP are not used. B checks `nA` against
/// the commitment and ends the exchange when they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyCommit {
    /// SHA-256("visavis-commit-1" ‖ nA).
    pub commitment: FixedBytes<32>,
}

/// The DTLS server's nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyNonce {
    /// nB.
    #[serde(rename = "nB")]
    pub nonce: FixedBytes<32>,
}

/// The DTLS client's nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReveal {
    /// nA.
    #[serde(rename = "nA")]
    pub nonce: FixedBytes<32>,
}

/// The sender's long-term key, one per server. A person who compared the strings
/// once recognises the peer by this key in later calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The Ed25519 public key (RFC 8032).
    pub key: FixedBytes<32>,
    /// The Ed25519 signature of SHA-256("visavis-sas-1" ‖ fpA ‖ fpB ‖ nA ‖ nB).
    pub signature: FixedBytes<64>,
}
