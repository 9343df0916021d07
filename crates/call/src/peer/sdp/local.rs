//! Our descriptions as they are sent.

use std::fmt::Write;

use super::SdpError;
use super::formats::{self, MappedFormat};
use super::media_kind::MediaKind;
use super::renumber::Renumbering;
use super::section::{self, MediaSection};
use super::text::{MediaText, SdpText, attributes, has, value};
use super::transport::DtlsRole;
use crate::rtp::Mid;

/// A local description as it is sent.
pub(in crate::peer) struct LocalDescription {
    pub(in crate::peer) sdp: String,
    /// In the order of the description, rejected ones included.
    pub(in crate::peer) sections: Vec<MediaSection>,
    /// The formats as webrtc-rs numbers them.
    pub(in crate::peer) engine_formats: Vec<MappedFormat>,
    /// The ICE username fragment.
    pub(in crate::peer) ufrag: String,
}

/// Turns a description of webrtc-rs into the one that is sent: every section of
/// `layout` at its index, those that are not used with port 0 (RFC 3264, sections 6
/// and 8), then the new sections of an offer. Sections in `retired` gave their index
/// to another one and are left out. An answer states `role`, and has the payload types
/// of the offer.
pub(in crate::peer) fn to_wire(
    description: &str,
    layout: &[MediaSection],
    retired: &[Mid],
    role: Option<DtlsRole>,
) -> Result<LocalDescription, SdpError> {
    let text = SdpText::parse(description)?;
    let mut new: Vec<Option<&MediaText<'_>>> = text.media.iter().map(Some).collect();
    let mut slots: Vec<Slot<'_, '_>> = layout
        .iter()
        .map(|section| {
            let is_same = |media: &MediaText<'_>| {
                value(&media.lines, "mid") == Some(&section.mid.0)
                    && media.kind == section.line.kind
            };
            let found = new.iter_mut().find(|media| media.is_some_and(is_same));
            match found.and_then(Option::take) {
                Some(media) if section.is_used() => Slot::Used {
                    mid: section.mid.0.clone(),
                    offered: Some(section),
                    media,
                },
                _ => Slot::Rejected(section),
            }
        })
        .collect();
    if role.is_none() {
        for media in new.into_iter().flatten() {
            let mid = value(&media.lines, "mid").unwrap_or_default();
            if retired.iter().any(|retired| retired.0 == mid) {
                continue;
            }
            let mid = free_mid(mid, &slots, &text);
            slots.push(Slot::Used {
                mid,
                offered: None,
                media,
            });
        }
    }
    let engine_formats = slots.iter().flat_map(Slot::engine_formats).collect();
    let sdp = write(&text, &slots, role);
    let text = SdpText::parse(&sdp)?;
    let sections = section::read(&text)?;
    let ufrag = text
        .media
        .iter()
        .find_map(|media| value(&media.lines, "ice-ufrag"));
    let ufrag = ufrag.unwrap_or_default().to_owned();
    Ok(LocalDescription {
        sections,
        engine_formats,
        ufrag,
        sdp,
    })
}

/// A section of the description that is written.
enum Slot<'a, 'b> {
    Used {
        mid: String,
        /// The section of the other side, whose protocol we repeat.
        offered: Option<&'a MediaSection>,
        media: &'a MediaText<'b>,
    },
    Rejected(&'a MediaSection),
}

impl Slot<'_, '_> {
    fn mid(&self) -> &str {
        match self {
            Self::Used { mid, .. } => mid,
            Self::Rejected(section) => &section.mid.0,
        }
    }

    fn engine_formats(&self) -> Vec<MappedFormat> {
        match self {
            Self::Used { media, .. } => formats::supported(media, MediaKind::of(media.kind)),
            Self::Rejected(_) => Vec::new(),
        }
    }
}

/// A mid that no other section has. webrtc-rs numbers its data section without
/// looking at the mids in use.
fn free_mid(mid: &str, slots: &[Slot<'_, '_>], text: &SdpText<'_>) -> String {
    let is_taken = |mid: &str| slots.iter().any(|slot| slot.mid() == mid);
    if !is_taken(mid) {
        return mid.to_owned();
    }
    let is_used = |mid: &str| {
        let mut media = text.media.iter();
        is_taken(mid) || media.any(|media| value(&media.lines, "mid") == Some(mid))
    };
    // There are at most 64 + 64 other mids.
    let mut numbers = (0_u32..).map(|number| number.to_string());
    numbers.find(|number| !is_used(number)).unwrap_or_default()
}

fn write(text: &SdpText<'_>, slots: &[Slot<'_, '_>], role: Option<DtlsRole>) -> String {
    let mut sdp = String::new();
    for line in &text.session {
        if !line.starts_with("a=group:") {
            push(&mut sdp, format_args!("{line}\r\n"));
        }
    }
    sdp.push_str("a=group:BUNDLE");
    for slot in slots {
        if let Slot::Used { mid, .. } = slot {
            push(&mut sdp, format_args!(" {mid}"));
        }
    }
    sdp.push_str("\r\n");
    // Candidates belong to the first section of the bundle, which webrtc-rs may
    // have at another index.
    let is_candidate =
        |line: &&&str| line.starts_with("a=candidate:") || **line == "a=end-of-candidates";
    let all = text.media.iter().flat_map(|media| &media.lines);
    let mut candidates: Vec<&str> = all.filter(is_candidate).copied().collect();
    let transport = slots.iter().find_map(|slot| match slot {
        Slot::Used { media, .. } => Some(&media.lines[..]),
        Slot::Rejected(_) => None,
    });
    for slot in slots {
        match slot {
            Slot::Used {
                mid,
                offered,
                media,
            } => {
                write_used(&mut sdp, mid, *offered, media, role);
                for line in candidates.drain(..) {
                    push(&mut sdp, format_args!("{line}\r\n"));
                }
            }
            Slot::Rejected(section) => {
                write_rejected(&mut sdp, section, transport.unwrap_or_default(), role);
            }
        }
    }
    sdp
}

fn write_used(
    sdp: &mut String,
    mid: &str,
    offered: Option<&MediaSection>,
    media: &MediaText<'_>,
    role: Option<DtlsRole>,
) {
    let protocol = offered.map_or(media.protocol, |section| &section.line.protocol);
    let numbers = match offered {
        // Data channels have a format that is not a number.
        Some(section) if role.is_some() && section.kind != MediaKind::Other => {
            let ours = formats::supported(media, section.kind);
            Some(Renumbering::new(&ours, &section.formats))
        }
        _ => None,
    };
    let formats = match &numbers {
        Some(numbers) => numbers.formats(&media.formats).join(" "),
        None => media.formats.join(" "),
    };
    push(
        sdp,
        format_args!("m={} {} {protocol} {formats}\r\n", media.kind, media.port),
    );
    // webrtc-rs describes our track in a section that does not send, too.
    let sends = !has(&media.lines, "recvonly") && !has(&media.lines, "inactive");
    let mut others = media.lines.iter().filter(|line| !line.starts_with("a="));
    if let Some(connection) = others.next() {
        push(sdp, format_args!("{connection}\r\n"));
    }
    for (name, value) in attributes(&media.lines) {
        let value = match name {
            "candidate" | "end-of-candidates" => continue,
            "msid" | "ssrc" | "ssrc-group" if !sends => continue,
            "mid" => Some(mid),
            "setup" => role.map(DtlsRole::setup).or(value),
            _ => value,
        };
        match (value, &numbers) {
            (Some(value), None) => push(sdp, format_args!("a={name}:{value}\r\n")),
            (Some(value), Some(numbers)) => {
                if let Some(value) = numbers.value(name, value) {
                    push(sdp, format_args!("a={name}:{value}\r\n"));
                }
            }
            (None, _) => push(sdp, format_args!("a={name}\r\n")),
        }
    }
}

/// Rejects a section: port 0, and one format, which the grammar requires. Firefox
/// requires the `c=` line, and GStreamer's webrtcbin the ICE credentials, the
/// fingerprint and the DTLS role, which it has no use for here.
fn write_rejected(
    sdp: &mut String,
    section: &MediaSection,
    transport: &[&str],
    role: Option<DtlsRole>,
) {
    let line = &section.line;
    push(
        sdp,
        format_args!(
            "m={} 0 {} {}\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n",
            line.kind, line.protocol, line.format
        ),
    );
    if !section.mid.0.is_empty() {
        push(sdp, format_args!("a=mid:{}\r\n", section.mid.0));
    }
    for name in ["ice-ufrag", "ice-pwd", "fingerprint"] {
        if let Some(value) = value(transport, name) {
            push(sdp, format_args!("a={name}:{value}\r\n"));
        }
    }
    if let Some(setup) = role.map(DtlsRole::setup).or(value(transport, "setup")) {
        push(sdp, format_args!("a=setup:{setup}\r\n"));
    }
}

fn push(sdp: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = sdp.write_fmt(text);
}
