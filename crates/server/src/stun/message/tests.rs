use proptest::prelude::*;

use super::*;

const TRANSACTION: [u8; 12] = [
    0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
];

/// RFC 5769, section 2.1: a request with a FINGERPRINT, which RFC 8489 keeps.
const SAMPLE_REQUEST: &[u8] = b"\x00\x01\x00\x58\x21\x12\xa4\x42\
    \xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
    \x80\x22\x00\x10STUN test client\
    \x00\x24\x00\x04\x6e\x00\x01\xff\
    \x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\
    \x00\x06\x00\x09\x65\x76\x74\x6a\x3a\x68\x36\x76\x59\x20\x20\x20\
    \x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\
    \xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\
    \x80\x28\x00\x04\xe5\x7a\x3b\xcf";

/// XOR-MAPPED-ADDRESS of RFC 5769, section 2.2: 192.0.2.1:32853.
const SAMPLE_IPV4: &[u8] = b"\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43";

/// XOR-MAPPED-ADDRESS of RFC 5769, section 2.3:
/// [2001:db8:1234:5678:11:2233:4455:6677]:32853.
const SAMPLE_IPV6: &[u8] = b"\x00\x20\x00\x14\x00\x02\xa1\x47\
    \x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9";

fn message(kind: u16, attributes: &[u8]) -> Vec<u8> {
    let mut message = kind.to_be_bytes().to_vec();
    message.extend((attributes.len() as u16).to_be_bytes());
    message.extend(COOKIE.to_be_bytes());
    message.extend(TRANSACTION);
    message.extend(attributes);
    message
}

fn with_fingerprint(kind: u16, attributes: &[u8]) -> Vec<u8> {
    let mut message = message(kind, attributes);
    set_length(&mut message, 8);
    let value = fingerprint(&message);
    put_head(FINGERPRINT, 4, &mut message);
    message.extend(value);
    message
}

fn answer(request: &[u8], from: &str) -> Option<Vec<u8>> {
    let mut response = vec![0xff; 3];
    Request::read(request)?.answer(from.parse().unwrap(), &mut response);
    Some(response)
}

#[test]
fn a_binding_request_is_answered_with_the_address_that_it_comes_from() {
    let request = message(BINDING_REQUEST, &[]);
    for (from, attribute) in [
        ("192.0.2.1:32853", SAMPLE_IPV4),
        ("[::ffff:192.0.2.1]:32853", SAMPLE_IPV4),
        ("[2001:db8:1234:5678:11:2233:4455:6677]:32853", SAMPLE_IPV6),
    ] {
        let expected = message(BINDING_SUCCESS, attribute);
        assert_eq!(answer(&request, from).unwrap(), expected, "{from}");
    }
}

#[test]
fn the_answer_has_a_fingerprint_if_the_request_has_one() {
    let request = with_fingerprint(BINDING_REQUEST, &[]);
    let expected = with_fingerprint(BINDING_SUCCESS, SAMPLE_IPV4);
    assert_eq!(answer(&request, "192.0.2.1:32853").unwrap(), expected);
}

#[test]
fn an_unknown_comprehension_required_attribute_is_answered_with_420() {
    // RFC 5769's request has PRIORITY, which a connectivity check may have, not a
    // request to a STUN server.
    let expected = b"\x00\x09\x00\x04\x00\x00\x04\x14\x00\x0a\x00\x02\x00\x24\x00\x00";
    let expected = with_fingerprint(BINDING_ERROR, expected);
    assert_eq!(answer(SAMPLE_REQUEST, "192.0.2.1:1").unwrap(), expected);
    let two = b"\x00\x03\x00\x04\x00\x00\x00\x00\x7f\xff\x00\x00";
    let expected = b"\x00\x09\x00\x04\x00\x00\x04\x14\x00\x0a\x00\x04\x00\x03\x7f\xff";
    assert_eq!(
        answer(&message(BINDING_REQUEST, two), "192.0.2.1:1").unwrap(),
        message(BINDING_ERROR, expected)
    );
}

#[test]
fn known_and_comprehension_optional_attributes_are_ignored() {
    // USERNAME, SOFTWARE and an optional attribute that nobody has defined.
    let ignored = b"\x00\x06\x00\x01a\0\0\0\x80\x22\x00\x04test\xff\xff\x00\x00";
    let request = message(BINDING_REQUEST, ignored);
    let expected = message(BINDING_SUCCESS, SAMPLE_IPV4);
    assert_eq!(answer(&request, "192.0.2.1:32853").unwrap(), expected);
}

#[test]
fn what_is_no_well_formed_binding_request_gets_no_answer() {
    let good = message(BINDING_REQUEST, b"\x80\x22\x00\x04test");
    assert!(Request::read(&good).is_some());
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let wrong_fingerprint = {
        let mut bytes = with_fingerprint(BINDING_REQUEST, &[]);
        bytes[27] ^= 1;
        bytes
    };
    let after_fingerprint = {
        let mut attributes = with_fingerprint(BINDING_REQUEST, &[])[HEADER..].to_vec();
        attributes.extend(b"\x80\x22\x00\x00");
        message(BINDING_REQUEST, &attributes)
    };
    for (why, bytes) in [
        ("empty", Vec::new()),
        ("shorter than a header", good[..19].to_vec()),
        ("cut", good[..24].to_vec()),
        ("no magic cookie", changed(4, 0)),
        ("another length", changed(3, 4)),
        ("an attribute beyond the end", changed(23, 5)),
        ("a method other than Binding", changed(1, 3)),
        ("an indication", message(0x0011, &[])),
        ("a success response", message(BINDING_SUCCESS, SAMPLE_IPV4)),
        ("an error response", message(BINDING_ERROR, &[])),
        ("not STUN", changed(0, 0x80)),
        ("a wrong FINGERPRINT", wrong_fingerprint),
        ("an attribute after the FINGERPRINT", after_fingerprint),
        (
            "too long",
            message(BINDING_REQUEST, &[0xff, 0xff, 0, 0].repeat(316)),
        ),
        ("a byte after an attribute", message(BINDING_REQUEST, &[0])),
    ] {
        assert!(Request::read(&bytes).is_none(), "{why}");
    }
}

#[test]
fn the_longest_request_of_unknown_attributes_is_answered_with_all_of_them() {
    let request = message(BINDING_REQUEST, &[0x70, 0, 0, 0].repeat(315));
    assert_eq!(request.len(), MAX_REQUEST);
    let response = answer(&request, "192.0.2.1:1").unwrap();
    assert_eq!(response.len(), 20 + 8 + 4 + 632);
    assert_eq!(response[30..32], 630_u16.to_be_bytes());
}

proptest! {
    #[test]
    fn no_datagram_makes_the_reader_panic_and_an_answer_is_small_and_gets_no_answer(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        attributes in prop::collection::vec((any::<u16>(), 0_u16..12), 0..40),
        fingerprint in any::<bool>(),
        ip in any::<[u8; 16]>(),
    ) {
        let _ = Request::read(&bytes);
        let mut made = Vec::new();
        for (kind, length) in attributes {
            put_head(kind, length, &mut made);
            made.resize(made.len() + usize::from(length).next_multiple_of(4), 0);
        }
        let make = if fingerprint { with_fingerprint } else { message };
        for request in [make(BINDING_REQUEST, &made), message(BINDING_REQUEST, &bytes)] {
            let mut response = Vec::new();
            if let Some(read) = Request::read(&request) {
                read.answer((ip, 9).into(), &mut response);
                prop_assert!(response.len() <= request.len() + MAX_GROWTH);
                prop_assert_eq!(response.len() % 4, 0);
                prop_assert!(Request::read(&response).is_none());
            }
        }
    }
}
