//! The requirements, as `rows.txt` has them.

use anyhow::{Context, Result, bail};

const ROWS: &str = include_str!("rows.txt");

/// Whose part of the program it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Client,
    Service,
    Both,
}

/// One requirement.
#[derive(Debug)]
pub struct Row {
    pub id: &'static str,
    pub owner: Owner,
    pub what: &'static str,
}

/// Those that come from one place.
#[derive(Debug)]
pub struct Section {
    pub title: &'static str,
    pub rows: Vec<Row>,
}

impl Owner {
    pub fn letter(self) -> char {
        match self {
            Self::Client => 'C',
            Self::Service => 'R',
            Self::Both => 'B',
        }
    }
}

/// All of them.
///
/// # Errors
/// Names a line that is none.
pub fn all() -> Result<Vec<Section>> {
    let mut sections: Vec<Section> = Vec::new();
    for line in ROWS.lines().filter(|line| !line.is_empty()) {
        if let Some(title) = line.strip_prefix("## ") {
            let rows = Vec::new();
            sections.push(Section { title, rows });
        } else {
            let row = row(line).with_context(|| format!("rows.txt: {line}"))?;
            let section = sections
                .last_mut()
                .context("rows.txt begins with a title")?;
            section.rows.push(row);
        }
    }
    Ok(sections)
}

fn row(line: &'static str) -> Result<Row> {
    let mut parts = line.splitn(3, ' ');
    let (Some(id), Some(owner), Some(what)) = (parts.next(), parts.next(), parts.next()) else {
        bail!("a row is an id, an owner and a text");
    };
    let owner = match owner {
        "C" => Owner::Client,
        "R" => Owner::Service,
        "B" => Owner::Both,
        _ => bail!("an owner is C, R or B"),
    };
    Ok(Row { id, owner, what })
}
