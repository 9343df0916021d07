//! Access tokens that are replaced before they expire.

use serde_json::json;

use crate::access::{check_entry, claims, from_now, guest, room, signed, strict};
use crate::support::{Client, SECRET};

#[tokio::test]
async fn s2_51_a_token_is_renewed_before_it_expires_and_the_new_one_lets_its_holder_in() {
    let server = strict().await;
    let (_host, room) = room(&server, json!({})).await;
    let mut short = claims("ann", guest(&room));
    short["exp"] = from_now(3).into();
    short["name"] = "Ann".into();
    let join = |token: &str, features: &[&str]| json!({"roomId": room, "token": token, "features": features});
    let mut ann = Client::connect(server.local_addr()).await;
    let token = signed(&short, SECRET);
    let joined = ann.check_entry(join(&token, &["controls"])).await;
    assert_eq!(joined["type"], "room-joined");
    ann.expect("room-updated").await;
    let renewed = ann.expect("token-renewed").await;
    assert_eq!(renewed["roomId"], room.as_str());
    assert!(renewed["payload"]["expiresAt"].is_string(), "{renewed}");
    let token = renewed["payload"]["token"].as_str().unwrap().to_owned();
    let entered = check_entry(&server, join(&token, &["members"])).await;
    assert_eq!(entered["type"], "room-joined", "{entered}");
    let is_ann = |member: &&serde_json::Value| member["name"] == "Ann";
    let members = entered["room"]["members"].as_array().unwrap();
    assert_eq!(members.iter().filter(is_ann).count(), 2, "{entered}");
}
