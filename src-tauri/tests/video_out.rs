//! Pictures over a real WebSocket, with the test as the page.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use visavis_call::{ShownTrack, VideoSize};
use visavis_media::{Frame, Latest};
use visavis_protocol::TrackSource;
use visavis_shell::pictures::Source;
use visavis_shell::video_out::{PagePictures, VideoOut};

const LIMIT: Duration = Duration::from_secs(10);
const OWN_ORIGIN: &str = "tauri://localhost";

type Page = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Scene {
    video: VideoOut,
    me: Latest<Frame>,
    ann: Latest<Frame>,
    shown: Latest<Vec<ShownTrack>>,
}

struct Pictures {
    me: Latest<Frame>,
    ann: Latest<Frame>,
    shown: Latest<Vec<ShownTrack>>,
}

impl PagePictures for Pictures {
    fn find(&self, source: &Source) -> Option<Latest<Frame>> {
        match source {
            Source::Me => Some(self.me.clone()),
            Source::Participant(id, _) => (id == "ann").then(|| self.ann.clone()),
        }
    }

    fn show(&self, tracks: Vec<ShownTrack>) {
        self.shown.set(tracks);
    }
}

async fn scene() -> Scene {
    let (me, ann, shown) = (Latest::new(), Latest::new(), Latest::new());
    let pictures = Pictures {
        me: me.clone(),
        ann: ann.clone(),
        shown: shown.clone(),
    };
    Scene {
        video: VideoOut::start(pictures).await.unwrap(),
        me,
        ann,
        shown,
    }
}

async fn connect(url: &str, origin: Option<&'static str>) -> Result<Page, Error> {
    let mut request = url.into_client_request().unwrap();
    if let Some(origin) = origin {
        request
            .headers_mut()
            .insert("origin", HeaderValue::from_static(origin));
    }
    connect_async(request).await.map(|(page, _)| page)
}

impl Scene {
    async fn page(&self) -> Page {
        connect(&self.video.endpoint().url, Some(OWN_ORIGIN))
            .await
            .unwrap()
    }
}

/// A picture of one grey.
fn grey(luma: u8, width: u32, height: u32) -> Frame {
    let mut data = vec![128; Frame::len_of(width, height)];
    data[..(width * height) as usize].fill(luma);
    Frame::new(width, height, data.into(), Instant::now()).unwrap()
}

async fn show(page: &mut Page, tiles: &[(u8, &str, u32, u32)]) {
    let tiles = tiles.iter().map(|(tile, source, width, height)| serde_json::json!({ "tile": tile, "source": source, "width": width, "height": height }));
    let text = serde_json::json!({ "tiles": tiles.collect::<Vec<_>>() }).to_string();
    page.send(Message::text(text)).await.unwrap();
}

#[derive(Debug, PartialEq)]
struct Packet {
    tile: u32,
    width: u32,
    height: u32,
    flags: u32,
    /// The first byte of luma.
    luma: Option<u8>,
}

async fn next(page: &mut Page) -> Packet {
    let message = timeout(LIMIT, page.next())
        .await
        .expect("a picture in time")
        .unwrap()
        .unwrap();
    let data = message.into_data();
    let word = |n: usize| u32::from_le_bytes(data[4 * n..4 * n + 4].try_into().unwrap());
    let (width, height) = (word(1), word(2));
    assert_eq!(data.len(), 16 + (width * height * 3 / 2) as usize);
    Packet {
        tile: word(0),
        width,
        height,
        flags: word(3),
        luma: data.get(16).copied(),
    }
}

#[tokio::test]
async fn only_the_page_that_knows_the_token_and_is_ours_is_let_in() {
    let scene = scene().await;
    let url = scene.video.endpoint().url.clone();
    let (host, token) = url.rsplit_once('/').unwrap();
    assert_eq!(token.len(), 32);
    let wrong = format!("{host}/{}", "0".repeat(32));
    for (url, origin) in [
        (wrong.as_str(), Some(OWN_ORIGIN)),
        (host, Some(OWN_ORIGIN)),
        (url.as_str(), Some("https://example.org")),
        (url.as_str(), Some("null")),
        (url.as_str(), None),
    ] {
        let refused = connect(url, origin).await;
        assert!(
            matches!(refused, Err(Error::Http(response)) if response.status() == 403),
            "{url} {origin:?}"
        );
    }
    connect(&url, Some(OWN_ORIGIN)).await.unwrap();
}

#[tokio::test]
async fn each_tile_gets_its_newest_picture_scaled_and_the_next_after_its_credit() {
    let scene = scene().await;
    let mut page = scene.page().await;
    scene.me.set(grey(50, 640, 360));
    scene.ann.set(grey(60, 320, 180));
    show(
        &mut page,
        &[
            (1, "me", 160, 160),
            (2, "ann", 1000, 1000),
            (3, "nobody", 100, 100),
        ],
    )
    .await;
    let mut first = [next(&mut page).await, next(&mut page).await];
    first.sort_by_key(|packet| packet.tile);
    let [me, ann] = first;
    assert_eq!(
        me,
        Packet {
            tile: 1,
            width: 160,
            height: 90,
            flags: 1,
            luma: Some(50)
        }
    );
    assert_eq!(
        ann,
        Packet {
            tile: 2,
            width: 320,
            height: 180,
            flags: 0,
            luma: Some(60)
        }
    );

    // Without a credit for tile 1 its pictures stay; tile 2, with one, proves
    // that they had their chance.
    scene.me.set(grey(51, 640, 360));
    scene.me.set(grey(52, 640, 360));
    for luma in 61..70 {
        page.send(Message::binary(vec![2])).await.unwrap();
        scene.ann.set(grey(luma, 320, 180));
        assert_eq!(next(&mut page).await.tile, 2);
    }
    page.send(Message::binary(vec![1])).await.unwrap();
    let packet = next(&mut page).await;
    assert_eq!(
        (packet.tile, packet.luma),
        (1, Some(52)),
        "the newest, not what came between"
    );
}

#[tokio::test]
async fn a_picture_that_ends_is_told_and_a_removed_or_hidden_tile_gets_nothing() {
    let scene = scene().await;
    let mut page = scene.page().await;
    scene.ann.set(grey(60, 320, 180));
    show(&mut page, &[(1, "ann", 320, 180)]).await;
    assert_eq!(next(&mut page).await.luma, Some(60));
    scene.ann.clear();
    page.send(Message::binary(vec![1])).await.unwrap();
    assert_eq!(
        next(&mut page).await,
        Packet {
            tile: 1,
            width: 0,
            height: 0,
            flags: 2,
            luma: None
        }
    );

    show(&mut page, &[(2, "me", 0, 0), (3, "ann", 320, 180)]).await;
    page.send(Message::binary(vec![1, 2])).await.unwrap();
    assert_eq!(
        next(&mut page).await.tile,
        3,
        "a new tile learns that there is no picture"
    );
    for luma in 0..5 {
        scene.me.set(grey(luma, 320, 180));
        page.send(Message::binary(vec![3])).await.unwrap();
        scene.ann.set(grey(luma, 320, 180));
        assert_eq!(next(&mut page).await.tile, 3);
    }
}

#[tokio::test]
async fn nonsense_from_the_page_is_ignored() {
    let scene = scene().await;
    let mut page = scene.page().await;
    scene.me.set(grey(50, 320, 180));
    let many: Vec<_> = (1..=255)
        .chain([1])
        .map(|tile| (tile, "me", 10, 10))
        .collect();
    show(&mut page, &many).await;
    for text in [
        "",
        "{\"tiles\":[{}]}",
        "{\"tiles\":[{\"tile\":256,\"source\":\"me\",\"width\":1,\"height\":1}]}",
    ] {
        page.send(Message::text(text)).await.unwrap();
    }
    page.send(Message::binary(vec![0, 9, 255])).await.unwrap();
    show(&mut page, &[(7, "me", 320, 180)]).await;
    assert_eq!(next(&mut page).await.tile, 7);
}

#[tokio::test]
async fn the_call_hears_which_tracks_the_page_shows_and_in_which_size() {
    let scene = scene().await;
    let mut page = scene.page().await;
    let tiles = [
        (1, "me", 320, 180),
        (2, "ann", 640, 360),
        (3, "screen:ann", 0, 0),
    ];
    show(&mut page, &tiles).await;
    let (version, shown) = timeout(LIMIT, scene.shown.changed(0)).await.unwrap();
    let track = |source, width, height| ShownTrack {
        participant: "ann".into(),
        source,
        size: VideoSize { width, height },
    };
    let wanted = [track(TrackSource::Camera, 640, 360)];
    assert_eq!(
        shown.unwrap(),
        wanted,
        "a tile without a size is not laid out"
    );
    show(&mut page, &[(1, "me", 320, 180)]).await;
    let (_, shown) = timeout(LIMIT, scene.shown.changed(version)).await.unwrap();
    assert_eq!(shown.unwrap(), []);
}

#[tokio::test]
async fn silent_connections_keep_the_page_out_no_longer_than_a_moment() {
    let scene = scene().await;
    let url = &scene.video.endpoint().url;
    let address = url.trim_start_matches("ws://").split('/').next().unwrap();
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    scene.me.set(grey(200, 64, 36));
    let mut page = timeout(Duration::from_secs(3), scene.page()).await.unwrap();
    show(&mut page, &[(1, "me", 64, 36)]).await;
    assert_eq!(next(&mut page).await.tile, 1);
}
