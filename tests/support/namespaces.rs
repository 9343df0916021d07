//! Machines of their own for a test: Linux network namespaces on one bridge.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use anyhow::{Context, Result, anyhow, ensure};
use tokio::process::Command;

/// How many of this process were made, so that their names differ.
static MADE: AtomicU32 = AtomicU32::new(0);

/// Namespaces with one address each, on one network. Dropping it removes them.
pub struct Namespaces {
    names: Vec<String>,
}

impl Namespaces {
    /// Makes `count` namespaces. The address of number `n` is `10.77.0.(n + 2)`.
    /// `None` where the system does not allow it, which takes root.
    ///
    /// # Errors
    /// When it is allowed and fails.
    pub async fn make(count: usize) -> Result<Option<Self>> {
        if !cfg!(target_os = "linux") || !nix::unistd::geteuid().is_root() {
            return Ok(None);
        }
        let stem = stem();
        let mut made = Self { names: Vec::new() };
        let hub = made.add(format!("{stem}-hub")).await?;
        ip(&["-n", &hub, "link", "add", "br0", "type", "bridge"]).await?;
        ip(&["-n", &hub, "link", "set", "br0", "up"]).await?;
        for n in 0..count {
            let name = made.add(format!("{stem}-{n}")).await?;
            let port = format!("p{n}");
            let pair = ["type", "veth", "peer", "name", "eth0", "netns", &name];
            ip(&[&["-n", &hub, "link", "add", &port], pair.as_slice()].concat()).await?;
            ip(&["-n", &hub, "link", "set", &port, "master", "br0", "up"]).await?;
            made.run(
                n,
                &["addr", "add", &format!("{}/24", address(n)), "dev", "eth0"],
            )
            .await?;
            made.run(n, &["link", "set", "eth0", "up"]).await?;
        }
        Ok(Some(made))
    }

    /// Makes `count` namespaces that have loopback only.
    /// `None` where the system does not allow it, which takes root.
    ///
    /// # Errors
    /// When it is allowed and fails.
    pub async fn make_without_network(count: usize) -> Result<Option<Self>> {
        if !cfg!(target_os = "linux") || !nix::unistd::geteuid().is_root() {
            return Ok(None);
        }
        let stem = stem();
        let mut made = Self { names: Vec::new() };
        made.add(format!("{stem}-hub")).await?;
        for n in 0..count {
            made.add(format!("{stem}-{n}")).await?;
        }
        Ok(Some(made))
    }

    /// Moves a network device of this machine into namespace `n`, with the address of
    /// [`address`] and all routes.
    ///
    /// # Errors
    /// When `ip` fails.
    pub async fn take_device(&self, n: usize, device: &str, name: &str) -> Result<()> {
        ip(&["link", "set", device, "netns", self.name(n), "name", name]).await?;
        let address = format!("{}/24", address(n));
        self.run(n, &["addr", "add", &address, "dev", name]).await?;
        self.run(n, &["link", "set", name, "up"]).await?;
        self.run(n, &["route", "add", "default", "dev", name]).await
    }

    async fn add(&mut self, name: String) -> Result<String> {
        ip(&["netns", "add", &name]).await?;
        self.names.push(name.clone());
        ip(&["-n", &name, "link", "set", "lo", "up"]).await?;
        Ok(name)
    }

    /// The name of namespace `n`.
    pub fn name(&self, n: usize) -> &str {
        &self.names[n + 1]
    }

    /// Runs `ip` in namespace `n`.
    ///
    /// # Errors
    /// When it fails.
    pub async fn run(&self, n: usize, arguments: &[&str]) -> Result<()> {
        ip(&[&["-n", self.name(n)], arguments].concat()).await
    }

    /// Takes the address of namespace `n` away and gives it this one.
    ///
    /// # Errors
    /// When `ip` fails.
    pub async fn replace_address(&self, n: usize, old: &str, new: &str) -> Result<()> {
        self.run(n, &["addr", "del", &format!("{old}/24"), "dev", "eth0"])
            .await?;
        self.run(n, &["addr", "add", &format!("{new}/24"), "dev", "eth0"])
            .await
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.names {
            // A namespace that stays behind disturbs no other test.
            let _ = std::process::Command::new("ip")
                .args(["netns", "del", name])
                .status();
        }
    }
}

/// The first addresses of [`in_a_network_of_its_own`], beside loopback.
const OWN_ADDRESSES: [&str; 2] = ["10.78.0.1", "10.79.0.1"];

/// Runs a test in a network namespace of its own, with everything that it starts.
/// Beside loopback it has the interfaces `own0` and `own1`, with an address each. The
/// test is given whether it has, which takes root.
///
/// # Errors
/// When the namespace cannot be made, and those of the test.
pub fn in_a_network_of_its_own<F>(test: impl FnOnce(bool) -> F + Send + 'static) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let is_root = cfg!(target_os = "linux") && nix::unistd::geteuid().is_root();
    // A namespace belongs to a thread, and to the threads and processes that it starts.
    let thread = std::thread::spawn(move || {
        if is_root {
            #[cfg(target_os = "linux")]
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
        }
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(async {
            if is_root {
                add_own_interfaces().await?;
            }
            test(is_root).await
        })
    });
    thread.join().map_err(|_| anyhow!("the test panicked"))?
}

async fn add_own_interfaces() -> Result<()> {
    ip(&["link", "set", "lo", "up"]).await?;
    for (n, address) in OWN_ADDRESSES.iter().enumerate() {
        let (name, other) = (format!("own{n}"), format!("other{n}"));
        ip(&["link", "add", &name, "type", "veth", "peer", "name", &other]).await?;
        ip(&["link", "set", &other, "up"]).await?;
        ip(&["link", "set", &name, "up"]).await?;
        ip(&["addr", "add", &format!("{address}/24"), "dev", &name]).await?;
    }
    // Without one, a browser takes itself for offline and gathers no candidates.
    ip(&["route", "add", "default", "dev", "own0"]).await
}

/// Replaces the address of `own1` in the namespace that this runs in.
///
/// # Errors
/// When `ip` fails.
pub async fn replace_own_address() -> Result<()> {
    static REPLACED: AtomicU8 = AtomicU8::new(1);
    let number = REPLACED.fetch_add(1, Ordering::Relaxed) % 250 + 1;
    ip(&["addr", "flush", "dev", "own1"]).await?;
    ip(&[
        "addr",
        "add",
        &format!("10.79.0.{number}/24"),
        "dev",
        "own1",
    ])
    .await
}

/// The first address of namespace `n`.
pub fn address(n: usize) -> String {
    format!("10.77.0.{}", n + 2)
}

/// A listening socket of a namespace, on a free port of its 127.0.0.1.
///
/// # Errors
/// When there is none.
pub fn listen(namespace: &str) -> Result<TcpListener> {
    within(namespace, || Ok(TcpListener::bind("127.0.0.1:0")?))
}

/// A connection within a namespace.
///
/// # Errors
/// When nobody listens there.
pub fn connect(namespace: &str, to: SocketAddr) -> Result<TcpStream> {
    within(namespace, move || Ok(TcpStream::connect(to)?))
}

/// Runs this in a namespace. A socket belongs to the namespace in which it was made.
pub(crate) fn within<T: Send + 'static>(
    namespace: &str,
    run: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let file = File::open(Path::new("/run/netns").join(namespace))?;
    // A namespace belongs to a thread.
    let thread = std::thread::spawn(move || {
        #[cfg(target_os = "linux")]
        nix::sched::setns(file, nix::sched::CloneFlags::CLONE_NEWNET)?;
        #[cfg(not(target_os = "linux"))]
        drop(file);
        run()
    });
    thread.join().map_err(|_| anyhow!("a thread panicked"))?
}

/// The start of the names of a set of namespaces.
fn stem() -> String {
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("vv{}-{number}", std::process::id())
}

/// The start of a command that runs in this namespace.
pub fn command(namespace: Option<&str>, program: &std::path::Path) -> Command {
    let Some(namespace) = namespace else {
        return Command::new(program);
    };
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program);
    command
}

async fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().await;
    let output = output.context("the test needs the program ip (package iproute2)")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "ip {}: {error}",
        arguments.join(" ")
    );
    Ok(())
}
