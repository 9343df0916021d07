//! A shaped network between machines of their own: Linux network namespaces with a TUN
//! device each, and a router in this process that passes their packets through the link
//! model of `visavis-network-simulator`. The kernel needs no traffic shaping.
//!
//! Machine 0 is the server's: what it sends and receives is not shaped, so signalling
//! takes no part. Each other machine has an uplink and a downlink, which all its
//! packets pass whatever their destination. Lengths are those of IP packets.

mod router;
mod tun;

use std::sync::mpsc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use visavis_network_simulator::{Counters, Profile};

use self::router::{Message, Router};
use crate::namespaces::{Namespaces, address};

/// Which of a machine's two links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the machine.
    Up,
    /// To the machine.
    Down,
}

/// What a link was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// What happened to its packets.
    pub counters: Counters,
    /// The length of all of them, dropped and lost ones too.
    pub bytes: u64,
}

/// The running network. Dropping it removes the namespaces, which ends its threads.
pub struct Shaper {
    machines: Namespaces,
    router: mpsc::Sender<Message>,
}

impl Shaper {
    /// Makes a network of `count` machines, perfect at first. The same seed with the
    /// same packets at the same times has the same effect. `None` where the system
    /// does not allow it, which takes root and `/dev/net/tun`.
    ///
    /// # Errors
    /// When it is allowed and fails.
    pub async fn make(count: usize, seed: u64) -> Result<Option<Self>> {
        if !tun::is_available() {
            return Ok(None);
        }
        let Some(machines) = Namespaces::make_without_network(count).await? else {
            return Ok(None);
        };
        let (router, messages) = mpsc::channel();
        let mut devices = Vec::new();
        for machine in 0..count {
            let name = format!("{}t", machines.name(machine));
            let device = tun::create(&name)?;
            machines.take_device(machine, &name, "tun0").await?;
            tun::read(device.try_clone()?, machine, router.clone())?;
            devices.push(device);
        }
        let addresses: Vec<_> = (0..count)
            .map(|machine| address(machine).parse())
            .collect::<Result<_, _>>()?;
        let router_thread = Router::new(devices, addresses, seed, Instant::now());
        std::thread::Builder::new()
            .name("router".into())
            .spawn(move || router_thread.run(&messages))?;
        Ok(Some(Self { machines, router }))
    }

    /// The machines; their addresses are those of [`address`].
    pub fn machines(&self) -> &Namespaces {
        &self.machines
    }

    /// Changes a link of a machine.
    ///
    /// # Errors
    /// When the router has ended.
    pub fn set(&self, machine: usize, direction: Direction, profile: Profile) -> Result<()> {
        self.send(Message::Profile(machine, direction, profile))
    }

    /// What was sent over a link so far, and what happened to it.
    ///
    /// # Errors
    /// When the router has ended.
    pub fn traffic(&self, machine: usize, direction: Direction) -> Result<Traffic> {
        let (answer, answered) = mpsc::channel();
        self.send(Message::Traffic(machine, direction, answer))?;
        answered.recv().context("the router has ended")
    }

    fn send(&self, message: Message) -> Result<()> {
        self.router
            .send(message)
            .map_err(|_| anyhow!("the router has ended"))
    }
}

impl Drop for Shaper {
    fn drop(&mut self) {
        // It may have ended with an error.
        let _ = self.router.send(Message::End);
    }
}

#[cfg(test)]
mod tests;
