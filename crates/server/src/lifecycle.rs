//! State machines beside the room's own: pure, every transition in one place.
#![deny(clippy::disallowed_methods)]

pub(crate) mod booking;
pub(crate) mod session;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The account of a user whose id need not be a UUID: the same id has the same
/// account, now and later.
pub(crate) fn account(user_id: &str) -> Uuid {
    user_id.parse().unwrap_or_else(|_| {
        let hash = Sha256::digest(user_id);
        let bytes = std::array::from_fn(|index| hash[index]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_account() {
        let uuid = "8d4e0f0c-0000-4000-8000-000000000001";
        assert_eq!(account(uuid).to_string(), uuid);
        assert_eq!(account("9"), account("9"));
        assert_ne!(account("9"), account("10"));
        assert_eq!(account("9").get_version_num(), 8);
    }
}
