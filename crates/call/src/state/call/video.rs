//! Who sends which video in which size.

use std::time::Instant;

use visavis_protocol::{Demand, DemandedTrack, PeerMessage, PeerPayload};

use super::CallState;
use crate::command::ShownVideo;
use crate::peer::PeerCommand;
use crate::state::Effect;
use crate::state::allocation::layer_for;
use crate::state::demand::{VIDEO, demanded, is_hidden};

impl CallState {
    /// The local user shows other video, or in other sizes.
    pub(super) fn show(&mut self, shown: ShownVideo) {
        self.shown = shown;
    }

    /// A peer demands its sizes of our tracks.
    pub(super) fn demanded_by(&mut self, index: usize, tracks: Vec<DemandedTrack>) {
        if let Some(link) = &mut self.remotes[index].link {
            link.video.demanded = tracks;
        }
    }

    /// Tells the peers what is shown of them, and the links what to send and receive,
    /// where that changed.
    pub(super) fn update_video(&mut self, now: Instant) {
        let sizes = VIDEO.map(|source| (source, self.local.size(source)));
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
            if link.delivers()
                && let Some(tracks) = link.video.demand.due(now)
            {
                let payload = Demand {
                    tracks,
                    captions: None,
                };
                let message = PeerMessage::Demand(PeerPayload { payload });
                let command = PeerCommand::Send(Box::new(message));
                self.effects.push(Effect::Peer(link.id, command));
            }
            let layers = sizes.map(|(source, size)| {
                let mut tracks = link.video.demanded.iter();
                let demand = tracks.find(|track| track.source == source);
                (source, layer_for(size, demand))
            });
            if layers != link.video.layers {
                link.video.layers = layers;
                let command = PeerCommand::SetLayers(layers);
                self.effects.push(Effect::Peer(link.id, command));
            }
        }
    }
}
