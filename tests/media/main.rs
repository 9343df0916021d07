//! Real devices without hardware.

mod speech;
