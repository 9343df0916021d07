use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp(1_700_000_000_500);

fn new_room(time: Value) -> Result<Room, Problem> {
    let body = json!({"audience": "acme", "time": time, "backend": "none"});
    let said: NewRoom = serde_json::from_value(body)
        .map_err(|error| Problem::invalid_payload(error.to_string()))?;
    said.draft(NOW)
}

fn change(room: &mut Room, body: Value) -> Result<(), Problem> {
    let said: RoomChange = serde_json::from_value(body).unwrap();
    said.write_on(room, NOW)
}

#[test]
fn a_room_opens_before_it_closes() {
    for (time, status) in [
        (json!([10, 5]), Some(400)),
        (json!([10, 10]), Some(400)),
        (json!([-1, 5]), Some(400)),
        (json!([1, LAST_SECOND + 1]), Some(400)),
        (json!([i64::MIN, i64::MAX]), Some(400)),
        (json!([1]), Some(400)),
        (json!([1, 2, 3]), Some(400)),
        (json!([null, 2]), Some(400)),
        (json!([1.5, 2]), Some(400)),
        (json!([10, 11]), None),
        (json!([10, null]), None),
    ] {
        let made = new_room(time.clone());
        assert_eq!(
            made.err().map(|problem| problem.status().as_u16()),
            status,
            "{time}"
        );
    }
}

#[test]
fn an_opening_that_lies_ahead_is_to_be_told_and_one_that_has_passed_is_not() {
    let at = NOW.secs();
    for (open, opened) in [(at - 5, true), (at, true), (at + 1, false)] {
        assert_eq!(new_room(json!([open, null])).unwrap().opened, opened);
    }
    // Put off, it is told again; brought forward, it is told now.
    let mut room = new_room(json!([at - 5, null])).unwrap();
    change(&mut room, json!({"time": [at + 5, null]})).unwrap();
    assert!(!room.opened);
    change(&mut room, json!({"time": [at - 1, null]})).unwrap();
    assert!(!room.opened);
}

#[test]
fn a_moment_that_stays_keeps_its_milliseconds() {
    let mut room = Room::draft(NOW);
    change(&mut room, json!({"time": [NOW.secs(), null], "tags": null})).unwrap();
    assert_eq!((room.opens_at, room.tags), (NOW, Value::Null));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![
            Just("audience".to_owned()),
            Just("time".to_owned()),
            Just("backend".to_owned()),
            Just("reserve".to_owned()),
            Just("tags".to_owned()),
            ".{0,4}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in any_json()) {
        if let Ok(said) = serde_json::from_value::<NewRoom>(body.clone()) {
            let _ = said.draft(NOW);
        }
        if let Ok(said) = serde_json::from_value::<RoomChange>(body) {
            let _ = said.write_on(&mut Room::draft(NOW), NOW);
        }
    }

    #[test]
    fn a_time_that_is_taken_comes_back_as_it_was(open: i64, length in -5_i64..i64::MAX, bounded: bool) {
        let close = bounded.then(|| open.saturating_add(length));
        let time = json!([open, close]);
        if let Ok(room) = new_room(time.clone()) {
            prop_assert!(close.is_none_or(|close| open < close));
            prop_assert_eq!(&crate::render::room::s0(&room)["time"], &time);
        }
    }

    #[test]
    fn once_bounded_a_room_stays_so(end in 1_700_000_001_i64..LAST_SECOND, open in 0_i64..LAST_SECOND) {
        let mut room = new_room(json!([5, end])).unwrap();
        let before = room.clone();
        let refused = change(&mut room, json!({"time": [open, null]})).unwrap_err();
        prop_assert_eq!(refused.status().as_u16(), 422);
        prop_assert_eq!(room, before);
    }
}
