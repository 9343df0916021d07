//! The cameras that are there, from sysfs: no driver is asked, so none that
//! hangs holds up the list.

use std::fs;
use std::path::Path;

const NODES: &str = "/sys/class/video4linux";

/// A camera that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// An id that lasts across restarts. Linux renumbers cameras at each start,
    /// and a camera has several nodes, of which the first gives the frames: so the
    /// id is its name and where it is plugged in.
    pub(crate) id: String,
    /// What the driver calls it.
    pub(crate) name: String,
    /// Of its node, `/dev/videoN`.
    pub(super) number: usize,
}

/// The cameras, by the number of their nodes.
pub(crate) fn list() -> Vec<Found> {
    read(Path::new(NODES))
}

fn read(nodes: &Path) -> Vec<Found> {
    let entries = fs::read_dir(nodes).into_iter().flatten().flatten();
    let mut found: Vec<Found> = entries
        .filter_map(|entry| {
            let number = entry
                .file_name()
                .to_str()?
                .strip_prefix("video")?
                .parse()
                .ok()?;
            camera(&entry.path(), number)
        })
        .collect();
    found.sort_by_key(|camera| camera.number);
    // Virtual cameras are plugged in nowhere, and may have the same name.
    for at in 1..found.len() {
        let (before, rest) = found.split_at_mut(at);
        let alike = |camera: &&Found| {
            let id = camera.id.strip_prefix(rest[0].id.as_str());
            id.is_some_and(|more| more.is_empty() || more.starts_with('#'))
        };
        let alike = before.iter().filter(alike).count();
        if alike > 0 {
            rest[0].id += &format!("#{}", alike + 1);
        }
    }
    found
}

fn camera(node: &Path, number: usize) -> Option<Found> {
    // Drivers cut names off at 31 bytes, in the middle of a character too.
    let text = |name| {
        let bytes = fs::read(node.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    };
    if !matches!(text("index").as_str(), "" | "0") {
        return None;
    }
    let name = match text("name") {
        name if name.is_empty() => format!("video{number}"),
        name => name,
    };
    let plugged_at = fs::canonicalize(node.join("device")).ok();
    let plugged_at = plugged_at
        .as_deref()
        .and_then(|path| path.file_name())
        .unwrap_or_default();
    Some(Found {
        id: format!("{name}@{}", plugged_at.to_string_lossy()),
        name,
        number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_script_are_listed_and_second_nodes_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let add = |node: &str, name: &[u8], index: &str| {
            let node = folder.path().join(node);
            fs::create_dir(&node).unwrap();
            fs::write(node.join("name"), [name, b"\n"].concat()).unwrap();
            fs::write(node.join("index"), format!("{index}\n")).unwrap();
        };
        add("video10", "كاميرا 📷".as_bytes(), "0");
        // 31 bytes, cut off within the last character.
        add("video2", &"仮想カメラ仮想カメラ仮想".as_bytes()[..31], "0");
        add("video3", b"a second node", "1");
        add("video", b"no number", "0");
        add("vbi0", b"no video", "0");
        add("video4", b"", "0");
        let found = read(folder.path());
        let names: Vec<&str> = found.iter().map(|camera| camera.name.as_str()).collect();
        assert_eq!(
            names,
            ["仮想カメラ仮想カメラ\u{FFFD}", "video4", "كاميرا 📷"]
        );
        assert_eq!(found[2].id, "كاميرا 📷@");
        assert_eq!(read(&folder.path().join("none")), []);
    }

    #[test]
    fn cameras_of_one_name_have_different_ids() {
        let folder = tempfile::tempdir().unwrap();
        for number in [1, 5, 7] {
            let node = folder.path().join(format!("video{number}"));
            fs::create_dir(&node).unwrap();
            fs::write(node.join("name"), "OBS Virtual Camera\n").unwrap();
        }
        let found = read(folder.path());
        let ids: Vec<&str> = found.iter().map(|camera| camera.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "OBS Virtual Camera@",
                "OBS Virtual Camera@#2",
                "OBS Virtual Camera@#3"
            ]
        );
    }
}
