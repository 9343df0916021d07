//! A virtual machine: Debian's kernel in software emulation, with nothing in
//! it but busybox, some programs of ours and a driver.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;
use visavis_tests::headless::{self, Event};
use visavis_tests::process::Process;
use visavis_tests::programs;

/// Where `cargo xtask test --camera` says that an unpacked kernel package is.
const KERNEL: &str = "VISAVIS_TEST_KERNEL";
const BUILD_LIMIT: Duration = Duration::from_secs(60);
/// Printed at the script's end.
const DONE: &str = "the script is done";

/// A running machine. Dropping it ends it.
pub struct Machine {
    emulator: Process,
    _files: TempDir,
}

impl Machine {
    /// Boots with these programs and the driver's modules inside, and runs the
    /// script, in which `load_driver PARAMETERS` loads the driver.
    pub async fn boot(driver: &str, ours: &[PathBuf], script: &str) -> Result<Self> {
        let kernel = env::var_os(KERNEL).map(PathBuf::from).with_context(|| {
            format!("{KERNEL} is not set; `cargo xtask test --camera` fetches the kernel")
        })?;
        let files = tempfile::tempdir()?;
        let root = files.path().join("root");
        for folder in ["bin", "modules", "proc", "sys", "dev", "tmp"] {
            fs::create_dir_all(root.join(folder))?;
        }
        fs::copy(programs::installed("busybox")?, root.join("bin/busybox"))?;
        for program in ours {
            let name = program.file_name().context("a program has a name")?;
            fs::copy(program, root.join("bin").join(name))?;
            copy_libraries(program, &root).await?;
        }
        let modules = modules(&kernel, driver)?;
        for module in &modules {
            let name = module.file_name().context("a module has a name")?;
            fs::copy(module, root.join("modules").join(name))?;
        }
        write_init(&root, &modules, script)?;
        let image = files.path().join("initramfs");
        pack(&root, &image).await?;

        let mut command = Command::new(programs::installed("qemu-system-x86_64")?);
        command
            .args([
                "-nographic",
                "-no-reboot",
                "-m",
                "1024",
                "-smp",
                "2",
                "-cpu",
                "max",
            ])
            .args([
                "-nic",
                "none",
                "-append",
                "console=ttyS0 quiet loglevel=3 panic=-1",
            ])
            .arg("-kernel")
            .arg(only_file(&kernel.join("boot"), "vmlinuz-")?)
            .arg("-initrd")
            .arg(image);
        Ok(Self {
            emulator: Process::start("machine", &mut command)?,
            _files: files,
        })
    }

    /// Waits until the script is done and the machine is off.
    pub async fn ends(&mut self, limit: Duration) -> Result<()> {
        self.emulator.wait(limit).await?;
        let said = self.emulator.stdout();
        ensure!(
            said.iter().any(|line| line == DONE),
            "the machine went off before its script was done"
        );
        Ok(())
    }

    /// The lines on the console that begin with a name and a colon.
    pub fn said(&self, name: &str) -> Vec<String> {
        let prefix = format!("{name}: ");
        let lines = self.emulator.stdout();
        let said = lines.iter().filter_map(|line| line.strip_prefix(&prefix));
        said.map(str::to_owned).collect()
    }

    /// The same as a participant's report.
    pub fn events(&self, name: &str) -> Vec<Event> {
        let lines = self.said(name);
        lines
            .iter()
            .filter_map(|line| headless::parse(line))
            .collect()
    }
}

fn write_init(root: &Path, modules: &[PathBuf], script: &str) -> Result<()> {
    let name = |module: &PathBuf| Some(module.file_name()?.to_str()?.to_owned());
    let mut names: Vec<String> = modules.iter().filter_map(name).collect();
    let driver = names.pop().context("a driver is a module")?;
    let before: String = names
        .iter()
        .map(|name| format!("insmod /modules/{name}\n"))
        .collect();
    let init = format!(
        "#!/bin/busybox sh\n/bin/busybox --install -s /bin\nexport PATH=/bin HOME=/tmp\n\
         mount -t proc proc /proc\nmount -t sysfs sys /sys\nmount -t devtmpfs dev /dev\n\
         ifconfig lo 127.0.0.1 up\nload_driver() {{\n{before}insmod /modules/{driver} \"$@\"\n}}\n\
         {script}\necho {DONE}\npoweroff -f\n"
    );
    let path = root.join("init");
    fs::write(&path, init)?;
    Ok(fs::set_permissions(&path, Permissions::from_mode(0o755))?)
}

/// What the program is linked to, at the same place.
async fn copy_libraries(program: &Path, root: &Path) -> Result<()> {
    let listing = Command::new("ldd").arg(program).output().await?;
    let listing = String::from_utf8(listing.stdout)?;
    let paths = listing
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    for path in paths {
        let target = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(target.parent().context("a library is in a folder")?)?;
        fs::copy(path, target)?;
    }
    Ok(())
}

/// The driver's file, and before it what it needs, in the order of loading.
fn modules(kernel: &Path, driver: &str) -> Result<Vec<PathBuf>> {
    let folder = only_file(&kernel.join("lib/modules"), "")?;
    let version = folder.file_name().context("a kernel has a version")?;
    let status = std::process::Command::new(programs::installed("depmod")?)
        .arg("-b")
        .arg(kernel)
        .arg(version)
        .status()?;
    ensure!(status.success(), "depmod ended with {status}");
    // FILE: WHAT IT NEEDS, where the last is to be loaded first.
    let listing = fs::read_to_string(folder.join("modules.dep"))?;
    let suffix = format!("/{driver}.ko");
    let (file, needs) = listing
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(file, _)| file.ends_with(&suffix))
        .with_context(|| format!("the kernel has no {driver}"))?;
    let needs = needs.split_whitespace().rev();
    Ok(needs.chain([file]).map(|file| folder.join(file)).collect())
}

fn only_file(folder: &Path, prefix: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let names = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let begins = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(prefix))
    };
    let mut found = names.filter(begins);
    found
        .next()
        .with_context(|| format!("no {prefix} in {}", folder.display()))
}

async fn pack(root: &Path, image: &Path) -> Result<()> {
    programs::installed("cpio")?;
    let mut command = Command::new("sh");
    command
        .args(["-c", "find . | cpio --quiet -o -H newc > \"$0\""])
        .arg(image)
        .current_dir(root);
    let status = Process::start("cpio", &mut command)?
        .wait(BUILD_LIMIT)
        .await?;
    ensure!(status.success(), "cpio ended with {status}");
    Ok(())
}
