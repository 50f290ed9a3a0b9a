//! `/metrics` beside what `docs/logging.md` promises.

use super::server::Server;

const PROMISED: &str = include_str!("../../../../docs/logging.md");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_that_is_promised_is_there_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let client = server.client();
    client.say("counted").await.unwrap();
    let text = client.http.get(format!("{}/metrics", server.url)).send().await.unwrap().text().await.unwrap();
    let mut promised: Vec<&str> =
        PROMISED.lines().filter_map(|line| line.strip_prefix("| `hallpass_")?.split('`').next()).collect();
    promised.sort_unstable();
    let mut present: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE hallpass_")?.split(' ').next()).collect();
    present.sort_unstable();
    assert_eq!(present, promised);
    let sent = "hallpass_http_requests_total{operation=\"messages.create\",class=\"2xx\"} 1";
    assert!(text.lines().any(|line| line == sent), "{text}");
    assert!(text.lines().any(|line| line == "hallpass_sends_waiting 0"), "{text}");
    let rev = text.lines().find_map(|line| line.strip_prefix("hallpass_authority_rev ")).unwrap();
    assert!(rev.parse::<f64>().unwrap() > 1e12, "a leap to the time in milliseconds: {rev}");
    let age = text.lines().find_map(|line| line.strip_prefix("hallpass_authority_age_seconds ")).unwrap();
    assert!(age.parse::<f64>().unwrap() < 1.0, "{age}");
}
