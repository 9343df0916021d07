//! Replays the corpora.

use std::fs;

/// Plays every input of a corpus.
fn replay(target: &str, play: fn(&[u8])) {
    let sources = env!("CARGO_MANIFEST_DIR");
    let corpus = format!("{sources}/../../tests/fuzz/corpus/{target}");
    let mut played = 0;
    for input in fs::read_dir(corpus).unwrap() {
        play(&fs::read(input.unwrap().path()).unwrap());
        played += 1;
    }
    assert!(played > 0);
}

#[test]
fn the_fuzz_corpus_of_payloads_is_replayed_without_a_panic() {
    replay("depacketize", super::depacketize);
}

#[test]
fn the_fuzz_corpus_of_packets_is_replayed_without_a_panic() {
    replay("assembly", super::assembly);
}

#[test]
fn the_fuzz_corpora_of_files_are_replayed_without_a_panic() {
    replay("wav", super::wav);
    replay("y4m", super::y4m);
    replay("mjpeg", super::mjpeg);
}
