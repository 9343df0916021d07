//! The shell of Visavis: a window, the page in it, and what the page is told.
//!
//! One [`controller::Controller`] owns all state and knows no window;
//! `commands` forwards what the page asks, [`window`] forwards what the
//! controller shows, [`video_out`] carries pictures.

#[cfg(feature = "host")]
mod addresses;
pub mod arguments;
pub mod chat;
pub mod command;
mod commands;
pub mod controller;
mod demo;
mod devices;
#[cfg(feature = "host")]
mod host;
#[cfg(not(feature = "host"))]
#[path = "no_host.rs"]
mod host;
pub mod logging;
mod measured;
pub mod pictures;
mod platform;
pub mod server_url;
pub mod settings;
mod share;
pub mod video_out;
pub mod view;
pub mod window;
