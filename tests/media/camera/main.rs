//! A camera without hardware: the kernel's own virtual camera in a machine of
//! its own. Apart from the others, because it boots that machine:
//! `cargo xtask test --camera`.

mod machine;

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use visavis_tests::headless::Event;
use visavis_tests::programs;

use crate::machine::Machine;

const BOOT_LIMIT: Duration = Duration::from_secs(300);

/// What runs in the machine, with a webcam (0) and an HDMI input (1). The reports
/// go to files, and to the console only when all is done: two writers at once
/// would mix their lines.
const SCRIPT: &str = r#"
load_driver n_devs=2 node_types=0x1,0x1 num_inputs=1,1 input_types=0x00,0x03
cameras 640x360 >/formats
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
cp /camera /camera-until-then
# The driver keeps every buffer, then gives frames again, then goes away.
says() {
    until [ "$(grep -c "$2" "$1")" = "$3" ]; do
        sleep 0.2
    done
}
v4l2-ctl -d 0 -c percentage_of_dropped_buffers=100
says /camera camera-failed 1
v4l2-ctl -d 0 -c percentage_of_dropped_buffers=0
says /camera-log "state=Live" 2
v4l2-ctl -d 0 -c disconnect=1
says /camera camera-lost 1
kill $camera
wait $camera
for report in formats camera camera-log camera-until-then watcher watcher-log; do
    sed "s/^/$report: /" "/$report"
done
"#;

/// What a camera is asked for when nobody says otherwise. This driver has
/// 12.5 frames a second at most in that size.
const SIZE: (u32, u32) = (1280, 720);
const OPENED: &str = "camera opened format=1280x720@13 pixels=Yuyv";
/// Frames a second: software emulation on a loaded machine loses some.
const RATES: RangeInclusive<f64> = 6.0..=14.0;

/// The formats of either camera.
const FORMATS: [&str; 10] = [
    "Yuyv", "Uyvy", "Yvyu", "Yu12", "Yv12", "Nv12", "Nv21", "Rgb", "Bgr", "Grey",
];
/// What is read of each: the webcam has this rate, the other that of its cable.
const CAPTURED: [&str; 2] = [
    "640x360@30 frames=5 damaged=0",
    "640x360@60 frames=5 damaged=0",
];
/// The driver's colour bars at 75 %, in BT.601 and limited range: Y, U and V.
const BARS: [[i32; 3]; 8] = [
    [180, 128, 128],
    [162, 44, 142],
    [131, 156, 44],
    [112, 72, 58],
    [84, 184, 198],
    [65, 100, 212],
    [35, 212, 114],
    [16, 128, 128],
];
/// Their luma without colour, which this driver weighs as BT.709 does.
const GREY: [i32; 8] = [180, 167, 144, 133, 62, 51, 28, 16];
/// The driver rounds.
const COLOUR_TOLERANCE: i32 = 3;

/// Every format of both cameras was captured, with the driver's colours.
fn check_formats(lines: &[String]) -> Result<()> {
    let mut cameras = lines.split(|line| line.contains("vid-cap")).skip(1);
    for (number, captured) in CAPTURED.iter().enumerate() {
        let lines = cameras.next().context("two cameras are listed")?;
        for format in FORMATS {
            let begins = format!("{format} {captured} columns=");
            let columns = lines.iter().find_map(|line| line.strip_prefix(&begins));
            let columns =
                columns.with_context(|| format!("no five frames in {format}: {lines:#?}"))?;
            // The second camera's Y'CbCr is of BT.709, which is not converted.
            if number == 0 || matches!(format, "Rgb" | "Bgr" | "Grey") {
                check_bars(format, columns)?;
            }
        }
    }
    Ok(())
}

fn check_bars(format: &str, columns: &str) -> Result<()> {
    let columns: Vec<&str> = columns.split(' ').collect();
    ensure!(columns.len() == BARS.len(), "{format}: {columns:?}");
    for (number, column) in columns.iter().enumerate() {
        let bar = if format == "Grey" {
            [GREY[number], 128, 128]
        } else {
            BARS[number]
        };
        let values: Vec<i32> = column
            .split(',')
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let close = |(got, wanted): (&i32, i32)| (got - wanted).abs() <= COLOUR_TOLERANCE;
        ensure!(
            values.len() == 3 && values.iter().zip(bar).all(close),
            "{format}: {values:?} instead of {bar:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn cameras_of_the_kernel_are_captured_in_each_format_and_their_faults_are_reported()
-> Result<()> {
    let programs = [
        programs::built("visavis-server")?,
        programs::built("visavis-headless")?,
        programs::built("examples/cameras")?,
        programs::installed("v4l2-ctl")?,
    ];
    let mut machine = Machine::boot("vivid", &programs, SCRIPT).await?;
    machine.ends(BOOT_LIMIT).await?;

    check_formats(&machine.said("formats"))?;
    let log = machine.said("camera-log");
    ensure!(
        log.iter().any(|line| line.contains(OPENED)),
        "the camera was not opened as it should: {log:#?}"
    );
    ensure!(
        log.iter().any(|line| line.contains("it gives no picture")),
        "a camera that stalls was not reported as one: {log:#?}"
    );
    let camera = machine.events("camera-until-then");
    // One line a second for the watcher; pictures count while it takes them.
    let lines = camera
        .iter()
        .filter(|event| matches!(event, Event::Stats(_)));
    let seconds = lines.count() as f64;
    let events = machine.events("camera");
    let Some(Event::Summary(summary)) = events.last() else {
        bail!("the camera's participant came to no end");
    };
    let rate = summary.frames_captured as f64 / seconds;
    eprintln!("{rate:.1} pictures a second for {seconds} s: {summary:?}");
    ensure!(RATES.contains(&rate), "{rate:.1} pictures a second");

    let watcher = machine.events("watcher");
    let seen = watcher.iter().rev().find_map(|event| match event {
        Event::Stats(stats) => Some(*stats),
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
