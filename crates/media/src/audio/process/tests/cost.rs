//! What the stages cost.

use super::*;

/// Processor time of this thread in milliseconds.
#[cfg(target_os = "linux")]
fn milliseconds() -> f64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds: f64 = statistics.split(' ').next().unwrap().parse().unwrap();
    nanoseconds / 1e6
}

/// Resident memory of this process in KiB.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let memory = std::fs::read_to_string("/proc/self/statm").unwrap();
    memory.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "a measurement, to be run on its own"]
fn ten_milliseconds_of_sound_cost_at_most_0_3_with_all_stages_on() {
    let far = speech(FAR, 20);
    let echo = Room {
        delay_ms: 60,
        is_nonlinear: false,
        drift_ppm: 0.0,
    };
    let microphone = add(&echo.echo(&far), &speech(NEAR, 20));
    let off = SoundProcessing::OFF;
    let mut all = 0.0;
    for (name, settings) in [
        ("off", off),
        ("echo", ECHO),
        (
            "noise",
            SoundProcessing {
                noise_suppression: true,
                ..off
            },
        ),
        (
            "gain",
            SoundProcessing {
                auto_gain: true,
                ..off
            },
        ),
        ("all", SoundProcessing::default()),
    ] {
        let (memory, before) = (resident(), milliseconds());
        process(&far, &microphone, settings);
        all = (milliseconds() - before) / 2_000.0;
        let memory = resident().saturating_sub(memory);
        println!("COST {name}: {all:.3} ms for 10 ms, memory grew by {memory} KiB");
    }
    let mut activity = VoiceActivity::new();
    let before = milliseconds();
    for frame in microphone.chunks_exact(BLOCK_SAMPLES) {
        activity.hear(frame);
    }
    println!(
        "COST voice: {:.4} ms for 10 ms",
        (milliseconds() - before) / 2_000.0
    );
    let memory = resident();
    let processors: Vec<Processor> = (0..20)
        .map(|_| {
            let (mut writer, reader) = echo_reference();
            let mut processor = Processor::new();
            processor.set_reference(reader);
            for frame in microphone[..SECOND].chunks_exact(FRAME_SAMPLES) {
                writer.push(&[[0.1; 2]; BLOCK_SAMPLES], true);
                processor.process(&mut frame.to_vec(), SoundProcessing::default(), false);
            }
            processor
        })
        .collect();
    println!(
        "COST memory of one, all on: {} KiB",
        (resident() - memory) / processors.len()
    );
    assert!(all <= 0.3, "{all:.3} ms");
}
