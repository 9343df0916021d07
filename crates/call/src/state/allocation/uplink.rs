//! The uplink that all links share. Each link is estimated by itself, and its probes pass
//! while the others send less: after a common drop, the estimates together do not rise
//! above what they were then.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::peer::LinkId;

/// An estimate that falls to this share of the one before has met a limit.
const FALL: f64 = 0.9;
/// Falls of two links within this time have one cause.
const TOGETHER: Duration = Duration::from_secs(1);
/// The bound ends so long after the last common fall.
const HOLD: Duration = Duration::from_secs(5);

/// What is known of the uplink.
#[derive(Debug, Default)]
pub(super) struct Uplink {
    falls: BTreeMap<LinkId, Instant>,
    bound: Option<(u64, Instant)>,
}

impl Uplink {
    /// An estimate changed. Returns whether it fell together with another.
    pub(super) fn changed(
        &mut self,
        now: Instant,
        link: LinkId,
        before: Option<u64>,
        after: u64,
    ) -> bool {
        self.falls
            .retain(|_, at| now.saturating_duration_since(*at) <= TOGETHER);
        let fell = before.is_some_and(|before| after as f64 <= before as f64 * FALL);
        if fell {
            self.falls.insert(link, now);
        }
        fell && self.falls.len() > 1
    }

    /// The estimates together are this much after a common fall.
    pub(super) fn bound(&mut self, now: Instant, bits_per_second: u64) {
        self.bound = Some((bits_per_second, now));
    }

    /// The highest target of a link: with none above it, they add up to the uplink. Those
    /// of narrow links stay as they are.
    pub(super) fn level(&self, now: Instant, targets: impl Iterator<Item = u64>) -> u64 {
        let is_held = |at| now.saturating_duration_since(at) < HOLD;
        let Some((bound, _)) = self.bound.filter(|(_, at)| is_held(*at)) else {
            return u64::MAX;
        };
        let mut targets: Vec<u64> = targets.collect();
        targets.sort_unstable();
        let mut left = bound;
        for (narrower, target) in targets.iter().enumerate() {
            let even = left / (targets.len() - narrower) as u64;
            if *target > even {
                return even;
            }
            left -= target;
        }
        u64::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_common_fall_the_widest_links_share_what_the_narrow_ones_leave() {
        let now = Instant::now();
        let mut uplink = Uplink::default();
        let level = |uplink: &Uplink, now| uplink.level(now, [100, 700, 900].into_iter());
        assert_eq!(level(&uplink, now), u64::MAX);
        assert!(!uplink.changed(now, LinkId(1), Some(900), 500));
        assert!(!uplink.changed(now, LinkId(2), Some(900), 850));
        assert!(uplink.changed(now, LinkId(2), Some(850), 500));
        uplink.bound(now, 1_100);
        assert_eq!(level(&uplink, now), 500);
        uplink.bound(now, 1_700);
        assert_eq!(level(&uplink, now), u64::MAX);
        uplink.bound(now, 1_100);
        assert_eq!(level(&uplink, now + HOLD), u64::MAX);
    }

    #[test]
    fn falls_apart_in_time_have_nothing_in_common() {
        let now = Instant::now();
        let mut uplink = Uplink::default();
        assert!(!uplink.changed(now, LinkId(1), Some(900), 500));
        let later = now + TOGETHER + Duration::from_millis(1);
        assert!(!uplink.changed(later, LinkId(2), Some(900), 500));
    }
}
