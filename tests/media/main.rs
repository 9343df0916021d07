//! Real devices without hardware.

mod echo;
mod speech;
