//! Instances lose Redis one after the other, so that those who still have it stop seeing those who don't.

use std::time::Duration;

use super::shared::{know_of_each_other, measured};
use crate::limits::burst;
use crate::support::{App, Database, Fault, Proxy, eventually, record, redis_url, unique};

#[tokio::test]
async fn instances_that_lose_redis_one_after_the_other_share_the_limit_as_if_they_had_together() {
    let (database, prefix) = (Database::sample().await, format!("{}:", unique("test")));
    let proxies = [Proxy::to(&redis_url()), Proxy::to(&redis_url())];
    let mut apps = Vec::new();
    for proxy in &proxies {
        apps.push(App::with(&database, &[("REDIS_URL", &proxy.url()), ("REDIS_KEY_PREFIX", &prefix)]).await);
    }
    know_of_each_other(&apps).await;
    proxies[0].set(Fault::Refuse);
    let sees_itself_alone = async || measured(&apps[1], "tickerd_instances").await == 1;
    eventually("the second counts anew", Duration::from_secs(15), sees_itself_alone).await;
    proxies[1].set(Fault::Refuse);
    for app in &apps {
        let lost = async || app.get("", "/health/ready").await.text().await.unwrap().contains("\"redis\":\"down\"");
        eventually("Redis is lost", Duration::from_secs(5), lost).await;
    }
    let key = database.issue("free");
    let admitted = [burst(&apps[..1], &key, 150).await, burst(&apps[1..], &key, 150).await];
    assert_eq!(admitted, [50, 50], "of a limit of 100");
    record(
        "instances_that_lose_redis_one_after_the_other_share_the_limit_as_if_they_had_together",
        &format!("of a limit of 100 the first admitted {}, the second {}", admitted[0], admitted[1]),
    );
}
