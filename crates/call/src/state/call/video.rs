//! Who sends which video in which size.

use std::time::Instant;

use visavis_protocol::{Demand, DemandedTrack, PeerMessage, PeerPayload, Suspended};

use super::CallState;
use crate::command::ShownVideo;
use crate::peer::{LinkId, PeerCommand};
use crate::state::Effect;
use crate::state::allocation::{SentVideo, layer_for};
use crate::state::demand::{VIDEO, demanded, is_hidden};

impl CallState {
    /// The local user shows other video, or in other sizes.
    pub(super) fn show(&mut self, shown: ShownVideo) {
        self.shown = shown;
    }

    /// A peer demands its sizes of our tracks.
    pub(super) fn demanded_by(&mut self, index: usize, tracks: Vec<DemandedTrack>) {
        if let Some(link) = &mut self.remotes[index].link {
            link.video.demanded.want(tracks);
        }
    }

    /// Tells the peers what is shown of them, and the links what to receive and send,
    /// where that changed.
    pub(super) fn update_video(&mut self, now: Instant) {
        for remote in &mut self.remotes {
            let Some(link) = &mut remote.link else {
                continue;
            };
            let shown = demanded(&self.shown, &remote.id);
            let hidden = shown.iter().filter(|track| is_hidden(track));
            let hidden: Vec<_> = hidden.map(|track| track.source).collect();
            if hidden != link.video.hidden {
                link.video.hidden.clone_from(&hidden);
                let command = PeerCommand::SetHidden(hidden);
                self.effects.push(Effect::Peer(link.id, command));
            }
            link.video.demand.want(shown);
            // The allocation below reads what counts.
            let _ = link.video.demanded.due(now);
            if link.delivers()
                && let Some(tracks) = link.video.demand.due(now)
            {
                let payload = Demand {
                    tracks: tracks.to_vec(),
                    captions: None,
                };
                let message = PeerMessage::Demand(PeerPayload { payload });
                let command = PeerCommand::Send(Box::new(message));
                self.effects.push(Effect::Peer(link.id, command));
            }
        }
        self.allocate_video(now);
    }

    /// What is sent of our video on a link.
    pub(crate) fn sent_video(&self, link: LinkId) -> [SentVideo; 2] {
        let sizes = VIDEO.map(|source| self.local.size(source));
        self.video.sent(link, sizes)
    }

    /// Sets the layers that the peers get, and the encoders, by what is demanded and what
    /// the links carry.
    fn allocate_video(&mut self, now: Instant) {
        let sizes = VIDEO.map(|source| self.local.size(source));
        let current: Vec<_> = self.links().collect();
        self.video.retain(|link| current.contains(&link));
        let links = self.remotes.iter().filter_map(|one| one.link.as_ref());
        for link in links {
            let layers = std::array::from_fn(|track| {
                layer_for(sizes[track], link.video.demanded.of(VIDEO[track]))
            });
            self.video.demand(link.id, layers);
        }
        let encoders = self.video.update(now, sizes).into_iter();
        self.effects.extend(encoders.map(Effect::SetEncoder));
        let links = self.remotes.iter_mut().filter_map(|one| one.link.as_mut());
        for link in links {
            let suspended = self.video.suspended(link.id);
            if suspended != link.video.suspended && link.delivers() {
                tracing::info!(link = link.id.0, ?suspended, "video on a narrow link");
                link.video.suspended.clone_from(&suspended);
                let payload = Suspended { tracks: suspended };
                let message = PeerMessage::Suspended(PeerPayload { payload });
                let command = PeerCommand::Send(Box::new(message));
                self.effects.push(Effect::Peer(link.id, command));
            }
            let layers = self.video.layers(link.id);
            if layers != link.video.layers {
                link.video.layers = layers;
                let command = PeerCommand::SetLayers(layers);
                self.effects.push(Effect::Peer(link.id, command));
            }
        }
    }
}
