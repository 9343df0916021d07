//! The types of clients' messages, each with a counter of its own.

use visavis_protocol::ClientMessage;

/// By [`place`].
pub(super) const NAMES: [&str; 22] = [
    "create-room",
    "join-room",
    "leave-room",
    "list-rooms",
    "get-room",
    "resume",
    "offer",
    "answer",
    "ice-candidate",
    "ice",
    "chat",
    "update-member",
    "report-quality",
    "reaction",
    "mute-member",
    "remove-member",
    "lock-room",
    "unlock-room",
    "transfer-host",
    "end-room",
    "admit-member",
    "deny-member",
];

/// Where a message's type stands in [`NAMES`].
pub(super) fn place(message: &ClientMessage) -> usize {
    match message {
        ClientMessage::CreateRoom(_) => 0,
        ClientMessage::JoinRoom(_) => 1,
        ClientMessage::LeaveRoom(_) => 2,
        ClientMessage::ListRooms(_) => 3,
        ClientMessage::GetRoom(_) => 4,
        ClientMessage::Resume(_) => 5,
        ClientMessage::Offer(_) => 6,
        ClientMessage::Answer(_) => 7,
        ClientMessage::IceCandidate(_) => 8,
        ClientMessage::Ice(_) => 9,
        ClientMessage::Chat(_) => 10,
        ClientMessage::UpdateMember(_) => 11,
        ClientMessage::ReportQuality(_) => 12,
        ClientMessage::Reaction(_) => 13,
        ClientMessage::MuteMember(_) => 14,
        ClientMessage::RemoveMember(_) => 15,
        ClientMessage::LockRoom(_) => 16,
        ClientMessage::UnlockRoom(_) => 17,
        ClientMessage::TransferHost(_) => 18,
        ClientMessage::EndRoom(_) => 19,
        ClientMessage::AdmitMember(_) => 20,
        ClientMessage::DenyMember(_) => 21,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_counts_under_its_own_name() {
        for (place_of_name, name) in NAMES.iter().enumerate() {
            let payload =
                r#"{"roomId":"a","resumeToken":"b","name":"c","peers":[],"source":"camera"}"#;
            let text = format!(r#"{{"type":"{name}","roomId":"a","to":"d","payload":{payload}}}"#);
            let (_, message) = ClientMessage::read(&text).expect(name);
            assert_eq!(place(&message), place_of_name, "{name}");
        }
    }
}
