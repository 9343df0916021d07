//! The server in process on a free port, and scripted clients.

#![allow(clippy::unwrap_used)]

mod access;
mod controls;
mod extensions;
#[cfg(unix)]
mod operating;
#[cfg(unix)]
mod program;
mod quality;
mod rest;
mod resume;
mod rooms;
mod s1;
mod studio;
mod support;
mod unruly;
mod waiting;
mod webhooks;
