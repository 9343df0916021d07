use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// VP8 packets of frames of `packets` packets each, every tenth a key frame.
/// A frame's bytes are its number, so that it can be told.
fn stream(first_sequence: u16, frames: u32, packets: usize) -> Vec<RtpPacket> {
    let now = Instant::now();
    let mut sequence = first_sequence;
    let mut stream = Vec::new();
    for number in 0..frames {
        for place in 0..packets {
            let tag = u8::from(!number.is_multiple_of(10));
            let payload = if place == 0 {
                vec![0x10, tag, number as u8]
            } else {
                vec![0x00, place as u8]
            };
            stream.push(RtpPacket {
                sequence,
                timestamp: number.wrapping_mul(3_000).wrapping_sub(30_000),
                marker: place + 1 == packets,
                payload: Bytes::from(payload),
                arrived_at: now,
            });
            sequence = sequence.wrapping_add(1);
        }
    }
    stream
}

fn number(frame: &AssembledFrame) -> u32 {
    u32::from(frame.data[1])
}

fn pop_all(assembler: &mut Assembler, now: Instant) -> Vec<AssembledFrame> {
    std::iter::from_fn(|| assembler.pop(now)).collect()
}

fn run(packets: impl IntoIterator<Item = RtpPacket>) -> (Assembler, Vec<u32>) {
    let mut assembler = Assembler::new(VideoCodec::Vp8);
    let now = Instant::now();
    let mut numbers = Vec::new();
    for packet in packets {
        assembler.push(packet);
        numbers.extend(pop_all(&mut assembler, now).iter().map(number));
    }
    (assembler, numbers)
}

#[test]
fn frames_come_whole_and_in_order_past_the_wrap_of_sequence_numbers() {
    let (assembler, numbers) = run(stream(65_500, 60, 3));
    assert_eq!(numbers, (0..60).collect::<Vec<_>>());
    assert_eq!(assembler.counts(), AssemblyCounts::default());
    assert!(!assembler.key_frame_needed() && assembler.deadline().is_none());
}

#[test]
fn a_gap_repaired_in_time_costs_nothing() {
    let mut packets = stream(10, 20, 3);
    let late = packets.remove(13);
    packets.insert(40, late);
    let (assembler, numbers) = run(packets);
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    assert_eq!(assembler.counts(), AssemblyCounts::default());
}

#[test]
fn a_gap_not_repaired_skips_to_the_next_key_frame_and_asks_for_one() {
    let mut packets = stream(10, 20, 3);
    packets.remove(13);
    let mut assembler = Assembler::new(VideoCodec::Vp8);
    let start = Instant::now();
    packets
        .drain(..24)
        .for_each(|packet| assert_eq!(assembler.push(packet), Inserted::New));
    assert_eq!(pop_all(&mut assembler, start).len(), 4);
    assert_eq!(assembler.deadline(), Some(start + REPAIR_LIMIT));
    assert!(!assembler.key_frame_needed());
    assert_eq!(assembler.pop(start + REPAIR_LIMIT), None);
    assert!(assembler.key_frame_needed());
    packets
        .into_iter()
        .for_each(|packet| assert_eq!(assembler.push(packet), Inserted::New));
    let numbers: Vec<u32> = pop_all(&mut assembler, start + REPAIR_LIMIT)
        .iter()
        .map(number)
        .collect();
    assert_eq!(numbers, (10..20).collect::<Vec<_>>());
    assert!(!assembler.key_frame_needed());
    assert_eq!(
        assembler.counts(),
        AssemblyCounts {
            packets_lost: 1,
            frames_dropped: 6
        }
    );
}

#[test]
fn a_stream_joined_in_its_middle_starts_at_a_key_frame_that_is_asked_for() {
    let packets = stream(0, 20, 2);
    let (assembler, numbers) = run(packets[6..14].to_vec());
    assert!(numbers.is_empty() && assembler.key_frame_needed());
    let (assembler, numbers) = run(packets[7..].to_vec());
    assert_eq!(numbers, (10..20).collect::<Vec<_>>());
    assert!(!assembler.key_frame_needed());
}

#[test]
fn a_missing_marker_is_made_good_by_the_next_timestamp() {
    let mut packets = stream(0, 5, 2);
    packets.iter_mut().for_each(|packet| packet.marker = false);
    assert_eq!(run(packets).1, [0, 1, 2, 3]);
}

#[test]
fn numbers_that_start_anew_are_followed_and_stray_ones_are_not() {
    let mut packets = stream(100, 10, 2);
    let mut stray = packets[0].clone();
    stray.sequence = 30_000;
    packets.insert(5, stray);
    packets.extend(stream(20_000, 20, 2));
    let (assembler, numbers) = run(packets);
    assert_eq!(numbers, (0..10).chain(0..20).collect::<Vec<_>>());
    assert_eq!(assembler.counts().packets_lost, 0);
}

/// Arrival is taken from the packet.
fn at(packet: &RtpPacket, arrived_at: Instant) -> RtpPacket {
    RtpPacket {
        arrived_at,
        ..packet.clone()
    }
}

#[test]
fn a_frame_knows_when_its_packets_arrived_and_whether_one_was_sent_again() {
    let start = Instant::now();
    let ms = |ms| start + Duration::from_millis(ms);
    let arrivals = [0, 1, 2, 10, 90, 12, 20, 21, 80, 30, 31, 32];
    let mut packets: Vec<RtpPacket> = stream(7, 4, 3)
        .iter()
        .zip(arrivals)
        .map(|(packet, after)| at(packet, ms(after)))
        .collect();
    packets.sort_by_key(|packet| packet.arrived_at);
    let mut assembler = Assembler::new(VideoCodec::Vp8);
    for packet in packets {
        assembler.push(packet);
    }
    let frames = pop_all(&mut assembler, ms(90));
    let times: Vec<_> = frames
        .iter()
        .map(|frame| (frame.first_arrival, frame.last_arrival, frame.is_repaired))
        .collect();
    // Of the third frame the last packet came after the fourth frame.
    let expected = [
        (ms(0), ms(2), false),
        (ms(10), ms(90), true),
        (ms(20), ms(80), true),
        (ms(30), ms(32), false),
    ];
    assert_eq!(times, expected);
}

#[test]
fn late_repairs_of_a_gap_that_was_given_up_change_nothing() {
    let packets = stream(10, 40, 3);
    let (mut assembler, start) = (Assembler::new(VideoCodec::Vp8), Instant::now());
    let (lost, ends) = (12..30, 36);
    let mut numbers = Vec::new();
    for packet in [&packets[..lost.start], &packets[lost.end..ends]].concat() {
        assembler.push(packet);
        numbers.extend(pop_all(&mut assembler, start).iter().map(number));
    }
    let now = start + REPAIR_LIMIT;
    numbers.extend(pop_all(&mut assembler, now).iter().map(number));
    assert_eq!(numbers, [0, 1, 2, 3, 10, 11]);
    let counts = assembler.counts();
    assert_eq!(counts.packets_lost, 18);
    // In their order, out of it, and again: none of them is of a new stream.
    for _ in 0..3 {
        for late in packets[lost.clone()]
            .iter()
            .chain(packets[..20].iter().rev())
        {
            let late = at(late, now + 5 * REPAIR_LIMIT);
            assert_eq!(assembler.push(late), Inserted::Outside);
        }
    }
    assert!(!assembler.key_frame_needed() && assembler.counts() == counts);
    for packet in &packets[ends..] {
        assert_eq!(assembler.push(packet.clone()), Inserted::New);
    }
    let rest: Vec<u32> = pop_all(&mut assembler, now).iter().map(number).collect();
    assert_eq!(rest, (12..40).collect::<Vec<_>>());
}

#[test]
fn a_stream_that_restarts_a_little_behind_is_followed() {
    for (newer, after) in [(true, 1), (false, LATE_RUN as usize - 1)] {
        let packets = stream(5_000, 10, 2);
        let mut assembler = Assembler::new(VideoCodec::Vp8);
        let start = Instant::now();
        for packet in packets {
            assembler.push(packet);
        }
        assert_eq!(pop_all(&mut assembler, start).len(), 10);
        let later = start + LATE_LIMIT;
        let again = stream(4_000, 40, 2).into_iter().map(|packet| RtpPacket {
            timestamp: packet
                .timestamp
                .wrapping_add(if newer { 900_000 } else { 0 }),
            ..at(&packet, later)
        });
        let inserted: Vec<Inserted> = again.map(|packet| assembler.push(packet)).collect();
        let followed = inserted.iter().position(|what| *what == Inserted::New);
        assert_eq!(followed, Some(after));
        assert!(!pop_all(&mut assembler, later).is_empty());
        assert_eq!(assembler.counts().packets_lost, 0);
    }
}

#[test]
fn packets_that_the_first_overtook_are_used_and_those_before_it_are_not_lost() {
    let packets = stream(65_534, 20, 3);
    let mut overtaken = packets.clone();
    let first = overtaken.remove(1);
    overtaken.insert(0, first);
    let (assembler, numbers) = run(overtaken);
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    assert_eq!(assembler.counts(), AssemblyCounts::default());
    // Of the first frame only the middle and then the beginning come.
    let mut assembler = Assembler::new(VideoCodec::Vp8);
    let start = Instant::now();
    for at in [4, 0, 5, 6] {
        assembler.push(packets[at].clone());
    }
    assert_eq!(assembler.deadline(), None);
    assert!(pop_all(&mut assembler, start).is_empty());
    pop_all(&mut assembler, start + REPAIR_LIMIT);
    assert_eq!(assembler.counts().packets_lost, 0);
}

#[test]
fn after_a_reset_late_packets_are_not_used_and_what_was_passed_over_is_not_lost() {
    let packets = stream(0, 60, 2);
    let (mut assembler, numbers) = run(packets[..6].to_vec());
    assert_eq!(numbers, [0, 1, 2]);
    assembler.reset(VideoCodec::Vp8);
    for late in &packets[..6] {
        assert_eq!(assembler.push(late.clone()), Inserted::Outside);
    }
    for packet in &packets[100..] {
        assembler.push(packet.clone());
    }
    let rest: Vec<u32> = pop_all(&mut assembler, Instant::now())
        .iter()
        .map(number)
        .collect();
    assert_eq!(rest, (50..60).collect::<Vec<_>>());
    assert_eq!(assembler.counts(), AssemblyCounts::default());
}

#[test]
fn a_long_outage_is_loss_and_a_far_jump_is_not() {
    for (jump, lost) in [(2_000, 2_000), (20_000, 0)] {
        let mut packets = stream(100, 10, 2);
        packets.extend(stream(120 + jump, 10, 2));
        let (assembler, numbers) = run(packets);
        assert_eq!(numbers, (0..10).chain(0..10).collect::<Vec<_>>());
        assert_eq!(assembler.counts().packets_lost, lost);
    }
}

/// H.264 packets of one NAL unit each: timestamp, marker, unit.
fn h264(units: &[(u32, bool, &'static [u8])]) -> Vec<RtpPacket> {
    let numbered = units.iter().zip(7_u16..);
    numbered
        .map(|((timestamp, marker, unit), sequence)| RtpPacket {
            sequence,
            timestamp: *timestamp,
            marker: *marker,
            payload: Bytes::from_static(unit),
            arrived_at: Instant::now(),
        })
        .collect()
}

const SPS: &[u8] = &[0x67, 0x42, 0xE0, 0x1F, 0x80];
const PPS: &[u8] = &[0x68, 0xC0];
const IDR: &[u8] = &[0x65, 0x88, 1];
const IDR_REST: &[u8] = &[0x65, 0x08, 2];
const SLICE: &[u8] = &[0x41, 0x9A, 3];

/// The frames: their timestamps and whether they are key frames.
fn h264_frames(assembler: &mut Assembler, packets: Vec<RtpPacket>) -> Vec<(u32, bool)> {
    for packet in packets {
        assembler.push(packet);
    }
    let frames = pop_all(assembler, Instant::now());
    frames
        .iter()
        .map(|frame| (frame.timestamp, frame.key_frame))
        .collect()
}

#[test]
fn parameter_sets_in_an_access_unit_of_their_own_belong_to_the_next_picture() {
    for marker in [false, true] {
        let mut assembler = Assembler::new(VideoCodec::H264);
        let packets = h264(&[
            (1, false, SPS),
            (1, marker, PPS),
            (2, false, IDR),
            (2, true, IDR_REST),
            (3, true, SLICE),
            (4, true, IDR),
        ]);
        let frames = h264_frames(&mut assembler, packets);
        assert_eq!(frames, [(2, true), (3, false), (4, true)]);
        assert_eq!(assembler.counts(), AssemblyCounts::default());
        assert!(!assembler.key_frame_needed());
    }
}

#[test]
fn an_idr_picture_needs_parameter_sets_from_somewhere() {
    let packets = h264(&[
        (1, true, &[0x09, 0xF0]),
        (2, false, IDR),
        (2, true, IDR_REST),
    ]);
    let mut assembler = Assembler::new(VideoCodec::H264);
    assert_eq!(h264_frames(&mut assembler, packets.clone()), []);
    assert!(assembler.key_frame_needed());
    let mut assembler = Assembler::new(VideoCodec::H264);
    assembler.learn_parameter_set(SPS);
    assembler.learn_parameter_set(PPS);
    assert_eq!(h264_frames(&mut assembler, packets), [(2, true)]);
}

#[test]
fn an_idr_picture_whose_beginning_is_lost_is_not_shown_with_old_parameter_sets() {
    let mut assembler = Assembler::new(VideoCodec::H264);
    assembler.learn_parameter_set(SPS);
    assembler.learn_parameter_set(PPS);
    let mut packets = h264(&[
        (1, true, IDR),
        (2, false, SPS),
        (2, false, PPS),
        (2, true, IDR),
        (3, true, SLICE),
        (4, true, IDR),
    ]);
    packets.remove(1);
    assert_eq!(h264_frames(&mut assembler, packets), [(1, true)]);
    let frames = pop_all(&mut assembler, Instant::now() + REPAIR_LIMIT);
    let timestamps: Vec<u32> = frames.iter().map(|frame| frame.timestamp).collect();
    assert_eq!(timestamps, [4]);
}

#[test]
fn after_a_reset_a_key_frame_is_awaited_but_not_asked_for() {
    let mut packets = stream(0, 20, 2);
    let (mut assembler, _) = run(packets.drain(..6));
    assembler.reset(VideoCodec::Vp8);
    assert!(!assembler.key_frame_needed());
    for packet in packets.drain(14..) {
        assembler.push(packet);
    }
    assert_eq!(pop_all(&mut assembler, Instant::now()).len(), 10);
}

#[derive(Debug, Clone)]
enum Fate {
    Comes { after: usize },
    ComesTwice,
    Lost,
}

fn fates(count: usize) -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        20 => Just(Fate::Comes { after: 0 }),
        3 => (1_usize..20).prop_map(|after| Fate::Comes { after }),
        1 => Just(Fate::ComesTwice),
        1 => Just(Fate::Lost),
    ];
    proptest::collection::vec(fate, count)
}

/// A network: what arrives, in its order, 10 ms apart.
fn delivered(packets: Vec<RtpPacket>, fates: &[Fate]) -> Vec<RtpPacket> {
    let mut arrivals = Vec::new();
    for (place, (packet, fate)) in packets.into_iter().zip(fates).enumerate() {
        match fate {
            Fate::Comes { after } => arrivals.push((place + after, packet)),
            Fate::ComesTwice => {
                arrivals.push((place, packet.clone()));
                arrivals.push((place + 3, packet));
            }
            Fate::Lost => {}
        }
    }
    arrivals.sort_by_key(|(place, _)| *place);
    arrivals.into_iter().map(|(_, packet)| packet).collect()
}

const FRAMES: u32 = 100;
const PACKETS: usize = 3;

proptest! {
    #[test]
    fn whatever_the_network_does_frames_are_whole_ordered_and_decodable(
        first in any::<u16>(),
        fates in fates(FRAMES as usize * PACKETS),
    ) {
        let mut assembler = Assembler::new(VideoCodec::Vp8);
        let mut now = Instant::now();
        let mut last: Option<u32> = None;
        // A last, clean group of frames: decoding must have come back by then.
        let mut packets = delivered(stream(first, FRAMES, PACKETS), &fates);
        let tail = stream(first.wrapping_add((FRAMES as usize * PACKETS) as u16), 20, PACKETS);
        let tail_begins = packets.len();
        packets.extend(tail.into_iter().map(|packet| RtpPacket {
            timestamp: packet.timestamp.wrapping_add(3_000 * FRAMES),
            payload: if packet.payload[0] == 0x10 {
                Bytes::from(vec![0x10, packet.payload[1], packet.payload[2] + FRAMES as u8])
            } else {
                packet.payload
            },
            ..packet
        }));
        let mut seen = Vec::new();
        for (place, packet) in packets.into_iter().enumerate() {
            now += if place == tail_begins { REPAIR_LIMIT } else { Duration::from_millis(10) };
            assembler.push(packet);
            for frame in pop_all(&mut assembler, now) {
                prop_assert_eq!(frame.data.len(), 2 + PACKETS - 1);
                let number = number(&frame);
                prop_assert_eq!(frame.key_frame, number.is_multiple_of(10));
                let follows = last.map_or(frame.key_frame, |last| number == last + 1 || (frame.key_frame && number > last));
                prop_assert!(follows, "{} after {:?}", number, last);
                last = Some(number);
                seen.push(number);
            }
        }
        prop_assert_eq!(last, Some(FRAMES + 19));
        let given_out = seen.len() as u64;
        prop_assert!(given_out + assembler.counts().frames_dropped <= u64::from(FRAMES + 20));
    }

    #[test]
    fn garbage_never_panics_and_good_frames_are_found_after_it(
        garbage in proptest::collection::vec((any::<u16>(), any::<u32>(), any::<bool>(), any::<Vec<u8>>()), 0..200),
        near in any::<bool>(),
        h264 in any::<bool>(),
    ) {
        let codec = if h264 { VideoCodec::H264 } else { VideoCodec::Vp8 };
        let mut assembler = Assembler::new(codec);
        let mut now = Instant::now();
        for (sequence, timestamp, marker, payload) in garbage {
            let sequence = if near { 900 + sequence % 200 } else { sequence };
            assembler.push(RtpPacket { sequence, timestamp, marker, payload: payload.into(), arrived_at: now });
            now += Duration::from_millis(10);
            pop_all(&mut assembler, now);
        }
        // Good frames of one packet each, every second one a key frame.
        let mut good = 0;
        for number in 0..40_u16 {
            now += REPAIR_LIMIT;
            let key: &[u8] = if h264 { &[24, 0, 1, 0x67, 0, 2, 0x65, 0x88] } else { &[0x10, 0x00, 7] };
            let delta: &[u8] = if h264 { &[0x41, 7] } else { &[0x10, 0x01, 7] };
            let payload = Bytes::copy_from_slice(if number % 2 == 0 { key } else { delta });
            let timestamp = u32::from(number) * 3_000;
            assembler.push(RtpPacket { sequence: 1_100 + number, timestamp, marker: true, payload, arrived_at: now });
            let frames = pop_all(&mut assembler, now);
            good += usize::from(number >= 30 && frames.iter().any(|frame| frame.timestamp == timestamp));
        }
        prop_assert_eq!(good, 10);
    }
}
