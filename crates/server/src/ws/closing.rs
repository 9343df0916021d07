//! Close codes and reasons of connections that the server ends.

use visavis_protocol::CloseCode;

/// An unfinished message exceeded its deadline (RFC 6455, section 7.4.1).
const POLICY_VIOLATION: u16 = 1008;
/// The memory for unfinished messages is used up; the client may reconnect (IANA
/// registry of RFC 6455).
const TRY_AGAIN_LATER: u16 = 1013;

/// What the server's close frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closing {
    code: u16,
    /// At most 123 bytes (RFC 6455, section 5.5).
    reason: &'static str,
}

impl Closing {
    pub const TOO_BIG: Self = Self {
        code: CloseCode::TooBig as u16,
        reason: "the message is too large",
    };
    pub const LATE: Self = Self {
        code: POLICY_VIOLATION,
        reason: "the message took too long to arrive",
    };
    pub const CROWDED: Self = Self {
        code: TRY_AGAIN_LATER,
        reason: "too many unfinished messages on this server",
    };

    pub const NOT_UTF8: Self = Self {
        code: CloseCode::InvalidPayload as u16,
        reason: "text that is not UTF-8",
    };

    pub const fn protocol_error(reason: &'static str) -> Self {
        Self {
            code: CloseCode::ProtocolError as u16,
            reason,
        }
    }

    /// The payload of the close frame.
    pub fn payload(self) -> Vec<u8> {
        [&self.code.to_be_bytes(), self.reason.as_bytes()].concat()
    }
}

impl From<CloseCode> for Closing {
    fn from(code: CloseCode) -> Self {
        Self {
            code: code as u16,
            reason: "",
        }
    }
}
