//! The connection quality of each participant and its cause, from measurements of each
//! second.
//!
//! What a participant's media suffers is theirs; what most participants suffer at once
//! is on our side. With one other participant the two cannot be told apart, and the
//! uplink is taken, which is the narrower half of most accesses.

mod report;
mod steady;

use std::collections::HashMap;
use std::time::Duration;

use crate::peer::LinkId;
use crate::statistics::QualityLimitationReason;
use crate::view::{ConnectionQuality, QualityCause, QualityView};
pub(crate) use report::QualityReporter;
use steady::Steady;

/// Measurements of one second of a link.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// Packets that came.
    pub received: u64,
    /// Packets that did not come, or too late.
    pub lost: u64,
    /// Round-trip time.
    pub round_trip: Option<Duration>,
    /// Interarrival jitter, the higher of audio and video.
    pub jitter: Duration,
    /// Freezes of the video that ended in this second.
    pub frozen: Duration,
    /// Share of the audio that was concealed, 0 to 1.
    pub concealed: f32,
    /// Share of the second that the decoder worked, 0 to 1.
    pub decoding: f32,
    /// Share of our packets that the peer reports as lost, 0 to 1.
    pub remote_loss: f32,
    /// What limits the video that is sent to the peer.
    pub limitation: QualityLimitationReason,
    /// Bits per second that the link to the peer carries, and that our sources can use.
    pub estimate: u64,
    /// See `estimate`.
    pub demand: u64,
}

/// Limits above which a second is impaired.
struct Limits {
    /// Share of packets lost: Opus FEC and NACK repair less without a trace.
    loss: f32,
    /// Share of audio concealed: from here on words are hard to understand.
    concealed: f32,
    /// Time frozen.
    frozen: Duration,
    /// Round-trip time at which people interrupt each other (ITU-T G.114: 400 ms one way
    /// is the limit, with encoding and buffers).
    round_trip: Duration,
    /// The jitter buffer delays by a multiple of it.
    jitter: Duration,
    /// Share of a second that a decoder works.
    decoding: f32,
    /// Share of the demand that a link carries.
    carried: f32,
}

/// Above these a second counts as impaired.
const ENTER: Limits = Limits {
    loss: 0.05,
    concealed: 0.05,
    frozen: Duration::from_millis(200),
    round_trip: Duration::from_millis(400),
    jitter: Duration::from_millis(60),
    decoding: 0.8,
    carried: 0.4,
};

/// Below all of these a second counts as good. Between the two nothing changes.
const LEAVE: Limits = Limits {
    loss: 0.025,
    concealed: 0.02,
    frozen: Duration::ZERO,
    round_trip: Duration::from_millis(300),
    jitter: Duration::from_millis(40),
    decoding: 0.6,
    carried: 0.6,
};

impl Sample {
    /// Share of packets lost, 0 to 1.
    pub fn loss(&self) -> f32 {
        let expected = self.received + self.lost;
        if expected == 0 {
            return 0.0;
        }
        self.lost as f32 / expected as f32
    }

    /// Whether packets from the peer do not come.
    fn is_reception_bad(&self, limits: &Limits) -> bool {
        self.loss() > limits.loss
            || self.concealed > limits.concealed
            || self.frozen > limits.frozen
    }

    fn is_delayed(&self, limits: &Limits) -> bool {
        self.round_trip.is_some_and(|time| time > limits.round_trip) || self.jitter > limits.jitter
    }

    fn is_decoder_busy(&self, limits: &Limits) -> bool {
        self.decoding > limits.decoding
    }

    /// Whether what we send does not arrive, or the link carries much less than our
    /// sources use.
    fn is_sending_bad(&self, limits: &Limits) -> bool {
        let is_narrow = self.limitation == QualityLimitationReason::Bandwidth
            && (self.estimate as f32) < limits.carried * self.demand as f32;
        is_narrow || self.remote_loss > limits.loss
    }
}

/// The quality of every link, and of the local user.
#[derive(Debug, Default)]
pub(crate) struct Quality {
    links: HashMap<LinkId, Link>,
    local: Steady,
}

#[derive(Debug, Default)]
struct Link {
    steady: Steady,
    is_lost: bool,
}

impl Quality {
    /// The link is connected: good until measurements say otherwise.
    pub fn connected(&mut self, link: LinkId) {
        self.links.insert(link, Link::default());
    }

    /// The link is disconnected. It is lost at once.
    pub fn disconnected(&mut self, link: LinkId) {
        if let Some(link) = self.links.get_mut(&link) {
            link.is_lost = true;
        }
    }

    /// A link takes the place of another.
    pub fn replaced(&mut self, old: LinkId, new: LinkId) {
        if let Some(mut link) = self.links.remove(&old) {
            link.is_lost = true;
            self.links.insert(new, link);
        }
    }

    /// Forgets the links that are gone.
    pub fn retain(&mut self, is_there: impl Fn(LinkId) -> bool) {
        self.links.retain(|link, _| is_there(*link));
    }

    /// Takes the measurements of a second.
    pub fn measured(&mut self, samples: &[(LinkId, Sample)]) {
        let causes = [&ENTER, &LEAVE].map(|limits| Causes::of(samples, limits));
        for (id, sample) in samples {
            let Some(link) = self.links.get_mut(id).filter(|link| !link.is_lost) else {
                continue;
            };
            let [enter, leave] = [(&causes[0], &ENTER), (&causes[1], &LEAVE)]
                .map(|(causes, limits)| causes.of_link(sample, limits));
            link.steady.second(enter, leave);
        }
        let [enter, leave] = causes.map(|causes| causes.of_local());
        self.local.second(enter, leave);
    }

    /// The quality of a link; none before it was connected.
    pub fn of(&self, link: LinkId) -> Option<QualityView> {
        let link = self.links.get(&link)?;
        Some(if link.is_lost {
            QualityView {
                level: ConnectionQuality::Lost,
                cause: None,
            }
        } else {
            view(link.steady.cause())
        })
    }

    /// The quality of what the local user sends; none while nobody is connected.
    pub fn of_local(&self) -> Option<QualityView> {
        let mut links = self.links.values().peekable();
        links.peek()?;
        Some(if links.all(|link| link.is_lost) {
            QualityView {
                level: ConnectionQuality::Lost,
                cause: None,
            }
        } else {
            view(self.local.cause())
        })
    }
}

fn view(cause: Option<QualityCause>) -> QualityView {
    QualityView {
        level: match cause {
            Some(_) => ConnectionQuality::Poor,
            None => ConnectionQuality::Good,
        },
        cause,
    }
}

/// What a second of all links says about our side.
struct Causes {
    is_downlink_bad: bool,
    is_uplink_bad: bool,
    is_encoder_busy: bool,
}

impl Causes {
    fn of(samples: &[(LinkId, Sample)], limits: &Limits) -> Self {
        let count = |is_bad: &dyn Fn(&Sample) -> bool| {
            samples.iter().filter(|(_, sample)| is_bad(sample)).count()
        };
        let receiving = count(&|sample| sample.is_reception_bad(limits));
        let sending = count(&|sample| sample.is_sending_bad(limits));
        let limited_by_cpu = |sample: &Sample| sample.limitation == QualityLimitationReason::Cpu;
        Self {
            is_downlink_bad: receiving >= 2 && receiving * 2 > samples.len(),
            is_uplink_bad: sending > 0 && sending * 2 > samples.len(),
            is_encoder_busy: count(&limited_by_cpu) > 0,
        }
    }

    /// A busy decoder explains freezes, and loss explains jitter.
    fn of_link(&self, sample: &Sample, limits: &Limits) -> Option<QualityCause> {
        if sample.is_decoder_busy(limits) {
            Some(QualityCause::Processor)
        } else if sample.is_reception_bad(limits) {
            Some(if self.is_downlink_bad {
                QualityCause::MyDownlink
            } else {
                QualityCause::TheirUplink
            })
        } else if sample.is_delayed(limits) {
            Some(QualityCause::Delay)
        } else {
            None
        }
    }

    fn of_local(&self) -> Option<QualityCause> {
        if self.is_encoder_busy {
            Some(QualityCause::Processor)
        } else if self.is_uplink_bad {
            Some(QualityCause::MyUplink)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
