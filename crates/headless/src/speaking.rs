//! Who speaks, from the view of a call.

use std::collections::HashSet;

use visavis_call::CallView;

/// Those who speak.
#[derive(Default)]
pub struct Speakers(HashSet<String>);

impl Speakers {
    /// The participants who began or ended to speak since the last call, by id.
    pub fn update(&mut self, view: &CallView) -> Vec<(String, bool)> {
        let speaking = view.participants.iter().filter(|one| one.speaking);
        let now: HashSet<String> = speaking.map(|one| one.id.clone()).collect();
        let began = now.difference(&self.0).map(|id| (id.clone(), true));
        let ended = self.0.difference(&now).map(|id| (id.clone(), false));
        let changes = ended.chain(began).collect();
        self.0 = now;
        changes
    }
}
