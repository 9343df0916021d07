//! TUN devices: network interfaces whose packets a program reads and writes
//! (Linux, Documentation/networking/tuntap.rst).

use std::fs::File;
use std::path::Path;
use std::sync::mpsc::Sender;

use anyhow::Result;

use super::router::Message;

const DEVICE: &str = "/dev/net/tun";
/// The most that a device with the usual MTU gives in one read.
const MAX_PACKET: usize = 2_048;

/// Whether devices can be made.
pub(super) fn is_available() -> bool {
    cfg!(target_os = "linux") && Path::new(DEVICE).exists()
}

/// Makes a device that lives as long as its file is open.
///
/// # Errors
/// When the system refuses.
#[cfg(target_os = "linux")]
pub(super) fn create(name: &str) -> Result<File> {
    use std::os::fd::AsRawFd;

    use anyhow::{Context, ensure};
    use nix::libc;

    nix::ioctl_write_ptr_bad!(set_interface, libc::TUNSETIFF, libc::ifreq);

    let file = File::options().read(true).write(true).open(DEVICE)?;
    // SAFETY: `ifreq` is plain data of the C interface; zeros are a valid value of it.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    ensure!(name.len() < libc::IFNAMSIZ, "{name} is too long a name");
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed() as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: the file is a TUN device, and the request is valid for the call.
    unsafe { set_interface(file.as_raw_fd(), &raw const request) }
        .with_context(|| format!("cannot make the device {name}"))?;
    Ok(file)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn create(_: &str) -> Result<File> {
    anyhow::bail!("TUN devices of this kind are Linux's")
}

/// Passes the packets of a device on, in a thread that ends with the device or with
/// the router.
///
/// # Errors
/// When there is no thread.
pub(super) fn read(mut device: File, machine: usize, router: Sender<Message>) -> Result<()> {
    use std::io::Read;

    let forward = move || {
        let mut buffer = [0; MAX_PACKET];
        while let Ok(length @ 1..) = device.read(&mut buffer) {
            let packet = buffer[..length].to_vec();
            if router.send(Message::Packet(machine, packet)).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name(format!("tun{machine}"))
        .spawn(forward)?;
    Ok(())
}
