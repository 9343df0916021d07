//! Candidates and ICE restarts.

use std::collections::HashSet;

use tokio::net::TcpListener;
use visavis_media::VideoCodec::Vp8;
use visavis_protocol::DescriptionKind;

use super::super::*;
use super::pair::*;

fn candidates(side: &Side) -> Vec<IceCandidate> {
    let log = side.log.lock().unwrap();
    let candidate = |event: &PeerEvent| match event {
        PeerEvent::LocalCandidate(candidate) if !candidate.candidate.is_empty() => {
            Some(candidate.clone())
        }
        _ => None,
    };
    log.iter().filter_map(candidate).collect()
}

fn ufrag(sdp: &str) -> Option<String> {
    let mut lines = sdp.lines();
    let value = lines.find_map(|line| line.strip_prefix("a=ice-ufrag:"));
    value.map(str::to_owned)
}

/// The ports of the candidates with this username fragment.
fn ports(side: &Side, ufrag: &Option<String>) -> HashSet<String> {
    let of_description = candidates(side)
        .into_iter()
        .filter(|candidate| candidate.username_fragment == *ufrag);
    of_description
        .filter_map(|candidate| candidate.candidate.split(' ').nth(5).map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn an_ice_restart_gathers_on_new_sockets() {
    let (a, b) = call(Vp8).await;
    a.command(PeerCommand::MakeOffer { ice_restart: true })
        .await;
    a.waits_for(|event| matches!(event, PeerEvent::AnswerAccepted))
        .await;
    let first = ufrag(&description(&a, DescriptionKind::Offer, 1).await);
    let second = ufrag(&description(&a, DescriptionKind::Offer, 2).await);
    assert!(first.is_some() && first != second);
    wait_until(
        || !ports(&a, &second).is_empty(),
        || format!("{:?}", candidates(&a)),
    )
    .await;
    a.receives(15, 50).await;
    b.receives(15, 50).await;
    let (old, new) = (ports(&a, &first), ports(&a, &second));
    assert!(!old.is_empty() && old.is_disjoint(&new), "{old:?} {new:?}");
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn tcp_candidates_that_are_refused_or_connected_to_leave_the_connection_up() {
    let (a, b) = call(Vp8).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listening = listener.local_addr().unwrap().port();
    // Nothing listens on the port of a listener that is gone.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refusing = closed.local_addr().unwrap().port();
    drop(closed);
    for port in [refusing, listening] {
        a.command(PeerCommand::AddCandidate(IceCandidate {
            candidate: format!(
                "candidate:9 1 tcp 1518280447 127.0.0.1 {port} typ host tcptype passive"
            ),
            ..Default::default()
        }))
        .await;
    }
    tokio::time::timeout(LIMIT, listener.accept())
        .await
        .unwrap()
        .unwrap();
    a.receives(15, 50).await;
    b.receives(15, 50).await;
    let is_end = |event: &PeerEvent| {
        matches!(
            event,
            PeerEvent::Connection(PeerConnectionState::Failed | PeerConnectionState::Closed)
        )
    };
    assert!(!a.has(is_end), "{:?}", a.log.lock().unwrap());
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn odd_candidates_in_a_description_are_skipped() {
    let odd = "a=candidate:nonsense\r\na=candidate:\r\n\
        a=candidate:1 1 udp 1 some.host.example 9 typ host\r\n\
        a=candidate:1 1 udp 1 fe80::1%eth0 9 typ host\r\n\
        a=candidate:1 1 udp 1 127.0.0.1 9 typ smell\r\n\
        a=candidate:1 1 sctp 1 127.0.0.1 9 typ host\r\n\
        a=candidate:1 1 udp 1 127.0.0.1 9 typ srflx raddr 1.2.3.4\r\n";
    let (a, b) =
        call_with(move |sdp| sdp.replace("a=mid:0\r\n", &format!("a=mid:0\r\n{odd}"))).await;
    a.receives(3, 10).await;
    b.receives(3, 10).await;
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn candidates_name_the_section_and_the_credentials_that_they_belong_to() {
    let side = recorded(Vp8);
    side.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    let offer = description(&side, DescriptionKind::Offer, 1).await;
    side.waits_for(|event| matches!(event, PeerEvent::LocalCandidate(_)))
        .await;
    for candidate in candidates(&side) {
        assert_eq!(candidate.username_fragment, ufrag(&offer));
        assert_eq!(candidate.sdp_mid.as_deref(), Some("0"));
        assert_eq!(candidate.sdp_m_line_index, Some(0));
    }
    side.end().await;
}

#[tokio::test]
async fn a_burst_of_candidates_fits_the_command_queue() {
    let side = recorded(Vp8);
    for number in 0..500 {
        let candidate = IceCandidate {
            candidate: format!("candidate:1 1 udp 1 127.0.0.1 {number} typ host"),
            ..Default::default()
        };
        let command = PeerCommand::AddCandidate(candidate);
        // The peer's task does not run in between.
        side.handle.commands.try_send(command).unwrap();
    }
    side.end().await;
}
