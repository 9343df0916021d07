//! The requirements, read from `rows.txt`.

use anyhow::{Context, Result, bail};

const ROWS: &str = include_str!("rows.txt");

/// The side that must meet a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Client,
    Server,
    Both,
}

/// One requirement.
#[derive(Debug)]
pub struct Row {
    pub id: &'static str,
    pub owner: Owner,
    pub text: &'static str,
}

/// The requirements of one source system.
#[derive(Debug)]
pub struct Section {
    pub title: &'static str,
    pub rows: Vec<Row>,
}

impl Owner {
    /// The letter in `rows.txt` and in the table.
    pub fn letter(self) -> char {
        match self {
            Self::Client => 'C',
            Self::Server => 'R',
            Self::Both => 'B',
        }
    }
}

/// All requirements, in order.
///
/// # Errors
/// Names the first malformed line.
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
                .context("rows.txt must begin with a title")?;
            section.rows.push(row);
        }
    }
    Ok(sections)
}

fn row(line: &'static str) -> Result<Row> {
    let mut parts = line.splitn(3, ' ');
    let (Some(id), Some(owner), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
        bail!("a row must have an id, an owner and a text");
    };
    let owner = match owner {
        "C" => Owner::Client,
        "R" => Owner::Server,
        "B" => Owner::Both,
        _ => bail!("the owner must be C, R or B"),
    };
    Ok(Row { id, owner, text })
}
