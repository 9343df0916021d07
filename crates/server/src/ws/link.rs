//! The transport of one connection: reading, writing, keep-alive and rates, also while a
//! message is being handled.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use visavis_protocol::CloseCode;
use visavis_protocol::limits::MAX_MESSAGE_BYTES_BEFORE_JOIN;

use super::Reader;
use super::connection::{End, end_of};
use super::keepalive::{Due, KeepAlive};
use super::rate::{ClientRate, Cost, Verdict};
use crate::signalling::Kind;
use crate::socket::{Incoming, Outgoing, Queue, WireError};

/// Messages that are read while another is handled; past it reading stops.
const MOST_HELD: usize = 16;
/// The same in bytes.
const MOST_HELD_BYTES: usize = MAX_MESSAGE_BYTES_BEFORE_JOIN;

/// What the reader returned.
type Read = Result<Incoming, WireError>;

/// What a wait ended with.
enum Event {
    Parting,
    Filled(Result<(), CloseCode>),
    Alarm,
    Read(Read),
}

pub(super) struct Link {
    pub reader: Reader,
    pub queue: Queue,
    keep_alive: KeepAlive,
    /// `None` where rates are off.
    rate: Option<Box<ClientRate>>,
    /// Reading stops until then.
    paused_until: Option<Instant>,
    /// Read while another message was handled. An error is the last entry.
    held: VecDeque<Read>,
    /// The server closes its sockets.
    parting: CancellationToken,
    /// Cancelled when the connection ends while a message is handled.
    hung_up: CancellationToken,
}

impl Link {
    pub fn new(
        (reader, queue): (Reader, Queue),
        keep_alive: KeepAlive,
        rate: Option<Box<ClientRate>>,
        (parting, hung_up): (CancellationToken, CancellationToken),
    ) -> Self {
        Self {
            reader,
            queue,
            keep_alive,
            rate,
            paused_until: None,
            held: VecDeque::new(),
            parting,
            hung_up,
        }
    }

    pub fn next_ping(&self) -> Instant {
        self.keep_alive.deadline()
    }

    /// What was read next, if anything; pings and writes meanwhile.
    pub async fn next(&mut self, mut alarm: Pin<&mut Sleep>) -> Result<Option<Read>, End> {
        let reading = self.prepare(alarm.as_mut()).await?;
        if reading && let Some(held) = self.held.pop_front() {
            return Ok(Some(held));
        }
        match self.wait(alarm, reading).await {
            Event::Read(read) => {
                if read.is_ok() {
                    self.keep_alive.received(Instant::now());
                }
                Ok(Some(read))
            }
            event => self.follow(event).await.map(|()| None),
        }
    }

    /// Waits until a message is handled. Meanwhile it pings, writes, answers control
    /// frames and reads a bounded number of messages, which are handled later. Where the
    /// connection ends meanwhile, it says so by `hung_up` and waits for the end of the
    /// handling, which may hold a place in a room.
    pub async fn keep_up<T>(
        &mut self,
        mut alarm: Pin<&mut Sleep>,
        mut handled: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, End> {
        let mut stopped: Option<Instant> = None;
        let end = loop {
            if self.is_holding_enough() {
                let now = Instant::now();
                stopped.get_or_insert(now);
                // A client that is not read is not silent.
                self.keep_alive.received(now);
            }
            let reading = match self.prepare(alarm.as_mut()).await {
                Ok(reading) => reading && stopped.is_none(),
                Err(end) => break end,
            };
            let event = tokio::select! { biased;
                handled = &mut handled => {
                    if let Some(stopped) = stopped {
                        self.reader.pause(stopped.elapsed());
                    }
                    return Ok(handled);
                }
                event = self.wait(alarm.as_mut(), reading) => event,
            };
            if let Err(end) = self.follow(event).await {
                break end;
            }
        };
        self.hung_up.cancel();
        handled.await;
        Err(end)
    }

    /// Answers a control frame.
    pub async fn control(&mut self, frame: Incoming) -> Result<(), End> {
        let bytes = frame.len();
        match frame {
            Incoming::Ping(payload) => {
                self.queue.put(Outgoing::Pong(&payload));
                self.flush().await?;
            }
            Incoming::Close(code) => {
                self.queue.put(Outgoing::Close(&code));
                return Err(End::Closed);
            }
            Incoming::Pong | Incoming::Text(_) | Incoming::Binary(_) => {}
        }
        self.count(Cost::of(Kind::Other, bytes))
    }

    /// Counts a message against the rates; reading stops where one is exceeded.
    pub fn count(&mut self, cost: Cost) -> Result<(), End> {
        let now = Instant::now();
        let verdict = self.rate.as_mut().map(|rate| rate.count(now, cost));
        match verdict.unwrap_or(Verdict::Go) {
            Verdict::Go => Ok(()),
            Verdict::Wait(pause) => {
                self.paused_until = Some(now + pause);
                self.reader.pause(pause);
                Ok(())
            }
            Verdict::TooMuch => Err(End::Flooded),
        }
    }

    /// Sends everything queued, until the connection is to be closed.
    async fn flush(&self) -> Result<(), End> {
        tokio::select! { biased;
            flushed = self.queue.flush() => flushed.map_err(|_| End::Broken),
            () = self.parting.cancelled() => Err(End::Close(CloseCode::GoingAway.into())),
            code = self.queue.closed() => Err(End::Close(code.into())),
            () = sleep_until(self.keep_alive.silent_at().into()) => Err(End::Broken),
        }
    }

    /// Pings where a ping is due, and sets the alarm. Whether the rates let it read.
    async fn prepare(&mut self, mut alarm: Pin<&mut Sleep>) -> Result<bool, End> {
        let now = Instant::now();
        match self.keep_alive.due(now) {
            Due::Nothing => {}
            Due::Ping => {
                self.queue.put(Outgoing::Ping);
                self.flush().await?;
            }
            Due::Silent => return Err(End::Broken),
        }
        self.paused_until = self.paused_until.filter(|until| *until > now);
        let wanted = self.keep_alive.deadline();
        let wanted = self.paused_until.map_or(wanted, |until| until.min(wanted));
        // An early wake-up finds nothing due; resetting the timer for every
        // message would cost more.
        let wakes_at = alarm.deadline().into_std();
        if wakes_at > wanted || wakes_at <= now {
            alarm.as_mut().reset(wanted.into());
        }
        Ok(self.paused_until.is_none())
    }

    /// Waits for something to do. Cancel safe.
    async fn wait(&mut self, alarm: Pin<&mut Sleep>, reading: bool) -> Event {
        tokio::select! {
            () = self.parting.cancelled() => Event::Parting,
            filled = self.queue.filled() => Event::Filled(filled),
            () = alarm => Event::Alarm,
            read = self.reader.next(), if reading => Event::Read(read),
        }
    }

    async fn follow(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Alarm => Ok(()),
            Event::Parting => {
                self.flush().await?;
                Err(End::Close(CloseCode::GoingAway.into()))
            }
            Event::Filled(filled) => {
                filled.map_err(|code| End::Close(code.into()))?;
                self.flush().await
            }
            Event::Read(Ok(incoming)) => {
                self.keep_alive.received(Instant::now());
                match incoming {
                    Incoming::Text(_) | Incoming::Binary(_) => self.held.push_back(Ok(incoming)),
                    control => self.control(control).await?,
                }
                Ok(())
            }
            // Whether it may be read depends on the message that is being handled.
            Event::Read(Err(WireError::TooBig)) => {
                self.held.push_back(Err(WireError::TooBig));
                Ok(())
            }
            Event::Read(Err(error)) => Err(end_of(&error)),
        }
    }

    /// Whether nothing more may be read before the held messages are handled.
    fn is_holding_enough(&self) -> bool {
        let bytes = |read: &Read| read.as_ref().map_or(MOST_HELD_BYTES, Incoming::len);
        self.held.len() >= MOST_HELD
            || self.held.iter().map(bytes).sum::<usize>() >= MOST_HELD_BYTES
    }
}
