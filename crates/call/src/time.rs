//! Wall-clock time, for people.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Parses an RFC 3339 time into milliseconds since the Unix epoch.
pub(crate) fn unix_ms_of(text: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

/// Milliseconds since the Unix epoch as RFC 3339, in UTC.
pub(crate) fn rfc_3339_of(unix_ms: u64) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000);
    time.ok()?.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rfc_3339_times_are_parsed() {
        assert_eq!(unix_ms_of("1970-01-01T00:00:01.5Z"), Some(1_500));
        assert_eq!(unix_ms_of("yesterday"), None);
        assert_eq!(rfc_3339_of(1_500).unwrap(), "1970-01-01T00:00:01.5Z");
        assert_eq!(rfc_3339_of(u64::MAX), None);
    }
}
