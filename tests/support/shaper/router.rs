//! The router: links of all machines, served by one thread in real time.

use std::fs::File;
use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use visavis_network_simulator::{Link, Profile};

use super::{Direction, Traffic};

/// The server's machine.
const SERVER: usize = 0;
/// The longest sleep, when no packet is under way.
const IDLE: Duration = Duration::from_secs(1);

/// What the router works on.
pub(super) enum Message {
    /// A machine sent a packet.
    Packet(usize, Vec<u8>),
    /// A link is to change.
    Profile(usize, Direction, Profile),
    /// Somebody asks for a link's traffic.
    Traffic(usize, Direction, Sender<Traffic>),
    /// The network is taken down.
    End,
}

/// A packet under way, and the machine that it is for.
type Packet = (usize, Vec<u8>);

struct Machine {
    device: File,
    address: Ipv4Addr,
    up: Path,
    down: Path,
}

/// A link and the bytes that were given to it.
struct Path {
    link: Link<Packet>,
    bytes: u64,
}

impl Path {
    fn new(seed: u64) -> Self {
        Self {
            link: Link::new(Profile::default(), seed),
            bytes: 0,
        }
    }

    fn send(&mut self, now: Duration, (to, packet): Packet) {
        self.bytes += packet.len() as u64;
        self.link.send(now, packet.len(), (to, packet));
    }
}

pub(super) struct Router {
    machines: Vec<Machine>,
    since: Instant,
}

impl Router {
    pub(super) fn new(
        devices: Vec<File>,
        addresses: Vec<Ipv4Addr>,
        seed: u64,
        since: Instant,
    ) -> Self {
        let machines = devices.into_iter().zip(addresses).zip(0_u64..);
        let machines = machines.map(|((device, address), number)| Machine {
            device,
            address,
            up: Path::new(seed + 2 * number),
            down: Path::new(seed + 2 * number + 1),
        });
        Self {
            machines: machines.collect(),
            since,
        }
    }

    /// Serves until the network is taken down.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let next = self.machines.iter().flat_map(|machine| {
                let paths = [&machine.up, &machine.down];
                paths.into_iter().filter_map(|path| path.link.next_event())
            });
            let wait = next
                .min()
                .map_or(IDLE, |at| at.saturating_sub(self.since.elapsed()));
            match messages.recv_timeout(wait) {
                Ok(Message::Packet(from, packet)) => self.send(from, packet),
                Ok(Message::Profile(machine, direction, profile)) => {
                    let now = self.since.elapsed();
                    if let Some(path) = self.path(machine, direction) {
                        path.link.set_profile(now, profile);
                    }
                }
                Ok(Message::Traffic(machine, direction, answer)) => {
                    if let Some(path) = self.path(machine, direction) {
                        // Who asked may be gone.
                        let _ = answer.send(Traffic {
                            counters: path.link.counters(),
                            bytes: path.bytes,
                        });
                    }
                }
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.deliver();
        }
    }

    fn path(&mut self, machine: usize, direction: Direction) -> Option<&mut Path> {
        let machine = self.machines.get_mut(machine)?;
        Some(match direction {
            Direction::Up => &mut machine.up,
            Direction::Down => &mut machine.down,
        })
    }

    /// Takes a packet from a machine. Only IPv4 has a route here; multicast and what is
    /// for nobody is dropped.
    fn send(&mut self, from: usize, packet: Vec<u8>) {
        let Some(destination) = destination(&packet) else {
            return;
        };
        let known = |machine: &Machine| machine.address == destination;
        let Some(to) = self.machines.iter().position(known) else {
            return;
        };
        if from == SERVER || to == SERVER {
            self.write(to, &packet);
            return;
        }
        let now = self.since.elapsed();
        if let Some(machine) = self.machines.get_mut(from) {
            machine.up.send(now, (to, packet));
        }
    }

    /// Passes on what has arrived at the end of a link: of an uplink to the downlink of
    /// its destination, of a downlink to the machine.
    fn deliver(&mut self) {
        let now = self.since.elapsed();
        for from in 0..self.machines.len() {
            while let Some(arrival) = self.machines[from].up.link.receive(now) {
                let (to, packet) = arrival.packet;
                self.machines[to].down.send(now, (to, packet));
            }
        }
        for to in 0..self.machines.len() {
            while let Some(arrival) = self.machines[to].down.link.receive(now) {
                self.write(to, &arrival.packet.1);
            }
        }
    }

    fn write(&mut self, to: usize, packet: &[u8]) {
        // A device whose queue is full, or that is gone, loses the packet.
        let _ = self.machines[to].device.write(packet);
    }
}

/// Where an IPv4 packet is for.
fn destination(packet: &[u8]) -> Option<Ipv4Addr> {
    let is_ipv4 = packet.first().is_some_and(|first| first >> 4 == 4);
    let address: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    is_ipv4.then(|| address.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ipv4_packets_have_a_destination() {
        let mut packet = vec![0; 20];
        packet[0] = 0x45;
        packet[16..].copy_from_slice(&[10, 77, 0, 3]);
        assert_eq!(destination(&packet), Some(Ipv4Addr::new(10, 77, 0, 3)));
        assert_eq!(destination(&packet[..19]), None);
        packet[0] = 0x60;
        assert_eq!(destination(&packet), None);
        assert_eq!(destination(&[]), None);
    }
}
