//! SDP as lines. The SDP parser of webrtc-rs refuses a whole description for one
//! value that it does not know, so a remote description is split here first.

use super::{MAX_SECTIONS, SdpError};

/// A description as its session lines and its media sections.
pub(super) struct SdpText<'a> {
    /// The lines before the first `m=`.
    pub(super) session: Vec<&'a str>,
    pub(super) media: Vec<MediaText<'a>>,
}

/// A media section: its `m=` line in parts, and the lines that follow it.
pub(super) struct MediaText<'a> {
    pub(super) kind: &'a str,
    pub(super) port: u16,
    pub(super) protocol: &'a str,
    pub(super) formats: Vec<&'a str>,
    pub(super) lines: Vec<&'a str>,
}

impl<'a> SdpText<'a> {
    /// Splits a description. Lines may end with LF alone (RFC 8866, section 5); a CR
    /// within one would end it for webrtc-rs.
    pub(super) fn parse(sdp: &'a str) -> Result<Self, SdpError> {
        let mut lines = sdp.split(['\r', '\n']).filter(|line| !line.is_empty());
        if lines.next() != Some("v=0") {
            return Err(SdpError::Malformed);
        }
        let mut text = Self {
            session: vec!["v=0"],
            media: Vec::new(),
        };
        for line in lines {
            if let Some(value) = line.strip_prefix("m=") {
                if text.media.len() == MAX_SECTIONS {
                    return Err(SdpError::TooManySections);
                }
                text.media.push(MediaText::parse(value)?);
            } else if let Some(media) = text.media.last_mut() {
                media.lines.push(line);
            } else {
                text.session.push(line);
            }
        }
        Ok(text)
    }
}

impl<'a> MediaText<'a> {
    fn parse(value: &'a str) -> Result<Self, SdpError> {
        let mut fields = value.split_ascii_whitespace();
        let (Some(kind), Some(port), Some(protocol)) =
            (fields.next(), fields.next(), fields.next())
        else {
            return Err(SdpError::Malformed);
        };
        let port = port.split('/').next().unwrap_or_default();
        Ok(Self {
            kind,
            port: port.parse().map_err(|_| SdpError::Malformed)?,
            protocol,
            formats: fields.collect(),
            lines: Vec::new(),
        })
    }
}

/// The attributes among these lines: names, and values without the colon.
pub(super) fn attributes<'a>(
    lines: &[&'a str],
) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
    lines.iter().filter_map(|line| {
        let attribute = line.strip_prefix("a=")?;
        Some(match attribute.split_once(':') {
            Some((name, value)) => (name, Some(value)),
            None => (attribute, None),
        })
    })
}

/// The values of the attributes with this name.
pub(super) fn values<'a>(lines: &[&'a str], name: &str) -> impl Iterator<Item = &'a str> {
    attributes(lines).filter_map(move |(found, value)| value.filter(|_| found == name))
}

/// The value of the first attribute with this name.
pub(super) fn value<'a>(lines: &[&'a str], name: &str) -> Option<&'a str> {
    values(lines, name).next()
}

/// Whether a property attribute is present (RFC 8866, section 5.13).
pub(super) fn has(lines: &[&str], name: &str) -> bool {
    attributes(lines).any(|(found, _)| found == name)
}
