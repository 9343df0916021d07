//! Who may enter, and who is the host.

/// Whether one more may enter; a limit of 0 is none.
pub(super) fn admits(present: usize, max_participants: u32) -> bool {
    max_participants == 0 || present < max_participants as usize
}

/// The host: the present one as long as it is inside, else the longest inside.
pub(super) fn host<Id: Copy + PartialEq>(host: Option<Id>, inside: &[Id]) -> Option<Id> {
    host.filter(|host| inside.contains(host))
        .or_else(|| inside.first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_admits_up_to_its_limit_and_zero_is_no_limit() {
        for (present, max, admitted) in [
            (0, 1, true),
            (1, 1, false),
            (3, 4, true),
            (4, 4, false),
            (9_999, 0, true),
        ] {
            assert_eq!(admits(present, max), admitted, "{present} of {max}");
        }
    }

    #[test]
    fn the_host_stays_and_then_the_longest_present_follows() {
        assert_eq!(host(Some(2), &[1, 2, 3]), Some(2));
        assert_eq!(host(Some(2), &[3, 1]), Some(3));
        assert_eq!(host(None, &[7]), Some(7));
        assert_eq!(host(Some(2), &[]), None);
    }
}
