//! The reader by example.

use proptest::prelude::*;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::socket::frames::{BINARY, FINAL, MASKED};

const MOST: usize = 1_000_000;

fn wire() -> (Reader<DuplexStream>, DuplexStream) {
    wire_with(ReadLimits {
        message: MOST,
        deadline: Duration::from_secs(10),
        budget: Budget::new(100 * MOST),
    })
}

fn wire_with(limits: ReadLimits) -> (Reader<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(4 * MOST);
    (Reader::new(ours, &[], limits), theirs)
}

/// A masked frame, as clients send it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ ..126 => frame.push(MASKED | length as u8),
        length @ ..0x1_0000 => {
            frame.push(MASKED | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(MASKED | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
    frame
}

async fn all(wire: &mut Reader<DuplexStream>) -> (Vec<Incoming>, WireError) {
    let mut incoming = Vec::new();
    loop {
        match wire.next().await {
            Ok(one) => incoming.push(one),
            Err(error) => return (incoming, error),
        }
    }
}

async fn received(bytes: &[u8]) -> (Vec<Incoming>, WireError) {
    let (mut wire, mut client) = wire();
    client.write_all(bytes).await.unwrap();
    drop(client);
    all(&mut wire).await
}

fn text(text: &str) -> Incoming {
    Incoming::Text(text.to_owned())
}

#[tokio::test]
async fn fragments_are_joined_and_control_frames_may_come_between_them() {
    let bytes = [
        frame(FINAL | TEXT, b"one"),
        frame(TEXT, b"t"),
        frame(FINAL | PING, b"?"),
        frame(CONTINUATION, b""),
        frame(FINAL | CONTINUATION, b"wo"),
        frame(FINAL | BINARY, &[0xff; 70_000]),
        frame(FINAL | PONG, b""),
        frame(FINAL | CLOSE, &1000_u16.to_be_bytes()),
    ];
    let (incoming, end) = received(&bytes.concat()).await;
    let expected = [
        text("one"),
        Incoming::Ping(b"?".to_vec()),
        text("two"),
        Incoming::Binary(70_000),
        Incoming::Pong,
        Incoming::Close(1000_u16.to_be_bytes().to_vec()),
    ];
    assert_eq!(incoming, expected);
    assert!(matches!(end, WireError::Broken(_)));
}

#[tokio::test]
async fn a_malformed_frame_is_a_protocol_error() {
    let long = frame(FINAL | PING, &[0; 126]);
    let mut bare = frame(FINAL | TEXT, b"x");
    bare[1] &= !MASKED;
    for bytes in [
        frame(FINAL | TEXT | 0x40, b"x"),
        frame(FINAL | 0x3, b"x"),
        frame(FINAL | CONTINUATION, b"x"),
        [frame(TEXT, b"x"), frame(FINAL | TEXT, b"y")].concat(),
        frame(PING, b""),
        frame(FINAL | CLOSE, b"x"),
        frame(FINAL | CLOSE, b"\x03\xe8\xff"),
        vec![FINAL | TEXT, MASKED | 126, 0, 125],
        [&[FINAL | TEXT, MASKED | 127][..], &65_535_u64.to_be_bytes()].concat(),
        [&[FINAL | TEXT, MASKED | 127][..], &[255; 8]].concat(),
        long,
        bare,
    ] {
        let (incoming, end) = received(&bytes).await;
        assert!(incoming.is_empty(), "{incoming:?}");
        assert!(matches!(end, WireError::Protocol(_)), "{end:?}");
    }
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_by_its_header_alone_and_in_sum() {
    let head = &frame(FINAL | TEXT, &vec![b'x'; MOST + 1])[..14];
    let parts = [
        frame(TEXT, &vec![b'x'; MOST]),
        frame(FINAL | CONTINUATION, b"x"),
    ];
    let huge = [&[FINAL | TEXT, MASKED | 127, 127][..], &[255; 11]].concat();
    for bytes in [head, &parts.concat(), &huge] {
        let end = received(bytes).await.1;
        assert!(matches!(end, WireError::TooBig), "{end:?}");
    }
}

#[tokio::test]
async fn an_idle_reader_holds_no_buffer() {
    let (mut wire, mut client) = wire();
    client
        .write_all(&frame(FINAL | TEXT, &[b'x'; 5_000]))
        .await
        .unwrap();
    wire.next().await.unwrap();
    let idle = tokio::time::timeout(std::time::Duration::ZERO, wire.next()).await;
    assert!(idle.is_err());
    assert_eq!(wire.unread.capacity(), 0);
    assert!(wire.deadline.is_none());
    assert!(wire.share.hold(50 * MOST, false), "no byte is held");
}

#[tokio::test]
async fn a_larger_message_is_read_only_with_permission_and_only_once() {
    let (mut wire, mut client) = wire();
    let large = "x".repeat(MOST + 10);
    for _ in 0..2 {
        let large = frame(FINAL | TEXT, large.as_bytes());
        client.write_all(&large).await.unwrap();
    }
    assert!(matches!(wire.next().await, Err(WireError::TooBig)));
    wire.permit(2 * MOST).unwrap();
    assert_eq!(wire.next().await.unwrap(), text(&large));
    assert!(matches!(wire.next().await, Err(WireError::TooBig)));
    wire.permit(MOST + 1).unwrap();
    assert!(matches!(wire.next().await, Err(WireError::TooBig)));
    assert!(wire.permit(MOST + 1).is_err());
}

#[tokio::test]
async fn an_unfinished_message_has_a_deadline_from_its_first_byte() {
    for begun in [&frame(TEXT, b"x")[..], &frame(FINAL | TEXT, b"xyz")[..5]] {
        let (mut wire, mut client) = wire_with(ReadLimits {
            message: MOST,
            deadline: Duration::from_millis(50),
            budget: Budget::new(MOST),
        });
        client.write_all(begun).await.unwrap();
        let fragments = begun.len() == 7;
        let pings = async {
            // They are no progress; within a frame there are none.
            while fragments && client.write_all(&frame(FINAL | PING, b"")).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            std::future::pending().await
        };
        let end = async {
            loop {
                match wire.next().await {
                    Ok(incoming) => assert_eq!(incoming, Incoming::Ping(Vec::new())),
                    Err(end) => return end,
                }
            }
        };
        let end = tokio::select! {
            end = end => end,
            () = pings => unreachable!("it never ends"),
        };
        assert!(matches!(end, WireError::Late), "{end:?}");
    }
}

#[tokio::test]
async fn finished_messages_and_idle_time_have_no_deadline() {
    let deadline = Duration::from_millis(20);
    let (mut wire, mut client) = wire_with(ReadLimits {
        message: MOST,
        deadline,
        budget: Budget::new(MOST),
    });
    let message = frame(FINAL | TEXT, b"xyz");
    let (head, tail) = message.split_at(5);
    for _ in 0..2 {
        client.write_all(head).await.unwrap();
        let started = tokio::time::timeout(Duration::ZERO, wire.next()).await;
        assert!(started.is_err() && wire.deadline.is_some());
        client.write_all(tail).await.unwrap();
        assert_eq!(wire.next().await.unwrap(), text("xyz"));
        assert!(wire.deadline.is_none());
    }
    let idle = tokio::time::timeout(2 * deadline, wire.next()).await;
    assert!(idle.is_err(), "{idle:?}");
}

#[tokio::test]
async fn unfinished_messages_of_all_sockets_share_one_budget() {
    let limits = ReadLimits {
        message: MOST,
        deadline: Duration::from_secs(10),
        budget: Budget::new(4 * MOST),
    };
    let begun = frame(TEXT, &vec![b'x'; MOST - 1]);
    let mut open = Vec::new();
    let refused = loop {
        let (mut wire, mut client) = wire_with(limits.clone());
        client.write_all(&begun).await.unwrap();
        match tokio::time::timeout(Duration::from_millis(20), wire.next()).await {
            Err(_) => open.push((wire, client)),
            Ok(end) => break end.unwrap_err(),
        }
        assert!(open.len() < 4, "the budget is exceeded");
    };
    assert!(matches!(refused, WireError::Crowded), "{refused:?}");
    assert!(!open.is_empty());
    drop(open);
    let (mut wire, mut client) = wire_with(limits);
    client.write_all(&frame(FINAL | TEXT, b"x")).await.unwrap();
    assert_eq!(wire.next().await.unwrap(), text("x"));
}

#[tokio::test]
async fn text_is_checked_as_a_whole_message() {
    for bytes in [
        frame(FINAL | TEXT, &[0xff]),
        [frame(TEXT, &[0xc3]), frame(FINAL | CONTINUATION, b"x")].concat(),
    ] {
        let (incoming, end) = received(&bytes).await;
        assert!(incoming.is_empty(), "{incoming:?}");
        assert!(matches!(end, WireError::Text), "{end:?}");
    }
    let unfinished = received(&frame(TEXT, &[0xff])).await.1;
    assert!(matches!(unfinished, WireError::Broken(_)));
}

proptest! {
    #[test]
    fn a_close_code_is_echoed_if_it_is_assigned(code: u16, reason in "[a-zé]{0,60}") {
        let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
        let assigned = match code {
            ..1000 | 1004..=1006 | 1015..3000 | 5000.. => false,
            1000..=1003 | 1007..=1014 | 3000..5000 => true,
        };
        match close_reply(&payload) {
            Ok(reply) => prop_assert!(assigned && reply == code.to_be_bytes()),
            Err(error) => prop_assert!(!assigned && matches!(error, WireError::Protocol(_))),
        }
    }

    #[test]
    fn a_character_may_be_split_between_fragments(
        text in "[a-zé€😀]{1,60}",
        cut in any::<proptest::sample::Index>(),
    ) {
        let (head, tail) = text.as_bytes().split_at(cut.index(text.len()));
        let bytes = [frame(TEXT, head), frame(FINAL | CONTINUATION, tail)].concat();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (incoming, _) = runtime.block_on(received(&bytes));
        prop_assert_eq!(incoming, vec![Incoming::Text(text)]);
    }

    #[test]
    fn messages_are_the_same_however_the_stream_is_cut(
        texts in proptest::collection::vec("[a-zé]{0,300}", 0..8),
        cuts in proptest::collection::vec(1..50_usize, 1..40),
    ) {
        let bytes: Vec<u8> = texts.iter().flat_map(|text| frame(FINAL | TEXT, text.as_bytes())).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let incoming = runtime.block_on(async {
            let (mut wire, mut client) = wire();
            let write = async move {
                let mut rest = &bytes[..];
                for cut in cuts.iter().cycle() {
                    if rest.is_empty() {
                        break;
                    }
                    let (head, tail) = rest.split_at((*cut).min(rest.len()));
                    client.write_all(head).await.unwrap();
                    tokio::task::yield_now().await;
                    rest = tail;
                }
            };
            tokio::join!(write, all(&mut wire)).1.0
        });
        let expected: Vec<Incoming> = texts.into_iter().map(Incoming::Text).collect();
        prop_assert_eq!(incoming, expected);
    }

    #[test]
    fn arbitrary_bytes_cause_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(received(&bytes));
    }
}
