//! The databases of these tests stop and come back.

use anyhow::{Result, ensure};
use visavis_tests::postgres::Postgres;
use visavis_tests::redis::Redis;

#[tokio::test]
async fn postgresql_stops_is_killed_and_comes_back_with_what_it_held() -> Result<()> {
    let mut postgres = Postgres::start().await?;
    let url = postgres.url();
    let other = postgres.create_database("other").await?;
    ensure!(other.ends_with("/other"), "{other}");
    postgres.query("CREATE TABLE kept (n int)").await?;
    for n in ["1", "2"] {
        let insert = format!("INSERT INTO kept VALUES ({n})");
        postgres.query(&insert).await?;
        if n == "1" {
            postgres.stop().await?;
        } else {
            postgres.kill().await?;
        }
        ensure!(postgres.query("SELECT 1").await.is_err(), "it is down");
        postgres.restart().await?;
    }
    ensure!(postgres.query("SELECT n FROM kept ORDER BY n").await? == "1\n2");
    ensure!(postgres.url() == url, "it is where it was");

    postgres.pause()?;
    let asked = postgres.query("SELECT 7");
    let (answer, resumed) = tokio::join!(asked, async { postgres.resume() });
    resumed?;
    ensure!(
        answer? == "7",
        "a question asked while it was held is answered"
    );
    Ok(())
}

#[tokio::test]
async fn redis_stops_is_killed_and_comes_back_empty() -> Result<()> {
    let mut redis = Redis::start().await?;
    let url = redis.url();
    for way in ["stopped", "killed"] {
        ensure!(redis.ask(&["GET", "way"]).await?.is_empty(), "it is new");
        ensure!(redis.ask(&["SET", "way", way]).await? == "OK");
        ensure!(redis.ask(&["GET", "way"]).await? == way);
        match way {
            "stopped" => redis.stop().await?,
            _ => redis.kill().await?,
        }
        ensure!(redis.ask(&["PING"]).await.is_err(), "it is down");
        redis.restart().await?;
    }
    ensure!(redis.url() == url, "it is where it was");
    Ok(())
}
