//! A window with text, shared by one participant and seen by another.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use visavis_tests::display::Display;
use visavis_tests::headless::{Event, Headless, MEDIA_LIMIT, SMALL, Stats};
use visavis_tests::server::RoomServer;
use visavis_tests::wait::wait_until;
use x11rb::COPY_DEPTH_FROM_PARENT;
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    ChangeGCAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, ImageFormat, Rectangle, Window,
    WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

const WIDTH: u16 = 1280;
const HEIGHT: u16 = 720;
const WHITE: u32 = 0xff_ffff;

/// How alike what was received has to be, and how soon after a change.
const LIKENESS: f64 = 0.97;
const SHARP_WITHIN: Duration = Duration::from_secs(2);

/// How long a snapshot may take to be written.
const SNAPSHOT_LIMIT: Duration = Duration::from_secs(10);

/// For how many seconds the still window is watched.
const STILL_SECONDS: usize = 5;

/// A window with pages of text.
struct Text {
    conn: RustConnection,
    window: Window,
}

impl Text {
    fn open(display: &str) -> Result<Self> {
        let (conn, number) = RustConnection::connect(Some(display))?;
        let root = conn.setup().roots[number].root;
        let window = conn.generate_id()?;
        let how = CreateWindowAux::new().background_pixel(WHITE);
        let (depth, class) = (COPY_DEPTH_FROM_PARENT, WindowClass::INPUT_OUTPUT);
        conn.create_window(depth, window, root, 0, 0, WIDTH, HEIGHT, 0, class, 0, &how)?;
        conn.map_window(window)?;
        // The pointer would be part of what is shared.
        conn.warp_pointer(x11rb::NONE, root, 0, 0, 0, 0, 1_279, 799)?;
        conn.sync()?;
        Ok(Self { conn, window })
    }

    /// Fills it with lines of text, of which no two are alike.
    fn write(&self, page: u32) -> Result<()> {
        let (conn, window) = (&self.conn, self.window);
        let font = conn.generate_id()?;
        conn.open_font(font, b"fixed")?;
        let gc = conn.generate_id()?;
        let how = CreateGCAux::new().font(font).background(WHITE);
        conn.create_gc(gc, window, &how.foreground(WHITE))?;
        let all = Rectangle {
            x: 0,
            y: 0,
            width: WIDTH,
            height: HEIGHT,
        };
        conn.poly_fill_rectangle(window, gc, &[all])?;
        conn.change_gc(gc, &ChangeGCAux::new().foreground(0))?;
        let mut random = page * 7_919 + 1;
        for row in 0..47 {
            let line: Vec<u8> = (0..200)
                .map(|_| {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    b' ' + (random >> 24) as u8 % 94
                })
                .collect();
            conn.image_text8(window, gc, 10, 20 + row * 15, &line)?;
        }
        conn.free_gc(gc)?;
        conn.close_font(font)?;
        conn.sync()?;
        Ok(())
    }

    /// The luma of what it shows, in the range of video.
    fn luma(&self) -> Result<Vec<f64>> {
        let format = ImageFormat::Z_PIXMAP;
        let image = self
            .conn
            .get_image(format, self.window, 0, 0, WIDTH, HEIGHT, u32::MAX)?
            .reply()?;
        let luma = |pixel: &[u8]| {
            let [blue, green, red] = [pixel[0], pixel[1], pixel[2]].map(f64::from);
            16.0 + (65.738 * red + 129.057 * green + 25.064 * blue) / 256.0
        };
        Ok(image.data.chunks_exact(4).map(luma).collect())
    }
}

/// How alike two lumas are: the mean of SSIM over blocks of 8x8 pixels.
fn ssim(one: &[f64], other: &[f64]) -> f64 {
    const SIDE: usize = 8;
    const COUNT: f64 = (SIDE * SIDE) as f64;
    const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
    const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);
    let (width, height) = (usize::from(WIDTH), usize::from(HEIGHT));
    let (mut sum, mut blocks) = (0.0, 0.0);
    for top in (0..=height - SIDE).step_by(SIDE) {
        for left in (0..=width - SIDE).step_by(SIDE) {
            let (mut a, mut b, mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for y in top..top + SIDE {
                for at in y * width + left..y * width + left + SIDE {
                    let (x, y) = (one[at], other[at]);
                    a += x;
                    b += y;
                    aa += x * x;
                    bb += y * y;
                    ab += x * y;
                }
            }
            let (a, b) = (a / COUNT, b / COUNT);
            let (aa, bb, ab) = (aa / COUNT - a * a, bb / COUNT - b * b, ab / COUNT - a * b);
            sum += (2.0 * a * b + C1) * (2.0 * ab + C2) / ((a * a + b * b + C1) * (aa + bb + C2));
            blocks += 1.0;
        }
    }
    sum / blocks
}

/// The newest frame of a member's screen that was decoded.
async fn received(one: &mut Headless, member: &str, folder: &Path) -> Result<Vec<f64>> {
    one.obeys(&json!({"command": "snapshot", "folder": folder}))
        .await?;
    let member = member.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let file = folder.join(format!("{member}-screen.y4m"));
    let data = wait_until("a frame as a file", SNAPSHOT_LIMIT, async || {
        Ok(std::fs::read(&file).ok())
    })
    .await?;
    std::fs::remove_file(&file)?;
    let head = format!("YUV4MPEG2 W{WIDTH} H{HEIGHT} F1:1 C420\nFRAME\n");
    let pixels = data.strip_prefix(head.as_bytes());
    let pixels = pixels.context("it does not have the window's size")?;
    let luma = &pixels[..usize::from(WIDTH) * usize::from(HEIGHT)];
    Ok(luma.iter().copied().map(f64::from).collect())
}

/// All figures of a member so far, one a second.
fn seconds(one: &Headless, member: &str) -> Vec<Stats> {
    let events = one.events().into_iter();
    let stats = events.filter_map(|event| match event {
        Event::Stats(stats) if stats.member == member => Some(*stats),
        _ => None,
    });
    stats.collect()
}

/// How many frames of the screen were sent in each second.
fn frames_sent(stats: &[Stats]) -> Vec<u64> {
    let sent = |stats: &Stats| stats.outbound["screen_share"]["framesSent"].as_u64();
    let totals: Vec<u64> = stats.iter().filter_map(sent).collect();
    totals.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test]
async fn the_text_of_a_shared_window_is_sharp_2_s_after_a_change_and_still_text_costs_a_heartbeat()
-> Result<()> {
    let display = Display::start().await?;
    let text = Text::open(display.name())?;
    let server = RoomServer::start(&[]).await?;
    let source = format!("window:{}", text.window);
    let environment = [("DISPLAY", display.name()), ("XDG_SESSION_TYPE", "x11")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let share = ["--video", SMALL, "--create", "share", "--share", &source];
    let anna = Headless::join_with("anna", &server.url(), &share, &environment).await?;
    let join = ["--video", SMALL, "--room", anna.room()];
    let mut bert = Headless::join("bert", &server.url(), &join).await?;
    let (of_anna, of_bert) = (anna.member().to_owned(), bert.member().to_owned());

    // The estimate begins low.
    wait_until("the rate that text needs", MEDIA_LIMIT, async || {
        let stats = anna.stats(&of_bert);
        Ok(stats.filter(|stats| stats.available_kbps > 2_000.0))
    })
    .await?;
    wait_until("the shared window", MEDIA_LIMIT, async || {
        let stats = bert.stats(&of_anna);
        Ok(stats.filter(|stats| stats.screen_frames_decoded > 0))
    })
    .await?;
    let folder = tempfile::tempdir()?;
    for page in 0..3 {
        let before = received(&mut bert, &of_anna, folder.path()).await?;
        text.write(page)?;
        let changed = Instant::now();
        let shown = text.luma()?;
        ensure!(ssim(&before, &shown) < 0.6, "page {page} is another one");
        loop {
            // When it was asked for: the frame is not newer.
            let elapsed = changed.elapsed();
            let seen = received(&mut bert, &of_anna, folder.path()).await?;
            let likeness = ssim(&seen, &shown);
            println!("page {page}: SSIM {likeness:.4} after {elapsed:.2?}");
            if likeness >= LIKENESS {
                break;
            }
            ensure!(elapsed < SHARP_WITHIN, "page {page}: SSIM {likeness:.4}");
        }
    }
    // While the text was made sharper, more was sent.
    let from = seconds(&anna, &of_bert).len() + 3;
    let still = wait_until("some seconds", MEDIA_LIMIT, async || {
        let stats = seconds(&anna, &of_bert);
        let still = stats.get(from..=from + STILL_SECONDS);
        Ok(still.map(frames_sent))
    })
    .await?;
    println!("frames sent in each second: {still:?}");
    let sent: u64 = still.iter().sum();
    let expected = STILL_SECONDS as u64 - 1..=STILL_SECONDS as u64 + 1;
    ensure!(expected.contains(&sent), "{still:?}");
    for one in [anna, bert] {
        one.leave().await?;
    }
    server.stop().await
}
