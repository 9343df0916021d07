//! Text as it comes out of a decoder, and what is encoded for it.

use std::thread;
use std::time::{Duration, Instant};

use visavis_media::codec::{VideoDecoder, video_decoder};
use visavis_media::video::{Start, VideoSender};
use visavis_media::{EncodedVideo, Frame, Queue, VideoCodec, VideoFormat, VideoLayer};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{ConnectionExt as _, CreateGCAux, Window};

use crate::environment::{again, is_inner};
use crate::harness::{Client, Display, area};

const SIZE: (u16, u16) = (1280, 720);
const WHITE: u32 = 0xff_ffff;

/// How alike the luma of two frames is: the mean of SSIM over blocks of 8x8 pixels.
fn ssim(one: &Frame, other: &Frame) -> f64 {
    const SIDE: usize = 8;
    const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
    const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);
    assert_eq!((one.width(), one.height()), (other.width(), other.height()));
    let (width, height) = (one.width() as usize, one.height() as usize);
    let count = (SIDE * SIDE) as f64;
    let (mut sum, mut blocks) = (0.0, 0.0);
    for top in (0..=height - SIDE).step_by(SIDE) {
        for left in (0..=width - SIDE).step_by(SIDE) {
            let (mut a, mut b, mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for at in
                (top..top + SIDE).flat_map(|y| (left..left + SIDE).map(move |x| y * width + x))
            {
                let (x, y) = (f64::from(one.y()[at]), f64::from(other.y()[at]));
                a += x;
                b += y;
                aa += x * x;
                bb += y * y;
                ab += x * y;
            }
            let (a, b) = (a / count, b / count);
            let (aa, bb, ab) = (aa / count - a * a, bb / count - b * b, ab / count - a * b);
            sum += (2.0 * a * b + C1) * (2.0 * ab + C2) / ((a * a + b * b + C1) * (aa + bb + C2));
            blocks += 1.0;
        }
    }
    sum / blocks
}

/// Fills a window with lines of text, of which no two are alike.
fn write_page(client: &Client, window: Window, page: u32) {
    let conn = &client.conn;
    client.fill(window, area(0, 0, SIZE.0, SIZE.1), WHITE);
    let font = conn.generate_id().unwrap();
    conn.open_font(font, b"fixed").unwrap();
    let gc = conn.generate_id().unwrap();
    let colours = CreateGCAux::new()
        .font(font)
        .foreground(0)
        .background(WHITE);
    conn.create_gc(gc, window, &colours).unwrap();
    let mut random = page * 7_919 + 1;
    for row in 0..47 {
        let line: Vec<u8> = (0..200)
            .map(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b' ' + (random >> 24) as u8 % 94
            })
            .collect();
        conn.image_text8(window, gc, 10, 20 + row * 15, &line)
            .unwrap();
    }
    conn.free_gc(gc).unwrap();
    conn.close_font(font).unwrap();
    client.sync();
}

struct Watcher {
    sender: VideoSender,
    queue: Queue<EncodedVideo>,
    decoder: Box<dyn VideoDecoder>,
}

impl Watcher {
    /// Decodes for this long. Returns the last frame and how many came.
    fn watch(&mut self, time: Duration) -> (Option<Frame>, usize) {
        let start = Instant::now();
        let (mut last, mut frames) = (None, 0);
        while start.elapsed() < time {
            let Some(encoded) = self.queue.try_next() else {
                thread::sleep(Duration::from_millis(5));
                continue;
            };
            frames += 1;
            let decoded = self.decoder.decode(&encoded.data, Instant::now()).unwrap();
            last = decoded.or(last);
        }
        (last, frames)
    }
}

fn text_is_sharp_and_still_text_costs_a_heartbeat(codec: VideoCodec) {
    let display = std::env::var("DISPLAY").unwrap();
    let client = Client::connect(&display);
    let window = client.window("text", area(0, 0, SIZE.0, SIZE.1), WHITE);
    let sender = VideoSender::new();
    let source = format!("window:{window}").parse().unwrap();
    sender.set_source(source, VideoFormat::default());
    let mut watcher = Watcher {
        queue: sender.subscribe(codec, VideoLayer::Full, Start::Soonest),
        sender,
        decoder: video_decoder(codec).unwrap(),
    };
    let (blank, _) = watcher.watch(Duration::from_secs(3));
    let mut previous = blank.expect("frames come");
    for page in 0..3 {
        write_page(&client, window, page);
        let (seen, _) = watcher.watch(Duration::from_secs(2));
        let seen = seen.expect("the page comes");
        let captured = watcher.sender.preview().get().expect("it is captured");
        assert!(ssim(&previous, &captured) < 0.6, "the page is another one");
        let likeness = ssim(&seen, &captured);
        println!("{codec:?}: SSIM {likeness:.4} 2 s after a change");
        assert!(likeness >= 0.97, "{codec:?}: SSIM {likeness:.4}");
        previous = captured;
    }
    let (_, frames) = watcher.watch(Duration::from_millis(3_500));
    assert!((3..=4).contains(&frames), "{frames} encodes in 3.5 s");
}

/// Runs a test of this name in the environment of a new display.
fn on_a_display(test: &str, inner: impl FnOnce()) {
    if is_inner() {
        return inner();
    }
    let display = Display::start();
    println!("{}", again(test, &[("DISPLAY", &display.name)]));
}

#[test]
fn vp8_shows_text_sharp_within_2_s_of_a_change_and_encodes_a_heartbeat_while_it_is_still() {
    let test = "sharp::vp8_shows_text_sharp_within_2_s_of_a_change_and_encodes_a_heartbeat_while_it_is_still";
    on_a_display(test, || {
        text_is_sharp_and_still_text_costs_a_heartbeat(VideoCodec::Vp8);
    });
}

#[test]
fn h264_shows_text_sharp_within_2_s_of_a_change_and_encodes_a_heartbeat_while_it_is_still() {
    let test = "sharp::h264_shows_text_sharp_within_2_s_of_a_change_and_encodes_a_heartbeat_while_it_is_still";
    on_a_display(test, || {
        text_is_sharp_and_still_text_costs_a_heartbeat(VideoCodec::H264);
    });
}
