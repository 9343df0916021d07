//! Plays a fuzz script to an assembler.

use super::{Assembler, AssemblyCounts, CAPACITY};
use crate::fuzzing::{Packets, Step};
use crate::packet::VideoCodec;

/// Steps between two checks of what is held.
const CHECK_STEPS: u32 = 8;

/// Checks that what is held is bounded, that counts only grow, and that frames of one
/// stream come in order.
pub(crate) fn fuzz(codec: VideoCodec, packets: &mut Packets<'_>) {
    let mut assembler = Assembler::new(codec);
    let mut before = AssemblyCounts::default();
    let mut last = None;
    for number in 1_u32.. {
        let Some(step) = packets.step() else {
            break;
        };
        match step {
            Step::Push(packet) => {
                assembler.push(packet);
            }
            Step::Read => {
                while let Some(frame) = assembler.pop(packets.now) {
                    let last = last.replace(frame.timestamp).unwrap_or(frame.timestamp);
                    let step = frame.timestamp.wrapping_sub(last) as i32;
                    assert!(!packets.is_one_stream || step >= 0, "out of order");
                    assert!(!frame.data.is_empty());
                }
            }
            Step::Other(0) => assembler.reset(codec),
            Step::Other(_) => assembler.require_key_frame(),
        }
        let counts = assembler.counts();
        assert!(counts.packets_lost >= before.packets_lost);
        assert!(counts.frames_dropped >= before.frames_dropped);
        before = counts;
        // It looks at every slot, which takes most of the time.
        if number.is_multiple_of(CHECK_STEPS) {
            check_held(&assembler);
        }
        if let Some(span) = packets.span() {
            assert!(counts.packets_lost <= span, "more lost than were sent");
        }
    }
    check_held(&assembler);
}

/// Checks that only packets of the window are held.
fn check_held(assembler: &Assembler) {
    let held = assembler.slots.iter().flatten().count() as u64;
    assert_eq!(assembler.slots.len() as u64, CAPACITY);
    let Some(window) = assembler.window else {
        assert_eq!(held, 0);
        return;
    };
    assert!(window.front <= window.end && window.end - window.front <= CAPACITY);
    let in_window = (window.front..window.end)
        .filter(|&number| assembler.slot(number).is_some())
        .count();
    assert_eq!(held, in_window as u64);
}
