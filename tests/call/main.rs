//! Calls between participants, each a process of its own.

mod bad_input;
mod broadcast;
mod chromium;
mod clock;
mod crowd;
mod cut;
mod endurance;
mod host;
mod interop;
mod mesh;
mod network;
mod outage;
mod plain;
mod relay;
mod resume;
mod rooms;
mod share;
mod sound;
mod video;
