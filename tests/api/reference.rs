//! The reference of the API says what the API does.

use crate::support::{App, Database, Look, browse};

#[tokio::test]
async fn the_reference_shows_every_operation_and_keeps_to_itself() {
    let database = Database::sample().await;
    let app = App::alone(&database).await;
    let document: serde_json::Value = app.request("GET", "/openapi.json").send().await.unwrap().json().await.unwrap();
    let operations: usize =
        document["paths"].as_object().unwrap().values().map(|it| it.as_object().unwrap().len()).sum();
    for dark in [false, true] {
        browse(&app, Look { dark, ..Look::DESKTOP }, "/docs", async |browser| {
            browser.until(&format!("document.querySelectorAll('#reference .opblock').length === {operations}")).await;
            browser.click("#operations-Prices-getQuote button").await;
            browser.until("document.querySelector('#operations-Prices-getQuote .responses-table')").await;
            browser.keeps_to_itself().await;
        })
        .await;
    }
}
