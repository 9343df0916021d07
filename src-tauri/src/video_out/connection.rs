//! One page.

use std::future::pending;
use std::num::NonZeroU8;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::select_all;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use visavis_media::Frame;

use super::layout::Tiles;
use super::{PagePictures, packet};
use crate::pictures::Source;

/// How soon a source is found that was not there when its tile was made.
const FIND_INTERVAL: Duration = Duration::from_millis(200);

/// Serves a page until it goes.
pub(super) async fn run(mut socket: WebSocketStream<TcpStream>, pictures: &dyn PagePictures) {
    let mut tiles = Tiles::default();
    // As many as there are credits.
    let mut packing = JoinSet::new();
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => match tiles.replace(&text) {
                    Ok(()) => pictures.show(tiles.shown()),
                    Err(error) => tracing::warn!(%error, "the page's tiles are not understood"),
                },
                Some(Ok(Message::Binary(numbers))) => numbers.iter().for_each(|number| tiles.credit(*number)),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            picture = next_picture(&tiles, pictures) => {
                tiles.sent(picture.tile, picture.version);
                // Scaling takes milliseconds: not on the runtime's threads.
                packing.spawn_blocking(move || picture.pack());
            }
            Some(packed) = packing.join_next() => {
                let Ok(packet) = packed else { return };
                if socket.send(Message::Binary(packet)).await.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep(FIND_INTERVAL) => {}
        }
    }
}

/// A picture that a tile waits for.
struct Picture {
    tile: NonZeroU8,
    version: u64,
    /// None: the source has no picture any longer.
    frame: Option<Frame>,
    mirrored: bool,
    width: u32,
    height: u32,
}

impl Picture {
    fn pack(&self) -> Bytes {
        match &self.frame {
            Some(frame) => packet::pack(self.tile, frame, self.width, self.height, self.mirrored),
            None => packet::no_picture(self.tile),
        }
    }
}

/// Waits for the next picture of any tile that waits for one.
async fn next_picture(tiles: &Tiles, pictures: &dyn PagePictures) -> Picture {
    let waits = tiles.waiting().filter_map(|tile| {
        let slot = pictures.find(&tile.wanted.source)?;
        // A source that began anew counts from the beginning.
        let seen = if slot.versioned().0 < tile.seen {
            0
        } else {
            tile.seen
        };
        let wanted = &tile.wanted;
        Some(Box::pin(async move {
            let (version, frame) = slot.changed(seen).await;
            let mirrored = wanted.source == Source::Me;
            Picture {
                tile: wanted.tile,
                version,
                frame,
                mirrored,
                width: wanted.width,
                height: wanted.height,
            }
        }))
    });
    let waits: Vec<_> = waits.collect();
    if waits.is_empty() {
        return pending().await;
    }
    select_all(waits).await.0
}
