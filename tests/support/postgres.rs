//! A PostgreSQL of the test's own, on 127.0.0.1, as the system has it installed.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::id;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use nix::unistd::{User, geteuid};
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::Process;
use crate::wait::wait_until;
use crate::{ports, programs};

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The user of the database, who needs no password, and the first database.
const USER: &str = "visavis";
const DATABASE: &str = "postgres";

/// It need not survive the machine's end, only its own.
const SETTINGS: [&str; 4] = [
    "listen_addresses=127.0.0.1",
    "fsync=off",
    "full_page_writes=off",
    "log_checkpoints=off",
];

/// A PostgreSQL, which may be stopped and started again with its port and data.
pub struct Postgres {
    folder: TempDir,
    port: u16,
    /// `None` while it is stopped.
    process: Option<Process>,
}

impl Postgres {
    /// Starts it with an empty database and waits until it accepts connections.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        if let Some(user) = other_user()? {
            let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
            chown(folder.path(), Some(uid), Some(gid))?;
        }
        let mut postgres = Self {
            folder,
            port: ports::free()?,
            process: None,
        };
        fill(&postgres.data()).await?;
        postgres.restart().await?;
        Ok(postgres)
    }

    /// The URL of its first database.
    pub fn url(&self) -> String {
        self.url_of(DATABASE)
    }

    /// Makes another database, and gives its URL.
    ///
    /// # Errors
    /// When there is one of this name.
    pub async fn create_database(&self, name: &str) -> Result<String> {
        self.query(&format!("CREATE DATABASE {name}")).await?;
        Ok(self.url_of(name))
    }

    /// Runs SQL in the first database; each row is a line, its columns are
    /// separated by `|`.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn query(&self, sql: &str) -> Result<String> {
        let mut client = command("psql")?;
        client
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--command", sql, &self.url()]);
        programs::output(&mut client).await
    }

    /// Starts it again where it was, after it was stopped or killed.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "PostgreSQL runs already");
        let process = wait_until("PostgreSQL is up", START_LIMIT, async || {
            let mut process = Process::start("postgres", &mut self.command()?)?;
            let ready = |line: &str| line.contains("ready to accept connections").then_some(());
            let up = process.wait_for_line("ready", START_LIMIT, ready).await;
            // Those whom a killed one leaves behind need a moment to end.
            let left_behind = |line: &String| line.contains("is still in use");
            match up {
                Err(_) if process.stderr().iter().any(left_behind) => Ok(None),
                up => up.map(|()| Some(process)),
            }
        })
        .await?;
        self.process = Some(process);
        Ok(())
    }

    /// Ends it well; its connections end at once.
    ///
    /// # Errors
    /// When it does not run, or does not end.
    pub async fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("PostgreSQL does not run")?;
        process.signal(Signal::SIGINT)?;
        process.wait(STOP_LIMIT).await?;
        Ok(())
    }

    /// Ends all of it with SIGKILL.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("PostgreSQL does not run")?;
        process.crash(STOP_LIMIT).await
    }

    /// Holds it: connections stay, answers do not come.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> Result<()> {
        self.running()?.signal_all(Signal::SIGSTOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> Result<()> {
        self.running()?.signal_all(Signal::SIGCONT)
    }

    fn running(&self) -> Result<&Process> {
        self.process.as_ref().context("PostgreSQL does not run")
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self) -> Result<Command> {
        let mut command = command("postgres")?;
        command
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string()]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        Ok(command)
    }
}

impl Drop for Postgres {
    /// At once, but by its own hand: killed, it would leave its shared memory.
    fn drop(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        let asked = process
            .signal_all(Signal::SIGCONT)
            .and_then(|()| process.signal(Signal::SIGQUIT));
        for _ in 0..if asked.is_ok() { 100 } else { 0 } {
            if !process.is_running().unwrap_or(false) {
                return;
            }
            sleep(Duration::from_millis(20));
        }
    }
}

/// One of its programs, as a user it runs as, in a folder that this user can enter.
fn command(name: &str) -> Result<Command> {
    let mut command = Command::new(program(name)?);
    command.current_dir("/");
    if let Some(user) = other_user()? {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    Ok(command)
}

/// Debian keeps each version in a folder of its own: the newest.
fn program(name: &str) -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    versions
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("bin").join(name).is_file())
        .max_by_key(version)
        .map_or_else(
            || programs::installed(name),
            |path| Ok(path.join("bin").join(name)),
        )
}

/// It refuses to run as root; its packages bring a user for it.
fn other_user() -> Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let user = User::from_name("postgres")?;
    Ok(Some(user.context("there is no user postgres")?))
}

/// Makes the folder of an empty PostgreSQL: a copy of one made earlier, which
/// takes a tenth of the time.
async fn fill(data: &Path) -> Result<()> {
    let version = programs::output(command("postgres")?.arg("--version")).await?;
    let version = version.split(' ').nth(2).context("a version")?.trim();
    let template = programs::target()?.join(format!("postgresql-{version}"));
    if template.is_dir() {
        return copy(&template, data).await;
    }
    let mut initdb = command("initdb")?;
    initdb
        .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .args(["--username", USER, "--wal-segsize=1", "--pgdata"])
        .arg(data);
    programs::output(&mut initdb).await?;
    // Whole, under a name of our own, before others see it; the first one stays.
    // (Tests of one process run side by side.)
    let folder = data.parent().and_then(Path::file_name);
    let folder = folder.context("the data has a folder")?.to_string_lossy();
    let ours = template.with_extension(format!("{}{folder}", id()));
    copy(data, &ours).await?;
    if std::fs::rename(&ours, &template).is_err() {
        std::fs::remove_dir_all(&ours)?;
    }
    Ok(())
}

async fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut cp = Command::new("cp");
    programs::output(cp.arg("-a").arg(from).arg(to)).await?;
    Ok(())
}
