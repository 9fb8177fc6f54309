//! Instances lose Redis one after the other, so that those who still have it stop seeing those who
//! don't.

use std::time::Duration;

use super::shared::{each_on_its_own_way, measured};
use crate::limits::burst;
use crate::support::{Database, Fault, eventually, record};

#[tokio::test]
async fn instances_that_lose_redis_one_after_the_other_share_the_limit_as_if_they_had_together() {
    let database = Database::sample().await;
    let (proxies, apps) = each_on_its_own_way(&database).await;
    proxies[0].set(Fault::Refuse);
    let sees_itself_alone = async || measured(&apps[1], "tickerd_instances").await == 1;
    eventually("the second counts anew", Duration::from_secs(15), sees_itself_alone).await;
    proxies[1].set(Fault::Refuse);
    for app in &apps {
        let lost = async || {
            app.get("", "/health/ready").await.text().await.unwrap().contains("\"redis\":\"down\"")
        };
        eventually("Redis is lost", Duration::from_secs(5), lost).await;
    }
    let key = database.issue("free");
    let admitted = [burst(&apps[..1], &key, 150).await, burst(&apps[1..], &key, 150).await];
    assert_eq!(admitted, [50, 50], "of a limit of 100");
    record(
        "instances_that_lose_redis_one_after_the_other_share_the_limit_as_if_they_had_together",
        &format!(
            "the first admitted {} of a limit of 100, the second {}",
            admitted[0], admitted[1]
        ),
    );
}
