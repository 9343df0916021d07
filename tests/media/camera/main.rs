//! A camera without hardware: the kernel's own virtual camera in a machine of
//! its own. Apart from the others, because it boots that machine:
//! `cargo xtask test --camera`.

mod machine;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use visavis_tests::headless::Event;
use visavis_tests::programs;

use crate::machine::Machine;

const BOOT_LIMIT: Duration = Duration::from_secs(300);

/// What runs in the machine. The reports go to files, and to the console only
/// when all is done: two writers at once would mix their lines.
const SCRIPT: &str = r#"
load_driver n_devs=1 node_types=0x1 num_inputs=1 input_types=0x00
visavis-server --listen 127.0.0.1:7420 &
export RUST_LOG=warn,visavis_media=debug NO_COLOR=1
headless="visavis-headless --server ws://127.0.0.1:7420/ws --audio none --play none"
$headless --create camera --video camera --stats /camera 2>/camera-log &
camera=$!
until [ "$room" ]; do
    sleep 0.2
    room=$(sed -n 's/.*"joined","room":"\([^"]*\)".*/\1/p' /camera)
done
$headless --room "$room" --video none --seconds 30 --stats /watcher 2>/watcher-log
kill $camera
wait $camera
for report in camera camera-log watcher watcher-log; do
    sed "s/^/$report: /" "/$report"
done
"#;

/// What a camera is asked for when nobody says otherwise. This driver has
/// 12.5 frames a second at most in that size, and 10 in whole ones.
const SIZE: (u32, u32) = (1280, 720);
const OPENED: &str = "camera opened format=1280x720@10FPS";
const RATE: f64 = 10.0;
/// Frames a second, of the driver in software emulation.
const TOLERANCE: f64 = 2.0;

#[tokio::test]
async fn a_camera_of_the_kernels_is_captured_in_the_size_and_rate_asked_for() -> Result<()> {
    let programs = [
        programs::built("visavis-server")?,
        programs::built("visavis-headless")?,
    ];
    let mut machine = Machine::boot("vivid", &programs, SCRIPT).await?;
    machine.ends(BOOT_LIMIT).await?;

    let log = machine.said("camera-log");
    ensure!(
        log.iter().any(|line| line.contains(OPENED)),
        "the camera was not opened as it should: {log:#?}"
    );
    let camera = machine.events("camera");
    // One line a second for the watcher; pictures count while it takes them.
    let lines = camera
        .iter()
        .filter(|event| matches!(event, Event::Stats(_)));
    let seconds = lines.count() as f64;
    let Some(Event::Summary(summary)) = camera.last() else {
        bail!("the camera's participant came to no end");
    };
    let rate = summary.frames_captured as f64 / seconds;
    eprintln!("{rate:.1} pictures a second for {seconds} s: {summary:?}");
    ensure!(
        (rate - RATE).abs() < TOLERANCE,
        "{rate:.1} pictures a second"
    );

    let watcher = machine.events("watcher");
    let seen = watcher.iter().rev().find_map(|event| match event {
        Event::Stats(stats) => Some(stats),
        _ => None,
    });
    let seen = seen.context("the watcher saw nobody")?;
    eprintln!("seen by the watcher: {seen:?}");
    ensure!(
        seen.frames_decoded > 0 && (seen.width, seen.height) == SIZE,
        "{seen:?}"
    );
    Ok(())
}
