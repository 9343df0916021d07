//! The DTLS association: roles, failures, and its replacement.

use std::sync::Mutex;

use visavis_media::VideoCodec::Vp8;
use visavis_protocol::DescriptionKind;

use super::super::*;
use super::pair::*;

fn setup(sdp: &str) -> Vec<&str> {
    let lines = sdp.lines();
    lines
        .filter_map(|line| line.strip_prefix("a=setup:"))
        .collect()
}

fn is_state(state: PeerConnectionState) -> impl Fn(&PeerEvent) -> bool {
    move |event| matches!(event, PeerEvent::Connection(found) if *found == state)
}

#[tokio::test]
async fn an_answer_to_a_later_offer_states_the_role_of_the_association() {
    let (a, b) = call(Vp8).await;
    let answer = description(&b, DescriptionKind::Answer, 1).await;
    assert!(
        setup(&answer).iter().all(|role| *role == "active"),
        "{answer}"
    );
    b.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    let answer = description(&a, DescriptionKind::Answer, 1).await;
    let roles = setup(&answer);
    assert!(
        !roles.is_empty() && roles.iter().all(|role| *role == "passive"),
        "{answer}"
    );
    a.command(PeerCommand::MakeOffer { ice_restart: true })
        .await;
    let answer = description(&b, DescriptionKind::Answer, 2).await;
    assert!(
        setup(&answer).iter().all(|role| *role == "active"),
        "{answer}"
    );
    a.receives(10, 30).await;
    b.receives(10, 30).await;
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn a_later_offer_states_the_role_of_the_association() {
    let (a, b) = call(Vp8).await;
    for (side, ice_restart, number, role) in [
        (&b, false, 1, "active"),
        (&a, true, 2, "passive"),
        (&b, true, 2, "active"),
    ] {
        side.command(PeerCommand::MakeOffer { ice_restart }).await;
        let offer = description(side, DescriptionKind::Offer, number).await;
        let roles = setup(&offer);
        let is_right = roles.iter().all(|found| *found == role);
        assert!(!roles.is_empty() && is_right, "{role}: {offer}");
        a.receives(5, 15).await;
        b.receives(5, 15).await;
    }
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn a_failed_dtls_handshake_closes_the_connection() {
    let (a, b) = call_with(|sdp| {
        let (before, fingerprint) = sdp.split_once("a=fingerprint:sha-256 ").unwrap();
        let other = if fingerprint.starts_with("00") {
            "11"
        } else {
            "00"
        };
        format!("{before}a=fingerprint:sha-256 {other}{}", &fingerprint[2..])
    })
    .await;
    b.waits_for(is_state(PeerConnectionState::Closed)).await;
    assert!(!b.is_connected());
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn an_offer_of_another_association_replaces_the_connection_if_it_may() {
    let ((a, from_a), (b, from_b)) = (Side::new(config(Vp8)), Side::new(config(Vp8)));
    let (c, from_c) = Side::new(config(Vp8));
    let to_b = Arc::new(Mutex::new(b.handle.commands.clone()));
    let from_b_to = Arc::new(Mutex::new(a.handle.commands.clone()));
    let accept = Accept {
        rollback: true,
        may_replace: false,
    };
    let replacing = Accept {
        may_replace: true,
        ..accept
    };
    relay(from_a, &a, to_b.clone(), accept, direct());
    relay(from_b, &b, from_b_to.clone(), accept, direct());
    relay(from_c, &c, to_b, replacing, direct());
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    a.receives(3, 10).await;
    b.receives(3, 10).await;

    let other = recorded(Vp8);
    other
        .command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    let offer = description(&other, DescriptionKind::Offer, 1).await;
    b.offered(&offer).await;
    b.waits_for(is_failure).await;
    b.receives(5, 20).await;

    *from_b_to.lock().unwrap() = c.handle.commands.clone();
    c.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    b.waits_for(is_state(PeerConnectionState::New)).await;
    c.receives(3, 10).await;
    b.receives(3, 10).await;
    let added = b.count(|event| matches!(event, PeerEvent::ReceiverAdded(..)));
    assert_eq!(added, 2, "the receivers are kept");
    for side in [a, b, c, other] {
        side.end().await;
    }
}
