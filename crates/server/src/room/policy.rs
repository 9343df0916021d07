//! Who is the host.

use visavis_protocol::Role;

use crate::model::OnHostLeave;

/// The host, among those inside in the order of joining. Someone who is host by
/// right comes first; then the present one stays as long as it is inside, and
/// then, where the room passes the role on, the longest inside who may speak.
pub(super) fn host<Id: Copy + PartialEq>(
    host: Option<Id>,
    inside: &[(Id, Role)],
    on_leave: OnHostLeave,
) -> Option<Id> {
    let by_right = |role: Role| role == Role::Host;
    let find = |wanted: &dyn Fn(Id, Role) -> bool| {
        let mut found = inside.iter().filter(|(id, role)| wanted(*id, *role));
        found.next().map(|(id, _)| *id)
    };
    find(&|id, role| by_right(role) && Some(id) == host)
        .or_else(|| find(&|_, role| by_right(role)))
        .or_else(|| find(&|id, _| Some(id) == host))
        .or_else(|| match on_leave {
            OnHostLeave::Transfer => find(&|_, role| role != Role::Viewer),
            OnHostLeave::Keep | OnHostLeave::Close => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use OnHostLeave::{Close, Keep, Transfer};
    use Role::{Host, Participant, Viewer};

    #[test]
    fn the_host_stays_and_then_the_longest_present_follows() {
        let inside = [(1, Participant), (2, Participant), (3, Participant)];
        assert_eq!(host(Some(2), &inside, Transfer), Some(2));
        assert_eq!(host(Some(9), &inside, Transfer), Some(1));
        assert_eq!(host(None, &inside[2..], Transfer), Some(3));
        assert_eq!(host(Some(2), &[], Transfer), None);
    }

    #[test]
    fn who_is_host_by_right_comes_before_who_stands_in() {
        let inside = [(1, Participant), (2, Host), (3, Host)];
        assert_eq!(host(Some(1), &inside, Transfer), Some(2));
        assert_eq!(host(Some(3), &inside, Transfer), Some(3));
    }

    #[test]
    fn a_viewer_never_becomes_host_and_a_kept_place_waits() {
        assert_eq!(
            host(Some(9), &[(1, Viewer), (2, Participant)], Transfer),
            Some(2)
        );
        assert_eq!(host(Some(9), &[(1, Viewer)], Transfer), None);
        for on_leave in [Keep, Close] {
            assert_eq!(host(Some(9), &[(1, Participant)], on_leave), None);
        }
    }
}
