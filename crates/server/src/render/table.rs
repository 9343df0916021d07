//! Plain-text tables for the command line.

use std::collections::HashMap;

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::model::{Phase, Room};

/// Aligns columns under their headings. Control characters, which a name may
/// contain, are escaped.
pub(crate) fn table(heads: &[&str], rows: Vec<Vec<String>>) -> String {
    let printable = |cell: String| match cell.chars().any(char::is_control) {
        true => cell.escape_debug().to_string(),
        false => cell,
    };
    let heads = heads.iter().map(|head| head.to_uppercase()).collect();
    let rows = rows
        .into_iter()
        .map(|row| row.into_iter().map(printable).collect());
    let rows: Vec<Vec<String>> = std::iter::once(heads).chain(rows).collect();
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..rows[0].len()).map(widest).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A table of rooms with their participant counts.
pub(crate) fn rooms(rooms: &[Room], counts: &HashMap<Uuid, u32>, now: Timestamp) -> String {
    let row = |room: &Room| {
        let inside = counts.get(&room.uid).copied().unwrap_or_default();
        let phase = match room.phase(now) {
            Phase::Pending => "pending",
            Phase::Open => "open",
            Phase::Closed => "closed",
            Phase::Deleted => "deleted",
        };
        let most = match room.max_participants {
            0 => String::new(),
            most => format!("/{most}"),
        };
        vec![
            room.code.clone(),
            room.rtc_name.clone(),
            phase.to_owned(),
            format!("{inside}{most}"),
            room.created_at.rfc3339(),
            room.name.clone(),
        ]
    };
    let heads = ["room", "rtc name", "state", "inside", "made", "name"];
    table(&heads, rooms.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_control_characters_are_escaped() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = table(
            &["a", "bc"],
            vec![row(["long", "x"]), row(["s\n", "\u{1b}[2J"])],
        );
        assert_eq!(text, "A     BC\nlong  x\ns\\n   \\u{1b}[2J\n");
    }
}
