//! Payload types that change during a session. webrtc-rs keeps those of the first
//! negotiation; a later offer may have others for the same codecs, and its answer
//! has those (RFC 3264, sections 6.1 and 8.3.2). Firefox re-offers its own after it
//! answered an offer of ours.

use std::collections::HashMap;

use super::formats::MappedFormat;
use crate::rtp::PayloadType;

/// Attributes that belong to one format.
const OF_FORMAT: [&str; 3] = ["rtpmap", "fmtp", "rtcp-fb"];

/// From the payload types of one description to those of another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::peer) struct Renumbering(HashMap<PayloadType, PayloadType>);

impl Renumbering {
    /// Maps the formats of `from`, and their retransmissions, to those of `to` with
    /// the same codec. A format without one keeps its number. Of several formats with
    /// one codec, the one with the same number is mapped, else the first; the others
    /// are left out.
    pub(in crate::peer) fn new(from: &[MappedFormat], to: &[MappedFormat]) -> Self {
        let mut mapped = HashMap::new();
        let same = |one: &MappedFormat, other: &MappedFormat| {
            one.payload == other.payload && one.payload_type == other.payload_type
        };
        for format in from {
            let mut counterparts = to.iter().filter(|other| other.payload == format.payload);
            let target = to.iter().find(|other| same(other, format));
            let target = target.or_else(|| counterparts.next()).unwrap_or(format);
            let is_other = !same(target, format);
            if is_other && from.iter().any(|format| same(format, target)) {
                continue;
            }
            if mapped.values().any(|taken| *taken == target.payload_type) {
                continue;
            }
            mapped.insert(format.payload_type, target.payload_type);
            if let (Some(from), Some(to)) = (format.retransmission, target.retransmission) {
                mapped.insert(from, to);
            }
        }
        Self(mapped)
    }

    pub(in crate::peer) fn get(&self, payload_type: PayloadType) -> Option<PayloadType> {
        self.0.get(&payload_type).copied()
    }

    /// Adds the entries of another one for numbers that have none here.
    pub(in crate::peer) fn or(&mut self, other: Self) {
        for (from, to) in other.0 {
            self.0.entry(from).or_insert(to);
        }
    }

    /// Both; a number that they map to different ones stays as it is.
    pub(in crate::peer) fn joined(mut self, other: Self) -> Self {
        for (from, to) in other.0 {
            match self.0.get(&from) {
                Some(mine) if *mine != to => drop(self.0.remove(&from)),
                _ => drop(self.0.insert(from, to)),
            }
        }
        self
    }

    /// The formats of a media line.
    pub(super) fn formats(&self, formats: &[&str]) -> Vec<String> {
        let numbers = formats.iter().filter_map(|format| format.parse().ok());
        let mapped = numbers.filter_map(|number| self.get(PayloadType(number)));
        mapped.map(|number| number.0.to_string()).collect()
    }

    /// The value of an attribute of a format, with the mapped numbers; `None` where
    /// the format has none. Other attributes stay as they are.
    pub(super) fn value(&self, name: &str, value: &str) -> Option<String> {
        if !OF_FORMAT.contains(&name) {
            return Some(value.to_owned());
        }
        let (number, rest) = value.split_once(' ')?;
        let number = self.get(PayloadType(number.parse().ok()?))?;
        let apt = rest.trim().strip_prefix("apt=");
        match apt.and_then(|apt| apt.parse().ok()) {
            Some(apt) if name == "fmtp" => {
                let apt = self.get(PayloadType(apt))?;
                Some(format!("{} apt={}", number.0, apt.0))
            }
            _ => Some(format!("{} {rest}", number.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use visavis_media::VideoCodec::{H264, Vp8};

    use super::super::formats::PayloadFormat;
    use super::*;

    fn format(codec: visavis_media::VideoCodec, number: u8, rtx: Option<u8>) -> MappedFormat {
        MappedFormat {
            payload: PayloadFormat::Video(codec),
            payload_type: PayloadType(number),
            retransmission: rtx.map(PayloadType),
        }
    }

    #[test]
    fn formats_are_mapped_by_their_codec() {
        let from = [
            format(Vp8, 120, Some(124)),
            format(H264, 126, None),
            format(H264, 105, None),
        ];
        let to = [format(Vp8, 96, Some(97)), format(H264, 102, Some(103))];
        let numbers = Renumbering::new(&from, &to);
        let formats = ["120", "124", "126", "105", "9", "x"];
        assert_eq!(numbers.formats(&formats), ["96", "97", "102"]);
        let value = |name, value| numbers.value(name, value);
        assert_eq!(value("rtpmap", "120 VP8/90000").unwrap(), "96 VP8/90000");
        assert_eq!(value("fmtp", "124 apt=120").unwrap(), "97 apt=96");
        assert_eq!(value("rtcp-fb", "120 nack pli").unwrap(), "96 nack pli");
        assert_eq!(value("rtpmap", "105 H264/90000"), None);
        assert_eq!(value("mid", "120 "), Some("120 ".to_owned()));
    }

    #[test]
    fn of_several_formats_the_one_with_the_same_number_is_mapped() {
        let many = [format(H264, 102, None), format(H264, 106, None)];
        let one = [format(H264, 106, None)];
        for (from, to) in [(&many[..], &one[..]), (&one[..], &many[..])] {
            let numbers = Renumbering::new(from, to);
            assert_eq!(numbers.get(PayloadType(106)), Some(PayloadType(106)));
            assert_eq!(numbers.get(PayloadType(102)), None);
        }
    }

    #[test]
    fn a_codec_without_a_counterpart_keeps_its_number() {
        let numbers = Renumbering::new(&[format(Vp8, 120, None)], &[]);
        assert_eq!(numbers.get(PayloadType(120)), Some(PayloadType(120)));
        let from = [format(Vp8, 102, None), format(H264, 96, None)];
        let numbers = Renumbering::new(&from, &[format(H264, 102, None)]);
        assert_eq!(numbers.get(PayloadType(96)), None, "its number is taken");
    }
}
