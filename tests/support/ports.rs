//! Ports for servers that stop and come back.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// Below those that a system gives to outgoing connections (Linux: from 32768
/// on): else, while a server is down, one of its own clients could take its
/// port, and even connect to itself there.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// A port of 127.0.0.1 that nobody listens on.
///
/// # Errors
/// When all are taken.
pub fn free() -> Result<u16> {
    // Tests that run at the same time begin their search apart.
    let start = RandomState::new().hash_one(()) % u64::from(COUNT);
    (0..u64::from(COUNT))
        .filter_map(|step| u16::try_from((start + step) % u64::from(COUNT)).ok())
        .map(|offset| FIRST + offset)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("every port is taken")
}
