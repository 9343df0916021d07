use std::io::Cursor;

use super::*;

/// A chunk with the padding of an odd length.
fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut chunk = [&id[..], &(body.len() as u32).to_le_bytes(), body].concat();
    if body.len() % 2 == 1 {
        chunk.push(0);
    }
    chunk
}

fn format(tag: u16, channels: u16, hertz: u32, bytes: u16, bits: u16) -> Vec<u8> {
    let block = channels * bytes;
    let mut body = Vec::new();
    body.extend(tag.to_le_bytes());
    body.extend(channels.to_le_bytes());
    body.extend(hertz.to_le_bytes());
    body.extend((hertz * u32::from(block)).to_le_bytes());
    body.extend(block.to_le_bytes());
    body.extend(bits.to_le_bytes());
    body
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    let size = (body.len() as u32 + 4).to_le_bytes();
    [&b"RIFF"[..], &size, b"WAVE", &body].concat()
}

fn read(file: &[u8]) -> Result<Vec<f32>, String> {
    let mut reader = WavReader::new(Cursor::new(file), Some(file.len() as u64))?;
    let mut samples = Vec::new();
    reader
        .read(1_000, &mut samples)
        .map_err(|error| error.to_string())?;
    Ok(samples)
}

fn close(samples: &[f32], expected: &[f32]) -> bool {
    let pairs = samples.iter().zip(expected);
    samples.len() == expected.len() && pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-3)
}

/// 16 bit: 0.5, −0.5, 0.25.
const SAMPLES: [u8; 6] = [0x00, 0x40, 0x00, 0xC0, 0x00, 0x20];
const EXPECTED: [f32; 3] = [0.5, -0.5, 0.25];

fn plain() -> Vec<u8> {
    chunk(b"fmt ", &format(1, 1, 8_000, 2, 16))
}

#[test]
fn every_encoding_is_decoded() {
    let f64s: Vec<u8> = [0.5_f64, -0.5]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .collect();
    let f32s: Vec<u8> = [0.5_f32, f32::NAN, f32::INFINITY, -7.0]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .collect();
    /// Format tag, bytes and bits of a sample, what is stored and what is read.
    type Case<'a> = (u16, u16, u16, &'a [u8], &'a [f32]);
    let cases: [Case<'_>; 10] = [
        (1, 1, 8, &[128, 192, 0], &[0.0, 0.5, -1.0]),
        (1, 2, 16, &SAMPLES, &EXPECTED),
        (1, 3, 24, &[0, 0, 0x40, 0, 0, 0xC0], &[0.5, -0.5]),
        (1, 3, 20, &[0, 0, 0x40, 0, 0, 0xC0], &[0.5, -0.5]),
        (1, 4, 24, &[0, 0, 0, 0x40], &[0.5]),
        (1, 4, 32, &[0, 0, 0, 0xC0], &[-0.5]),
        (3, 4, 32, &f32s, &[0.5, 0.0, 1.0, -1.0]),
        (3, 8, 64, &f64s, &[0.5, -0.5]),
        // ITU-T G.711: the smallest and the largest value.
        (
            6,
            1,
            8,
            &[0xD5, 0x55, 0xAA, 0x2A],
            &[0.000_24, -0.000_24, 0.984_4, -0.984_4],
        ),
        (
            7,
            1,
            8,
            &[0xFF, 0x7F, 0x80, 0x00],
            &[0.0, 0.0, 0.980_3, -0.980_3],
        ),
    ];
    for (tag, bytes, bits, data, expected) in cases {
        let file = riff(&[
            chunk(b"fmt ", &format(tag, 1, 8_000, bytes, bits)),
            chunk(b"data", data),
        ]);
        let samples = read(&file).unwrap();
        assert!(close(&samples, expected), "{tag} {bits}: {samples:?}");
    }
}

#[test]
fn an_extensible_format_says_its_encoding_in_its_sub_format() {
    let mut body = format(0xFFFE, 1, 8_000, 3, 24);
    body.extend(22_u16.to_le_bytes());
    body.extend(20_u16.to_le_bytes());
    body.extend(4_u32.to_le_bytes());
    body.extend([
        1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71,
    ]);
    let file = riff(&[chunk(b"fmt ", &body), chunk(b"data", &[0, 0, 0x40])]);
    assert!(close(&read(&file).unwrap(), &[0.5]));
}

#[test]
fn a_file_from_a_pipe_is_read_to_its_end() {
    for (riff_size, data_size) in [
        (0, 0),
        (36, 0),
        (u32::MAX, u32::MAX),
        (UNKNOWN_OF_SOX + 36, UNKNOWN_OF_SOX),
        (u32::MAX, 0xFFFF_FFDA),
    ] {
        let mut file = riff(&[plain(), chunk(b"data", &SAMPLES)]);
        file[4..8].copy_from_slice(&u32::to_le_bytes(riff_size));
        let at = file.len() - SAMPLES.len() - 4;
        file[at..at + 4].copy_from_slice(&u32::to_le_bytes(data_size));
        assert!(close(&read(&file).unwrap(), &EXPECTED), "{data_size:#x}");
    }
}

#[test]
fn a_file_that_is_cut_off_is_played_as_far_as_it_goes() {
    let whole = riff(&[plain(), chunk(b"data", &SAMPLES)]);
    assert!(close(
        &read(&whole[..whole.len() - 1]).unwrap(),
        &EXPECTED[..2]
    ));
    for length in 0..whole.len() - SAMPLES.len() {
        assert!(read(&whole[..length]).is_err(), "{length}");
    }
}

#[test]
fn chunks_between_are_skipped_with_and_without_their_padding() {
    let note = chunk(b"LIST", b"odd");
    let unpadded = note[..note.len() - 1].to_vec();
    for between in [note, unpadded, chunk(b"junk", b"even")] {
        let data = chunk(b"data", &SAMPLES);
        let file = riff(&[
            between.clone(),
            plain(),
            between,
            data,
            chunk(b"LIST", b"after"),
        ]);
        assert!(close(&read(&file).unwrap(), &EXPECTED));
    }
}

#[test]
fn rf64_says_its_length_in_a_chunk_of_its_own() {
    let mut sizes = vec![0; 28];
    sizes[8..16].copy_from_slice(&4_u64.to_le_bytes());
    let mut file = riff(&[chunk(b"ds64", &sizes), plain(), chunk(b"data", &SAMPLES)]);
    file[..4].copy_from_slice(b"RF64");
    file[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let at = file.len() - SAMPLES.len() - 4;
    file[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(close(&read(&file).unwrap(), &EXPECTED[..2]));
}

#[test]
fn what_cannot_be_played_is_refused_in_a_sentence() {
    let with = |format: Vec<u8>| riff(&[chunk(b"fmt ", &format), chunk(b"data", &SAMPLES)]);
    let cases = [
        (b"RIFF\x10\0\0\0AVI ".to_vec(), "it is not a WAV file"),
        (b"OggS".to_vec(), "it is not a WAV file"),
        (riff(&[plain()]), "it holds no samples"),
        (
            riff(&[chunk(b"data", &SAMPLES), plain()]),
            "its samples come before their format",
        ),
        (
            riff(&[chunk(b"fmt ", &[1, 0]), chunk(b"data", &SAMPLES)]),
            "its format chunk is too short",
        ),
        (
            with(format(1, 1, 1, 2, 16)),
            "its sample rate is 1 Hz; 2000 to 384000 Hz are supported",
        ),
        (
            with(format(1, 0, 8_000, 2, 16)),
            "it has 0 channels; 1 to 64 are supported",
        ),
        (
            with(format(0x55, 1, 8_000, 1, 0)),
            "its encoding (format tag 0x0055) is none of PCM, float, A-law and u-law",
        ),
        (
            with(format(3, 1, 8_000, 2, 16)),
            "samples of 16 bits are not supported",
        ),
    ];
    for (file, expected) in cases {
        assert_eq!(read(&file).unwrap_err(), expected);
    }
}

#[test]
fn a_header_without_end_is_given_up() {
    let mut file = riff(&[]);
    file.extend(b"junk");
    file.extend(u32::MAX.to_le_bytes());
    let endless = Cursor::new(file).chain(io::repeat(1));
    let error = WavReader::new(endless, None).unwrap_err();
    assert_eq!(error, "its samples do not begin within 16 MiB");
}

#[test]
fn it_plays_again_from_the_first_sample() {
    let file = riff(&[plain(), chunk(b"data", &SAMPLES), chunk(b"LIST", b"after")]);
    let mut reader = WavReader::new(Cursor::new(&file), Some(file.len() as u64)).unwrap();
    for _ in 0..3 {
        let mut samples = Vec::new();
        reader.read(2, &mut samples).unwrap();
        reader.read(1_000, &mut samples).unwrap();
        assert!(close(&samples, &EXPECTED));
        reader.rewind().unwrap();
    }
}

#[test]
fn an_empty_file_has_no_samples_and_its_other_chunks_are_not_played() {
    let file = riff(&[plain(), chunk(b"data", &[]), chunk(b"LIST", b"a note")]);
    assert_eq!(read(&file).unwrap(), []);
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), at in 0_usize..80) {
        let mut file = riff(&[plain(), chunk(b"data", &SAMPLES)]);
        let end = (at + bytes.len()).min(file.len());
        let at = at.min(end);
        file.splice(at..end, bytes);
        let _ = read(&file);
    }
}
