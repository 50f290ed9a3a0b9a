//! The start page: what is there, and what to paste. Only `hallpass dev` shows ids and a key.

use serde_json::Value;

use super::html::{Escaped, Fill, fill, page, put};

/// The page of `hallpass dev`, from its ready line.
pub(super) fn dev(ready: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let users = ready["users"].as_array().map(Vec::as_slice).unwrap_or_default();
    let member = users.iter().find(|user| user["role"] == "member").unwrap_or(&Value::Null);
    let mut rows = String::new();
    for user in users {
        put(
            &mut rows,
            format_args!(
                "<div><dt>{} <span class=\"kind\">{}</span></dt><dd><code data-copy>{}</code></dd></div>\n",
                Escaped(&text(&user["username"])),
                Escaped(&text(&user["role"])),
                Escaped(&text(&user["id"])),
            ),
        );
    }
    let facts = [
        ("url", text(&ready["url"])),
        ("company", text(&ready["company_id"])),
        ("key", text(&ready["api_key"])),
        ("app", text(&ready["app_id"])),
        ("experience", text(&ready["experience_id"])),
        ("channel", text(&ready["channel_id"])),
        ("user", text(&member["id"])),
        ("username", text(&member["username"])),
        ("other_company", text(&ready["other"]["company_id"])),
        ("other_channel", text(&ready["other"]["channel_id"])),
    ];
    let mut holes: Vec<(&str, Fill<'_>)> =
        facts.iter().map(|(name, fact)| (*name, Fill::Text(fact))).collect();
    holes.push(("users", Fill::Html(&rows)));
    page("Hallpass, for development", "start", &fill(include_str!("start_dev.html"), &holes))
}

/// The page of `hallpass serve`: no ids, no secrets.
pub(super) fn production(public_url: &str) -> String {
    let holes = [("url", Fill::Text(public_url))];
    page("Hallpass", "start", &fill(include_str!("start.html"), &holes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_dev_page_shows_the_ready_line_escaped() {
        let ready = json!({
            "url": "http://127.0.0.1:1", "company_id": "biz_1", "api_key": "hpd_1", "app_id": "app_1",
            "users": [{ "id": "user_1", "username": "<b>", "role": "member" }],
            "experience_id": "exp_1", "channel_id": "chat_feed_1",
            "other": { "company_id": "biz_2", "channel_id": "chat_feed_2" },
        });
        let html = dev(&ready);
        for shown in ["biz_1", "hpd_1", "user_1", "&lt;b&gt;", "chat_feed_1", "biz_2"] {
            assert!(html.contains(shown), "{shown}");
        }
        assert!(!html.contains("<b>") && !html.contains("{{"));
    }

    #[test]
    fn no_page_holds_script_style_or_foreign_addresses() {
        for html in [dev(&json!({})), production("https://chat.example.com")] {
            assert!(!html.contains(" style=") && !html.contains("<style") && !html.contains(" onclick"));
            assert!(html.matches("<script").count() == html.matches("<script src=\"/assets/").count());
            assert!(!html.contains("src=\"http") && !html.contains("url("));
        }
        assert!(!production("https://chat.example.com").contains("hpd_"));
    }
}
