//! The page's tiles, and which of them wait for a picture.

use std::collections::BTreeMap;
use std::num::NonZeroU8;

use serde::Deserialize;
use visavis_call::{ShownTrack, VideoSize};

use crate::pictures::Source;

/// The most tiles that a page may show.
const MAX_TILES: usize = 255;

/// Why a page's list of tiles is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum LayoutError {
    #[error("not a list of tiles: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("{0} tiles are too many")]
    TooMany(usize),
}

#[derive(Deserialize)]
struct Layout {
    tiles: Vec<Wanted>,
}

/// A tile as the page wants it: a box in device pixels that the whole picture
/// is to fit in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Wanted {
    pub tile: NonZeroU8,
    pub source: Source,
    pub width: u32,
    pub height: u32,
    /// Not shown: its source is to send nothing. One that is only not laid out yet has
    /// no size.
    #[serde(default)]
    pub hidden: bool,
}

impl Wanted {
    /// Whether it is laid out.
    fn has_size(&self) -> bool {
        self.width > 0 && self.height > 0
    }
}

/// A tile and its credit.
#[derive(Debug)]
pub(super) struct Tile {
    pub wanted: Wanted,
    /// Whether the page can take a picture.
    has_credit: bool,
    /// The version of the source that was sent last; 0 before the first.
    pub seen: u64,
}

/// Every tile of a page, by number.
#[derive(Debug, Default)]
pub(super) struct Tiles {
    by_number: BTreeMap<NonZeroU8, Tile>,
}

impl Tiles {
    /// Takes the page's list in the place of the former one. A tile that
    /// stays keeps its credit; one of another size gets its picture anew.
    pub fn replace(&mut self, text: &str) -> Result<(), LayoutError> {
        let Layout { tiles } = serde_json::from_str(text)?;
        if tiles.len() > MAX_TILES {
            return Err(LayoutError::TooMany(tiles.len()));
        }
        let mut former = std::mem::take(&mut self.by_number);
        for wanted in tiles {
            let stays = former
                .remove(&wanted.tile)
                .filter(|tile| tile.wanted.source == wanted.source);
            let same_size = |tile: &Tile| {
                (tile.wanted.width, tile.wanted.height) == (wanted.width, wanted.height)
            };
            let tile = Tile {
                has_credit: stays.as_ref().is_none_or(|tile| tile.has_credit),
                seen: stays
                    .as_ref()
                    .filter(|tile| same_size(tile))
                    .map_or(0, |tile| tile.seen),
                wanted,
            };
            self.by_number.insert(tile.wanted.tile, tile);
        }
        Ok(())
    }

    /// The page drew the tile with this number, and can take the next picture.
    pub fn credit(&mut self, number: u8) {
        if let Some(tile) =
            NonZeroU8::new(number).and_then(|number| self.by_number.get_mut(&number))
        {
            tile.has_credit = true;
        }
    }

    /// Uses a tile's credit for this version of its source.
    pub fn sent(&mut self, number: NonZeroU8, version: u64) {
        if let Some(tile) = self.by_number.get_mut(&number) {
            tile.has_credit = false;
            tile.seen = version;
        }
    }

    /// The tracks of others that are shown, and those that are hidden, which have no size.
    /// A tile that is not laid out yet says nothing.
    pub fn shown(&self) -> Vec<ShownTrack> {
        let track = |tile: &Tile| match &tile.wanted.source {
            Source::Me => None,
            Source::Participant(participant, source) => Some(ShownTrack {
                participant: participant.clone(),
                source: *source,
                size: if tile.wanted.hidden {
                    VideoSize::default()
                } else {
                    VideoSize {
                        width: tile.wanted.width,
                        height: tile.wanted.height,
                    }
                },
            }),
        };
        let has_place = |tile: &&Tile| tile.wanted.hidden || tile.wanted.has_size();
        let tiles = self.by_number.values().filter(has_place);
        tiles.filter_map(track).collect()
    }

    /// Those that are seen and have a credit.
    pub fn waiting(&self) -> impl Iterator<Item = &Tile> {
        let is_waiting =
            |tile: &&Tile| tile.has_credit && !tile.wanted.hidden && tile.wanted.has_size();
        self.by_number.values().filter(is_waiting)
    }
}

#[cfg(test)]
mod tests {
    use visavis_protocol::TrackSource;

    use super::*;

    fn layout(tiles: &[(u8, &str, u32)]) -> String {
        let tiles = tiles.iter().map(|(tile, source, width)| serde_json::json!({ "tile": tile, "source": source, "width": width, "height": 90 }));
        serde_json::json!({ "tiles": tiles.collect::<Vec<_>>() }).to_string()
    }

    fn waiting(tiles: &Tiles) -> Vec<(u8, u64)> {
        tiles
            .waiting()
            .map(|tile| (tile.wanted.tile.get(), tile.seen))
            .collect()
    }

    #[test]
    fn a_tile_waits_again_after_its_credit_and_hidden_or_removed_ones_do_not() {
        let mut tiles = Tiles::default();
        tiles
            .replace(&layout(&[(1, "me", 160), (2, "ann", 160), (3, "ben", 0)]))
            .unwrap();
        assert_eq!(waiting(&tiles), [(1, 0), (2, 0)]);
        tiles.sent(NonZeroU8::MIN, 7);
        assert_eq!(waiting(&tiles), [(2, 0)]);
        tiles.credit(1);
        tiles.credit(0);
        tiles.credit(99);
        assert_eq!(waiting(&tiles), [(1, 7), (2, 0)]);
        tiles.replace(&layout(&[(1, "me", 160)])).unwrap();
        assert_eq!(waiting(&tiles), [(1, 7)]);
    }

    #[test]
    fn a_new_size_gets_the_same_picture_again_but_no_second_credit() {
        let mut tiles = Tiles::default();
        tiles.replace(&layout(&[(1, "me", 160)])).unwrap();
        tiles.sent(NonZeroU8::MIN, 7);
        tiles.replace(&layout(&[(1, "me", 320)])).unwrap();
        assert_eq!(waiting(&tiles), []);
        tiles.credit(1);
        assert_eq!(waiting(&tiles), [(1, 0)]);
    }

    #[test]
    fn a_hidden_tile_asks_for_nothing_and_one_without_a_size_says_nothing() {
        let mut tiles = Tiles::default();
        let hidden = r#"{"tiles":[
            {"tile":1,"source":"ann","width":160,"height":90},
            {"tile":2,"source":"ben","width":0,"height":0},
            {"tile":3,"source":"chen","width":0,"height":0,"hidden":true},
            {"tile":4,"source":"screen:ann","width":320,"height":90,"hidden":true}]}"#;
        tiles.replace(hidden).unwrap();
        let shown: Vec<_> = tiles
            .shown()
            .into_iter()
            .map(|track| (track.participant, track.source, track.size.width))
            .collect();
        assert_eq!(
            shown,
            [
                ("ann".to_owned(), TrackSource::Camera, 160),
                ("chen".to_owned(), TrackSource::Camera, 0),
                ("ann".to_owned(), TrackSource::ScreenShare, 0),
            ]
        );
        assert_eq!(waiting(&tiles), [(1, 0)], "what is hidden is not drawn");
    }

    #[test]
    fn what_is_no_list_of_tiles_changes_nothing() {
        let mut tiles = Tiles::default();
        tiles.replace(&layout(&[(1, "me", 160)])).unwrap();
        let many: Vec<_> = (0..256).map(|n| ((n % 255) as u8 + 1, "me", 160)).collect();
        for text in ["", "{}", "[1]", &layout(&[(0, "me", 160)]), &layout(&many)] {
            assert!(tiles.replace(text).is_err(), "{text}");
        }
        assert_eq!(waiting(&tiles), [(1, 0)]);
    }
}
