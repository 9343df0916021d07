use bytes::Bytes;
use rtc::interceptor::RTPHeaderExtension;
use rtc::rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, RecvDelta, RunLengthChunk, StatusChunkTypeTcc, SymbolTypeTcc,
    TransportLayerCc,
};
use rtc::shared::marshal::Unmarshal;

use super::*;
use crate::state::bandwidth::{BandwidthState, PacketStatus};

const AUDIO: u32 = 1;
const VIDEO: u32 = 2;
const RTX: u32 = 3;
const EXTENSION: u8 = 4;

fn tagged(packet: Packet) -> TaggedPacket {
    TaggedPacket {
        now: Instant::now(),
        transport: Default::default(),
        message: AttributedPacket::new(packet),
    }
}

fn media(ssrc: u32, sequence_number: u16, bytes: usize) -> TaggedPacket {
    let header = rtp::header::Header {
        version: 2,
        ssrc,
        sequence_number,
        ..Default::default()
    };
    let payload = Bytes::from(vec![7; bytes]);
    tagged(Packet::Rtp(rtp::Packet { header, payload }))
}

/// An interceptor of a connection that is up, with an audio and a video stream.
fn interceptor() -> (BandwidthInterceptor, Arc<Bandwidth>) {
    let shared = Arc::new(Bandwidth::default());
    shared.set_connected(true);
    let mut interceptor =
        BandwidthInterceptor::new(shared.clone(), vec![Ssrc(AUDIO)], HashMap::new());
    for (ssrc, rtx) in [(AUDIO, None), (VIDEO, Some(RTX))] {
        interceptor.bind_local_stream(&StreamInfo {
            ssrc,
            ssrc_rtx: rtx,
            payload_type_rtx: rtx.map(|_| 97),
            rtp_header_extensions: vec![RTPHeaderExtension {
                uri: TRANSPORT_CC_URI.to_owned(),
                id: EXTENSION.into(),
            }],
            ..Default::default()
        });
    }
    (interceptor, shared)
}

fn rtp_of(packet: &TaggedPacket) -> &rtp::Packet {
    match &packet.message.packet {
        Packet::Rtp(packet) => packet,
        other => panic!("{other:?}"),
    }
}

fn transport_sequence(packet: &rtp::Packet) -> u16 {
    let mut bytes = packet.header.get_extension(EXTENSION).unwrap();
    let extension = TransportCcExtension::unmarshal(&mut bytes).unwrap();
    extension.transport_sequence
}

/// What is sent within this time.
fn drain(interceptor: &mut BandwidthInterceptor, time: Duration) -> Vec<TaggedPacket> {
    let end = Instant::now() + time;
    let mut sent = Vec::new();
    while Instant::now() < end {
        interceptor.handle_timeout(Instant::now()).unwrap();
        sent.extend(std::iter::from_fn(|| interceptor.poll_write()));
    }
    sent
}

#[test]
fn every_packet_is_numbered_in_the_order_of_sending() {
    let (mut interceptor, _) = interceptor();
    interceptor.handle_write(media(VIDEO, 10, 100)).unwrap();
    let mut repeated = media(RTX, 0, 100);
    repeated.message.add(Attribute::Retransmission);
    interceptor.handle_write(repeated).unwrap();
    interceptor.handle_write(media(AUDIO, 20, 100)).unwrap();
    let sent = drain(&mut interceptor, Duration::from_millis(100));
    let ssrcs: Vec<_> = sent.iter().map(|one| rtp_of(one).header.ssrc).collect();
    assert_eq!(ssrcs[..3], [AUDIO, RTX, VIDEO]);
    let first = transport_sequence(rtp_of(&sent[0]));
    for (offset, packet) in (0..).zip(&sent) {
        let expected = first.wrapping_add(offset);
        assert_eq!(transport_sequence(rtp_of(packet)), expected);
    }
}

#[test]
fn probes_repeat_video_on_the_rtx_stream_whose_numbers_continue() {
    let (mut interceptor, _) = interceptor();
    interceptor.handle_write(media(VIDEO, 10, 300)).unwrap();
    let mut repeated = media(RTX, 0, 100);
    repeated.message.add(Attribute::Retransmission);
    interceptor.handle_write(repeated).unwrap();
    let sent = drain(&mut interceptor, Duration::from_millis(150));
    let rtx: Vec<_> = sent
        .iter()
        .map(rtp_of)
        .filter(|packet| packet.header.ssrc == RTX)
        .collect();
    assert!(rtx.len() > 8, "the first probes: {}", rtx.len());
    for pair in rtx.windows(2) {
        let expected = pair[0].header.sequence_number.wrapping_add(1);
        assert_eq!(pair[1].header.sequence_number, expected);
    }
    let padding = rtx.last().unwrap();
    assert_eq!(padding.header.payload_type, 97);
    assert_eq!(padding.payload[..2], 10_u16.to_be_bytes());
    assert_eq!(padding.payload.len(), 302);
}

#[test]
fn a_retransmission_is_not_repeated_within_a_round_trip() {
    let (mut interceptor, _) = interceptor();
    interceptor.handle_write(media(VIDEO, 10, 300)).unwrap();
    assert_eq!(repeated_of(&mut interceptor, &[10, 10, 11, 10]), [10, 11]);
}

#[test]
fn what_precedes_the_newest_key_frame_is_not_repeated() {
    let (mut interceptor, _) = interceptor();
    let counters = Arc::new(OutboundCounters::default());
    interceptor.counters.insert(Ssrc(VIDEO), counters.clone());
    counters.key_frame_begins(crate::rtp::SequenceNumber(11));
    assert_eq!(repeated_of(&mut interceptor, &[10, 11, 12]), [11, 12]);
}

/// Which of these packets of the video are repeated when the peer requests them.
fn repeated_of(interceptor: &mut BandwidthInterceptor, requested: &[u16]) -> Vec<u16> {
    for original in requested {
        let mut repeated = media(RTX, 0, 100);
        if let Packet::Rtp(rtp) = &mut repeated.message.packet {
            let mut payload = rtp.payload.to_vec();
            payload[..2].copy_from_slice(&original.to_be_bytes());
            rtp.payload = payload.into();
        }
        repeated.message.add(Attribute::Retransmission);
        interceptor.handle_write(repeated).unwrap();
    }
    let sent = drain(interceptor, Duration::from_millis(20));
    let repeated = sent.iter().map(rtp_of).filter(|packet| {
        // Padding repeats whole packets of the video.
        packet.header.ssrc == RTX && packet.payload.len() == 100
    });
    let originals =
        repeated.map(|packet| u16::from_be_bytes([packet.payload[0], packet.payload[1]]));
    originals.collect()
}

#[test]
fn nothing_is_probed_before_the_connection_is_up() {
    let (mut interceptor, shared) = interceptor();
    shared.set_connected(false);
    assert!(drain(&mut interceptor, Duration::from_millis(20)).is_empty());
    assert_eq!(interceptor.poll_timeout(), None);
}

#[test]
fn rtcp_does_not_wait() {
    let (mut interceptor, _) = interceptor();
    for number in 0..10 {
        interceptor
            .handle_write(media(VIDEO, number, 1_000))
            .unwrap();
    }
    interceptor
        .handle_write(tagged(Packet::Rtcp(Vec::new())))
        .unwrap();
    let first = interceptor.poll_write().unwrap();
    assert!(matches!(first.message.packet, Packet::Rtcp(_)));
    let room = interceptor.shared.has_room();
    assert!(!*room.borrow());
    let deadline = Instant::now() + Duration::from_secs(20);
    while !*room.borrow() {
        assert!(Instant::now() < deadline, "the pacer never has room again");
        drain(&mut interceptor, Duration::from_millis(10));
    }
}

fn run(symbol: SymbolTypeTcc, run_length: u16) -> PacketStatusChunk {
    PacketStatusChunk::RunLengthChunk(RunLengthChunk {
        type_tcc: StatusChunkTypeTcc::RunLengthChunk,
        packet_status_symbol: symbol,
        run_length,
    })
}

fn deltas(micros: &[i64]) -> Vec<RecvDelta> {
    let delta = |delta: &i64| RecvDelta {
        type_tcc_packet: SymbolTypeTcc::PacketReceivedSmallDelta,
        delta: *delta,
    };
    micros.iter().map(delta).collect()
}

#[test]
fn feedback_is_read_from_the_network() {
    let (mut interceptor, shared) = interceptor();
    interceptor.handle_write(media(AUDIO, 20, 100)).unwrap();
    let sent = drain(&mut interceptor, Duration::from_millis(20));
    let first = transport_sequence(rtp_of(&sent[0]));
    let feedback = TransportLayerCc {
        base_sequence_number: first,
        packet_status_count: 1,
        packet_chunks: vec![run(SymbolTypeTcc::PacketReceivedSmallDelta, 1)],
        recv_deltas: deltas(&[1_000]),
        ..Default::default()
    };
    let packet = tagged(Packet::Rtcp(vec![Box::new(feedback)]));
    interceptor.handle_read(packet).unwrap();
    assert!(interceptor.poll_read().is_some(), "the others read it, too");
    drain(&mut interceptor, Duration::from_millis(150));
    let estimate = shared.estimate();
    assert_ne!(estimate.state, BandwidthState::Unknown);
    assert!(estimate.round_trip.is_some());
}

#[test]
fn runs_stay_runs_and_counts_are_bounded_by_the_total() {
    let feedback = TransportLayerCc {
        base_sequence_number: 7,
        packet_status_count: 20_000,
        reference_time: 9,
        packet_chunks: vec![
            run(SymbolTypeTcc::PacketReceivedLargeDelta, 2),
            run(SymbolTypeTcc::PacketNotReceived, 8_191),
            run(SymbolTypeTcc::PacketNotReceived, 8_191),
            run(SymbolTypeTcc::PacketReceivedWithoutDelta, 10),
            run(SymbolTypeTcc::PacketNotReceived, 8_191),
        ],
        recv_deltas: deltas(&[1_000, -500]),
        ..Default::default()
    };
    let read = reports::transport_feedback(&feedback);
    assert_eq!((read.base_sequence, read.reference_time), (7, 9));
    let expected = [
        PacketStatus::Received(4),
        PacketStatus::Received(-2),
        PacketStatus::Missing(16_382),
        PacketStatus::ReceivedUntimed(10),
        PacketStatus::Missing(3_606),
    ];
    assert_eq!(read.statuses, expected);
}
