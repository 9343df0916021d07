//! Frames to the client.

use super::{CLOSE, FINAL, Outgoing, PING, PONG, TEXT};

impl Outgoing<'_> {
    /// Appends the frame. A server does not mask (section 5.1).
    pub fn write(self, to: &mut Vec<u8>) {
        let (opcode, payload) = match self {
            Self::Text(text) => (TEXT, text.as_bytes()),
            Self::Ping => (PING, &[][..]),
            Self::Pong(payload) => (PONG, payload),
            Self::Close(code) => (CLOSE, code),
        };
        to.reserve(payload.len() + 10);
        to.push(FINAL | opcode);
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(length @ ..126), _) => to.push(length),
            (_, Ok(length)) => {
                to.push(126);
                to.extend(length.to_be_bytes());
            }
            _ => {
                to.push(127);
                to.extend((payload.len() as u64).to_be_bytes());
            }
        }
        to.extend_from_slice(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outgoing_frames_have_no_mask() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let text = "x".repeat(length);
            let mut frame = Vec::new();
            Outgoing::Text(&text).write(&mut frame);
            let head = match length {
                ..126 => vec![FINAL | TEXT, length as u8],
                126..65_536 => [&[FINAL | TEXT, 126][..], &(length as u16).to_be_bytes()].concat(),
                _ => [&[FINAL | TEXT, 127][..], &(length as u64).to_be_bytes()].concat(),
            };
            assert_eq!(frame, [&head, text.as_bytes()].concat());
        }
    }
}
