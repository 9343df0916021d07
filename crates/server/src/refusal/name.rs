//! Display names of people and rooms. Every text gives a name: a name keeps nobody
//! out of a room.

use unicode_segmentation::UnicodeSegmentation;
use visavis_protocol::limits::MAX_NAME_CHARS;

/// The name to show for a text: one line of at most [`MAX_NAME_CHARS`]
/// characters, cut between two user-perceived characters (UAX #29, extended
/// grapheme clusters). Control characters are removed, and so are the
/// embedding, override and isolate controls of UAX #9, which would reorder the
/// text around the name. A name without a visible character becomes empty.
pub(crate) fn display_name(text: &str) -> String {
    let text: String = text.chars().filter(|c| !is_removed(*c)).collect();
    let name = cut(text.trim()).trim_end();
    match name.chars().all(is_invisible) {
        true => String::new(),
        false => name.to_owned(),
    }
}

/// The longest prefix of whole graphemes that is not too long. A first grapheme
/// that is too long by itself, a letter under hundreds of accents, is cut.
fn cut(text: &str) -> &str {
    let mut chars = 0;
    let mut end = 0;
    for (start, grapheme) in text.grapheme_indices(true) {
        chars += grapheme.chars().count();
        if chars > MAX_NAME_CHARS {
            break;
        }
        end = start + grapheme.len();
    }
    if end == 0 {
        end = text
            .char_indices()
            .nth(MAX_NAME_CHARS)
            .map_or(text.len(), |(at, _)| at);
    }
    &text[..end]
}

/// Controls, line and paragraph separators, and the bidirectional controls with
/// a scope (UAX #9, section 2).
fn is_removed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}'..='\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// White space, and characters that a font draws as nothing: Unicode's
/// `Default_Ignorable_Code_Point`, and the empty Braille pattern.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_gives_a_short_clean_name_that_is_its_own_name(
            text in "(.|[ \\u{300}-\\u{304}\\u{200b}-\\u{202f}\\u{2060}-\\u{2069}]){0,150}"
        ) {
            let name = display_name(&text);
            prop_assert!(name.chars().count() <= MAX_NAME_CHARS);
            prop_assert!(name.graphemes(true).count() <= MAX_NAME_CHARS);
            prop_assert!(!name.contains(is_removed));
            prop_assert_eq!(display_name(&name), name);
        }
    }

    #[test]
    fn a_long_name_is_cut_between_graphemes() {
        let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
        assert_eq!(family.chars().count(), 5);
        let long = "x".repeat(98) + family;
        assert_eq!(display_name(&long), "x".repeat(98));
        assert_eq!(display_name(&family.repeat(30)), family.repeat(20));
        let accents = "e".to_owned() + &"\u{301}".repeat(500);
        assert_eq!(display_name(&accents).chars().count(), MAX_NAME_CHARS);
    }

    #[test]
    fn bidirectional_controls_are_removed_and_marks_stay() {
        assert_eq!(display_name("Ann\u{202e}nhoJ\u{202c}"), "AnnnhoJ");
        assert_eq!(display_name("\u{2067}Ann\u{2069}"), "Ann");
        assert_eq!(display_name("\u{5d0}\u{200f}!"), "\u{5d0}\u{200f}!");
    }

    #[test]
    fn a_name_without_visible_characters_is_empty() {
        for text in [
            "\u{200b}",
            "\u{3164}\u{3164}",
            " \u{2060} ",
            "\u{2800}",
            "\u{e0041}",
        ] {
            assert_eq!(display_name(text), "", "{text:?}");
        }
    }
}
