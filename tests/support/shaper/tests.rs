use std::net::UdpSocket;
use std::time::{Duration, Instant};

use visavis_network_simulator::{Counters, Link, Loss};

use super::*;
use crate::namespaces::within;

const SEED: u64 = 7;
/// Bytes of payload, and with the headers of IP and UDP.
const PAYLOAD: usize = 972;
const PACKET: usize = 1_000;
/// How long a packet that is under way may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(10);

/// Sockets on machines 1 and 2 of a network of three, the first connected to the second.
struct Sockets {
    shaper: Shaper,
    from: UdpSocket,
    to: UdpSocket,
}

impl Sockets {
    async fn open(profile: Profile) -> Result<Option<Self>> {
        let Some(shaper) = Shaper::make(3, SEED).await? else {
            eprintln!("not run: namespaces and TUN devices take root");
            return Ok(None);
        };
        shaper.set(1, Direction::Up, profile)?;
        let bind = |machine: usize| {
            within(shaper.machines().name(machine), move || {
                Ok(UdpSocket::bind((address(machine), 0))?)
            })
        };
        let (from, to) = (bind(1)?, bind(2)?);
        from.connect(to.local_addr()?)?;
        to.set_read_timeout(Some(LIMIT))?;
        Ok(Some(Self { shaper, from, to }))
    }

    fn send(&self, packets: std::ops::Range<u16>) -> Result<()> {
        for number in packets {
            let mut payload = [0; PAYLOAD];
            payload[..2].copy_from_slice(&number.to_be_bytes());
            self.from.send(&payload)?;
        }
        Ok(())
    }

    /// The number of the next packet.
    fn receive(&self) -> Result<u16> {
        let mut payload = [0; PAYLOAD];
        loop {
            match self.to.recv(&mut payload) {
                // A child of another test has ended.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                received => {
                    received.context("no packet came")?;
                    break;
                }
            }
        }
        Ok(u16::from_be_bytes([payload[0], payload[1]]))
    }

    /// The uplink's counters once all packets have left it, in one way or another.
    fn settled(&self, packets: u64) -> Result<Counters> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let counters = self.shaper.traffic(1, Direction::Up)?.counters;
            if counters.dropped + counters.lost + counters.delivered == packets {
                return Ok(counters);
            }
            anyhow::ensure!(Instant::now() < deadline, "{counters:?} of {packets}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[tokio::test]
async fn packets_leave_no_faster_than_the_rate_and_none_is_dropped_from_a_long_queue() -> Result<()>
{
    let profile = Profile {
        rate: Some(1e6),
        ..Profile::default()
    };
    let Some(sockets) = Sockets::open(profile).await? else {
        return Ok(());
    };
    let since = Instant::now();
    sockets.send(0..100)?;
    for number in 0..100 {
        assert_eq!(sockets.receive()?, number);
        // 8 ms each.
        let earliest = Duration::from_micros(8_000 * u64::from(number + 1));
        let elapsed = since.elapsed();
        assert!(elapsed >= earliest, "packet {number} after {elapsed:?}");
    }
    assert_eq!(sockets.settled(100)?.delivered, 100);
    let traffic = sockets.shaper.traffic(1, Direction::Up)?;
    assert_eq!(traffic.bytes, 100 * PACKET as u64);
    Ok(())
}

#[tokio::test]
async fn packets_arrive_after_the_delay() -> Result<()> {
    let profile = Profile {
        delay: Duration::from_millis(80),
        ..Profile::default()
    };
    let Some(sockets) = Sockets::open(profile).await? else {
        return Ok(());
    };
    for _ in 0..5 {
        let since = Instant::now();
        sockets.send(0..1)?;
        sockets.receive()?;
        assert!(since.elapsed() >= profile.delay, "{:?}", since.elapsed());
    }
    Ok(())
}

#[tokio::test]
async fn the_packets_of_the_seed_are_lost_and_the_others_arrive() -> Result<()> {
    let profile = Profile {
        loss: Loss::Bursts {
            share: 0.1,
            length: 4.0,
        },
        ..Profile::default()
    };
    let Some(sockets) = Sockets::open(profile).await? else {
        return Ok(());
    };
    // The same link in virtual time; machine 1's uplink has this seed.
    let mut model = Link::new(profile, SEED + 2);
    (0..300).for_each(|number| model.send(Duration::ZERO, PACKET, number));
    let mut expected = Vec::new();
    while let Some(arrival) = model.receive(Duration::ZERO) {
        expected.push(arrival.packet);
    }
    assert!(expected.len() < 300);
    // As many at once as the receiver's socket holds.
    for first in (0..300).step_by(25) {
        let lot = first..first + 25;
        sockets.send(lot.clone())?;
        for number in expected.iter().filter(|number| lot.contains(number)) {
            assert_eq!(sockets.receive()?, *number);
        }
    }
    assert_eq!(sockets.settled(300)?, model.counters());
    Ok(())
}

#[tokio::test]
async fn a_full_queue_drops_packets() -> Result<()> {
    let profile = Profile {
        rate: Some(1e5),
        queue_bytes: 10 * PACKET,
        ..Profile::default()
    };
    let Some(sockets) = Sockets::open(profile).await? else {
        return Ok(());
    };
    sockets.send(0..50)?;
    let counters = sockets.settled(50)?;
    // Ten wait behind the one in transmission; a slow sender may get more through.
    assert!(counters.delivered >= 11, "{counters:?}");
    assert_eq!(counters.dropped + counters.delivered, 50);
    assert!(counters.dropped > 0, "{counters:?}");
    Ok(())
}

#[tokio::test]
async fn what_the_server_sends_and_receives_is_not_shaped() -> Result<()> {
    let cut = Profile {
        is_partitioned: true,
        ..Profile::default()
    };
    let Some(shaper) = Shaper::make(2, SEED).await? else {
        eprintln!("not run: namespaces and TUN devices take root");
        return Ok(());
    };
    shaper.set(1, Direction::Up, cut)?;
    shaper.set(1, Direction::Down, cut)?;
    let server = within(shaper.machines().name(0), || {
        Ok(std::net::TcpListener::bind((address(0), 0))?)
    })?;
    crate::namespaces::connect(shaper.machines().name(1), server.local_addr()?)?;
    Ok(())
}
