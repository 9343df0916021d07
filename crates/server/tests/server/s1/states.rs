//! What moves a session from one state to the next, and what does not.

use serde_json::{Value, json};

use super::{
    STATES, egress, go_live, idle, in_state, path, publish, ready, report, room_path, sessions,
    status, stop, viewer_credentials,
};
use crate::studio::Studio;

#[tokio::test]
async fn s1_14_a_report_about_a_room_whose_sessions_are_over_changes_nothing() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let host = ready(&studio, &session).await;
    go_live(&studio, &session, "EG_1").await;
    host.close().await;
    studio
        .wait(&room_path(&session), |room| room["participant_count"] == 0)
        .await;
    stop(&studio, &session).await;
    let before = sessions(&studio, &session).await;
    assert_eq!(before.len(), 1, "no host, no next session");
    for status in ["active", "idle", "disconnected"] {
        assert_eq!(report(&studio, &session, status).await, 200);
    }
    let told = egress("egress_started", "EG_2", &session["room_id"]);
    assert_eq!(studio.tell(told).await, 200);
    assert_eq!(sessions(&studio, &session).await, before);
    assert_eq!(studio.report("ro_of_nobody", "active").await, 200);
}

#[tokio::test]
async fn s1_18_the_host_makes_it_ready_and_nobody_else_does() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let _viewer = studio
        .join(&viewer_credentials(&studio, &session, "9").await)
        .await;
    assert_eq!(status(&studio, &session).await, "IDLE");
    let _host = ready(&studio, &session).await;
    assert_eq!(status(&studio, &session).await, "READY");
}

#[tokio::test]
async fn s1_19_to_go_live_is_refused_by_state_first_and_then_for_want_of_an_egress() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let start = path(&session, "/start_live");
    let (code, body) = studio.ask("POST", &start, Value::Null).await;
    assert_eq!((code, &body["type"]), (409, &json!("illegal_transition")));
    let _host = ready(&studio, &session).await;
    let (code, body) = studio.ask("POST", &start, Value::Null).await;
    assert_eq!((code, &body["type"]), (501, &json!("not_implemented")));
    assert_eq!(status(&studio, &session).await, "READY");
}

#[tokio::test]
async fn s1_20_s1_21_s1_22_each_report_that_the_stream_is_over_stops_a_session_that_ends() {
    let studio = Studio::open().await;
    for over in ["idle", "disconnected"] {
        let session = idle(&studio).await;
        let _host = ready(&studio, &session).await;
        go_live(&studio, &session, &format!("EG_{over}")).await;
        let ended = studio.post(&path(&session, "/end"), Value::Null).await;
        assert_eq!(ended["status"], "ENDING");
        assert_eq!(report(&studio, &session, over).await, 200);
        assert_eq!(status(&studio, &session).await, "STOPPED");
    }
}

#[tokio::test]
async fn s1_29_from_each_state_each_event_leads_where_it_may_or_nowhere() {
    let studio = Studio::open().await;
    for state in STATES {
        let over = matches!(state, "STOPPED" | "CANCELLED");
        for event in ["start_live", "end", "cancel", "active", "idle", "egress"] {
            let (session, _host) = in_state(&studio, state).await;
            let code = match event {
                "active" | "idle" => report(&studio, &session, event).await,
                "egress" => {
                    let id = format!("EG_{state}");
                    let told = egress("egress_started", &id, &session["room_id"]);
                    studio.tell(told).await
                }
                action => {
                    let action = path(&session, &format!("/{action}"));
                    studio.ask("POST", &action, Value::Null).await.0
                }
            };
            let expected = match (state, event) {
                ("READY", "start_live") => (501, state),
                ("LIVE", "end") => (200, "ENDING"),
                // s1_30
                ("IDLE" | "READY" | "PUBLISHING", "cancel") => (200, "CANCELLED"),
                ("PUBLISHING", "active") => (200, "LIVE"),
                ("ENDING", "idle") => (200, "STOPPED"),
                ("READY", "egress") => (200, "PUBLISHING"),
                // Whoever tells of what has happened is not to tell it again.
                (_, "egress") => (200, state),
                (_, "active" | "idle") if over => (200, state),
                _ => (409, state),
            };
            let after = status(&studio, &session).await;
            assert_eq!((code, after.as_str()), expected, "{state} {event}");
        }
    }
}

#[tokio::test]
async fn s1_30_a_session_is_cancelled_before_it_is_live_and_not_later() {
    let studio = Studio::open().await;
    for (state, code) in [
        ("IDLE", 200),
        ("READY", 200),
        ("PUBLISHING", 200),
        ("LIVE", 409),
        ("ENDING", 409),
    ] {
        let (session, _host) = in_state(&studio, state).await;
        let (answered, _) = studio
            .ask("POST", &path(&session, "/cancel"), Value::Null)
            .await;
        assert_eq!(answered, code, "{state}");
    }
}

#[tokio::test]
async fn s1_36_a_webhook_about_one_room_moves_that_rooms_session() {
    let studio = Studio::open().await;
    let one = idle(&studio).await;
    let other = idle(&studio).await;
    let (_a, _b) = (ready(&studio, &one).await, ready(&studio, &other).await);
    publish(&studio, &other, "EG_1").await;
    assert_eq!(status(&studio, &one).await, "READY");
    let shown = studio.get(&path(&other, "")).await;
    assert_eq!(shown["egress_id"], "EG_1");
}

#[tokio::test]
async fn s1_36_a_session_that_ends_is_over_with_its_own_egress_and_not_with_another() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let _host = ready(&studio, &session).await;
    go_live(&studio, &session, "EG_1").await;
    // What dies on the air is refused, as each report of its end is.
    let told = egress("egress_ended", "EG_1", &session["room_id"]);
    assert_eq!(studio.tell(told).await, 200);
    assert_eq!(status(&studio, &session).await, "LIVE");
    studio.post(&path(&session, "/end"), Value::Null).await;
    for other in ["EG_0", ""] {
        let told = egress("egress_ended", other, &session["room_id"]);
        assert_eq!(studio.tell(told).await, 200);
        assert_eq!(status(&studio, &session).await, "ENDING", "{other}");
    }
    let mut told = egress("egress_ended", "EG_1", &session["room_id"]);
    told["id"] = "EV_ended_at_last".into();
    assert_eq!(studio.tell(told).await, 200);
    assert_eq!(status(&studio, &session).await, "STOPPED");
}

#[tokio::test]
async fn s1_37_whoever_comes_late_does_not_take_it_off_the_air() {
    let studio = Studio::open().await;
    let session = idle(&studio).await;
    let _host = ready(&studio, &session).await;
    go_live(&studio, &session, "EG_1").await;
    let join_credentials = viewer_credentials(&studio, &session, "9").await;
    let _viewer = studio.join(&join_credentials).await;
    let _again = ready(&studio, &session).await;
    let joined = json!({
        "event": "participant_joined",
        "id": "EV_late",
        "room": {"sid": "RM_late", "name": session["room_id"]},
        "participant": {"sid": "PA_late", "identity": session["user_id"]},
    });
    assert_eq!(studio.tell(joined).await, 200);
    assert_eq!(status(&studio, &session).await, "LIVE");
}
