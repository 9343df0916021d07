//! A session of the test's own: D-Bus, PipeWire and WirePlumber in a folder that goes
//! away with it. Variables belong to a whole process: each test starts itself again in
//! the session's environment.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

const INNER: &str = "VISAVIS_TEST_INNER";

/// How long a condition may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "{what} does not come");
        thread::sleep(Duration::from_millis(10));
    }
}

const BUS: &str = r#"<busconfig>
  <type>session</type>
  <listen>ADDRESS</listen>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>"#;

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `inner` in a session; `test` is the name of the test that calls this.
pub(crate) fn within(test: &str, inner: impl FnOnce()) {
    if std::env::var_os(INNER).is_some() {
        return inner();
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    let bus = format!("unix:path={}", folder.join("bus").display());
    let start = |program: &str, arguments: &[&str]| {
        let mut command = session_command(program, folder, &bus);
        command
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Daemon(
            command
                .spawn()
                .unwrap_or_else(|error| panic!("{program}: {error}")),
        )
    };
    // Without the system's services: a portal that is installed would be started.
    let config = folder.join("bus.conf");
    fs::write(&config, BUS.replace("ADDRESS", &bus)).unwrap();
    let config = format!("--config-file={}", config.display());
    let _bus = start("dbus-daemon", &["--nofork", &config]);
    wait_until("the bus", || folder.join("bus").exists());
    let _pipewire = start("pipewire", &[]);
    wait_until("PipeWire", || folder.join("pipewire-0").exists());
    // It links a stream to the node that it names.
    let _manager = start("wireplumber", &[]);
    let output = session_command(
        std::env::current_exe().unwrap().to_str().unwrap(),
        folder,
        &bus,
    )
    .args(["--exact", test, "--nocapture"])
    .env(INNER, "1")
    .output()
    .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    assert!(text.contains("1 passed"), "{test} is not the test's name");
}

fn session_command(program: &str, folder: &Path, bus: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_remove("DISPLAY")
        .env("XDG_RUNTIME_DIR", folder)
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("DBUS_SESSION_BUS_ADDRESS", bus)
        .env("WAYLAND_DISPLAY", "wayland-test")
        .env("XDG_SESSION_TYPE", "wayland");
    command
}
