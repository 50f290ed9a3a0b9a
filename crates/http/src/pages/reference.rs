//! The reference page, from the OpenAPI document.
//!
//! It reads the finished document rather than the router, so that people and machines read the same.

use std::collections::HashSet;

use super::html::{Escaped, Fill, fill, page, prose, put};
use super::json::Json;
use hallpass_core::catalogue;
use hallpass_core::scope::Scope;

use crate::error::Code;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const SCHEMA: &str = "#/components/schemas/";
const EXTENSION: &str = " (extension)";

/// The page of a document, in JSON.
pub(super) fn render(document: &str) -> String {
    let document = serde_json::from_str(document).unwrap_or(Json::Null);
    let reference = Reference::read(&document);
    let intro = document["info"]["description"].text().unwrap_or_default();
    // The table of errors that follows is shown in our own way.
    let intro = intro.split("\n\n|").next().unwrap_or_default();
    let body = fill(
        include_str!("reference.html"),
        &[
            ("intro", Fill::Html(&prose(intro))),
            ("index", Fill::Html(&reference.index())),
            ("operations", Fill::Html(&reference.sections())),
            ("objects", Fill::Html(&reference.objects())),
            ("errors", Fill::Html(&errors())),
            ("permissions", Fill::Html(&permissions())),
        ],
    );
    page("Hallpass API reference", "reference", &body)
}

struct Operation<'d> {
    method: &'static str,
    path: &'d str,
    id: &'d str,
    tag: &'d str,
    summary: &'d str,
    ours: bool,
    item: &'d Json,
}

impl<'d> Operation<'d> {
    fn body(&self) -> &'d Json {
        &self.item["requestBody"]["content"]["application/json"]["schema"]
    }
}

struct Field<'d> {
    name: &'d str,
    schema: &'d Json,
    about: Option<&'d str>,
    required: bool,
}

struct Reference<'d> {
    schemas: &'d Json,
    operations: Vec<Operation<'d>>,
    /// In the document's order.
    tags: Vec<&'d str>,
}

impl<'d> Reference<'d> {
    fn read(document: &'d Json) -> Self {
        let mut operations = Vec::new();
        for (path, item) in document["paths"].entries() {
            for method in METHODS {
                let Some(item) = item.get(method) else { continue };
                let summary = item["summary"].text().unwrap_or_default();
                operations.push(Operation {
                    method,
                    path,
                    id: item["operationId"].text().unwrap_or_default(),
                    tag: item["tags"].items().first().and_then(Json::text).unwrap_or_default(),
                    summary: summary.strip_suffix(EXTENSION).unwrap_or(summary),
                    ours: summary.ends_with(EXTENSION),
                    item,
                });
            }
        }
        let mut tags: Vec<&str> = Vec::new();
        for operation in &operations {
            if !tags.contains(&operation.tag) {
                tags.push(operation.tag);
            }
        }
        Self { schemas: &document["components"]["schemas"], operations, tags }
    }

    fn of_tag(&self, tag: &str) -> impl Iterator<Item = &Operation<'d>> {
        self.operations.iter().filter(move |operation| operation.tag == tag)
    }

    fn index(&self) -> String {
        let mut out = String::new();
        for tag in &self.tags {
            put(
                &mut out,
                format_args!("<li class=\"group\"><a href=\"#{}\">{}</a><ul>\n", anchor(tag), Escaped(tag)),
            );
            for operation in self.of_tag(tag) {
                put(
                    &mut out,
                    format_args!(
                        "<li data-find=\"{} {}\"><a href=\"#{}\">{}</a></li>\n",
                        operation.method,
                        Escaped(operation.path),
                        Escaped(operation.id),
                        Escaped(operation.summary),
                    ),
                );
            }
            out.push_str("</ul></li>\n");
        }
        out
    }

    fn sections(&self) -> String {
        let mut out = String::new();
        for tag in &self.tags {
            let anchor = anchor(tag);
            put(
                &mut out,
                format_args!(
                    "<section class=\"part\" aria-labelledby=\"{anchor}\">\n<h2 id=\"{anchor}\">{}</h2>\n",
                    Escaped(tag)
                ),
            );
            for operation in self.of_tag(tag) {
                self.article(&mut out, operation);
            }
            out.push_str("</section>\n");
        }
        out
    }

    fn article(&self, out: &mut String, operation: &Operation<'d>) {
        let id = Escaped(operation.id);
        let tag = if operation.ours { " <span class=\"tag ours\">extension</span>" } else { "" };
        put(
            out,
            format_args!(
                "<article id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h3 id=\"{id}-title\">{}{tag}</h3>\n\
                 <p class=\"route\"><span class=\"method {}\">{}</span> <code>{}</code></p>\n",
                Escaped(operation.summary),
                operation.method,
                operation.method.to_uppercase(),
                Escaped(operation.path),
            ),
        );
        if let Some(text) = operation.item["description"].text() {
            for paragraph in text.split("\n\n") {
                put(out, format_args!("<p>{}</p>\n", prose(paragraph)));
            }
        }
        for (place, title) in [("path", "In the path"), ("query", "In the query")] {
            let here: Vec<Field<'_>> = operation.item["parameters"]
                .items()
                .iter()
                .filter(|parameter| parameter["in"].text() == Some(place))
                .map(|parameter| Field {
                    name: parameter["name"].text().unwrap_or_default(),
                    schema: &parameter["schema"],
                    about: parameter["description"].text(),
                    required: parameter["required"].is_true(),
                })
                .collect();
            fields(out, title, &here, true);
        }
        // To leave something out and to send null for it differ in a PATCH only.
        fields(out, "In the body", &self.fields_of(operation.body()), operation.method == "patch");
        let answer = &operation.item["responses"]["200"]["content"]["application/json"]["schema"];
        put(out, format_args!("<h4>Answer</h4>\n<p>{}</p>\n", kind(answer, true)));
        put(
            out,
            format_args!(
                "<h4>Example</h4>\n<pre tabindex=\"0\" role=\"region\" aria-label=\"Shell: {}\"><code>{}</code></pre>\n\
                 </article>\n",
                Escaped(operation.summary),
                Escaped(&self.example(operation)),
            ),
        );
    }

    /// A call that shows the parameters that matter.
    fn example(&self, operation: &Operation<'d>) -> String {
        let query: Vec<String> = operation.item["parameters"]
            .items()
            .iter()
            .filter(|parameter| parameter["in"].text() == Some("query") && parameter["required"].is_true())
            .filter_map(|parameter| parameter["name"].text())
            .map(|name| format!("{name}={}", sample(name)))
            .collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let body = operation.body();
        let mut call = String::from("curl");
        let understood = operation.method == "get" || (operation.method == "post" && !body.is_null());
        if !understood {
            put(&mut call, format_args!(" -X {}", operation.method.to_uppercase()));
        }
        let path = operation.path.strip_prefix("/api/v1").unwrap_or(operation.path);
        put(&mut call, format_args!(" \"$API{path}{query}\" \\\n  -H \"Authorization: Bearer $TOKEN\""));
        if !body.is_null() {
            let shown: Vec<String> = self
                .fields_of(body)
                .iter()
                .filter(|field| SHOWN.iter().any(|(name, _)| *name == field.name))
                .map(|field| match sample(field.name) {
                    "true" => format!("\"{}\": true", field.name),
                    text => format!("\"{}\": \"{text}\"", field.name),
                })
                .collect();
            put(
                &mut call,
                format_args!(
                    " \\\n  -H \"Content-Type: application/json\" \\\n  -d '{{{}}}'",
                    shown.join(", ")
                ),
            );
        }
        call
    }

    /// Every object that an answer or a part of a body holds.
    fn objects(&self) -> String {
        // Bodies are told at their operation; lists, as lists of their items.
        let bodies: HashSet<&str> =
            self.operations.iter().filter_map(|operation| named(operation.body())).collect();
        let mut out = String::new();
        for (name, schema) in self.schemas.entries() {
            if name.starts_with("ListView_") || name.starts_with("Error") || bodies.contains(name) {
                continue;
            }
            put(
                &mut out,
                format_args!(
                    "<article id=\"object-{0}\" aria-labelledby=\"object-{0}-title\">\n\
                     <h3 id=\"object-{0}-title\">{1}</h3>\n",
                    Escaped(name),
                    Escaped(plain(name)),
                ),
            );
            if let Some(about) = schema["description"].text() {
                put(&mut out, format_args!("<p>{}</p>\n", prose(about)));
            }
            fields(&mut out, "", &self.fields_of(schema), true);
            out.push_str("</article>\n");
        }
        out
    }

    /// The fields of an object, those of its parts included.
    fn fields_of(&self, schema: &'d Json) -> Vec<Field<'d>> {
        if let Some(name) = named(schema) {
            return self.schemas.get(name).map(|schema| self.fields_of(schema)).unwrap_or_default();
        }
        let parts = schema["allOf"].items().iter().flat_map(|part| self.fields_of(part));
        let own = schema["properties"].entries().map(|(name, field)| Field {
            name,
            schema: field,
            about: field["description"].text(),
            required: schema["required"].items().iter().any(|required| required.text() == Some(name)),
        });
        parts.chain(own).collect()
    }
}

/// A list of fields.
fn fields(out: &mut String, title: &str, fields: &[Field<'_>], nulls: bool) {
    if fields.is_empty() {
        return;
    }
    if !title.is_empty() {
        put(out, format_args!("<h4>{title}</h4>\n"));
    }
    // In an answer everything is there; "required" is for those who ask.
    let asked = !title.is_empty();
    out.push_str("<dl class=\"fields\">\n");
    for field in fields {
        let needed = if field.required && asked { " <span class=\"needed\">required</span>" } else { "" };
        put(
            out,
            format_args!(
                "<div><dt><code>{}</code>{needed}<span class=\"kind\">{}</span></dt><dd>{}</dd></div>\n",
                Escaped(field.name),
                kind(field.schema, nulls),
                field.about.map(prose).unwrap_or_default(),
            ),
        );
    }
    out.push_str("</dl>\n");
}

/// A type for people: links to objects, and words.
fn kind(schema: &Json, nulls: bool) -> String {
    if let Some(name) = named(schema) {
        return match name.strip_prefix("ListView_") {
            Some(item) => format!(
                "<code>data</code>: list of {}; <code>page_info</code>: {}",
                link(item),
                link("PageInfo")
            ),
            None => link(name),
        };
    }
    let kinds: Vec<String> = if schema["oneOf"].is_null() {
        let word = &schema["type"];
        let words = word.text().into_iter().chain(word.items().iter().filter_map(Json::text));
        words
            .filter(|word| nulls || *word != "null")
            .map(|word| match (word, schema["format"].text()) {
                ("array", _) => format!("list of {}", kind(&schema["items"], nulls)),
                ("string", Some("date-time")) => "date-time".to_owned(),
                ("boolean", _) => "true or false".to_owned(),
                (word, _) => Escaped(word).to_string(),
            })
            .collect()
    } else {
        let options = schema["oneOf"].items().iter();
        let options = options.filter(|option| nulls || option["type"].text() != Some("null"));
        options.map(|option| kind(option, nulls)).collect()
    };
    kinds.join(" or ")
}

/// The schema that a reference names.
fn named(schema: &Json) -> Option<&str> {
    schema["$ref"].text()?.strip_prefix(SCHEMA)
}

/// An object's name without what it is to us.
fn plain(name: &str) -> &str {
    name.strip_suffix("View").or_else(|| name.strip_suffix("Body")).unwrap_or(name)
}

fn link(name: &str) -> String {
    format!("<a href=\"#object-{}\">{}</a>", Escaped(name), Escaped(plain(name)))
}

fn anchor(tag: &str) -> String {
    tag.to_lowercase().replace(' ', "-")
}

/// What examples show, and what they say there.
const SHOWN: &[(&str, &str)] = &[
    ("company_id", "biz_…"),
    ("user_id", "user_…"),
    ("channel_id", "chat_feed_…"),
    ("content", "Hello!"),
    ("title", "Ann"),
    ("email", "ann@example.com"),
    ("parent_company_id", "biz_…"),
    ("child_company_id", "biz_…"),
    ("app_id", "app_…"),
    ("product_id", "prod_…"),
    ("name", "General"),
    ("role", "admin"),
    ("ban_urls", "true"),
];

fn sample(name: &str) -> &'static str {
    SHOWN.iter().find(|(shown, _)| *shown == name).map_or("…", |(_, value)| value)
}

fn errors() -> String {
    let mut out = String::from("<dl class=\"fields\">\n");
    for code in Code::ALL {
        put(
            &mut out,
            format_args!(
                "<div><dt><code>{}</code><span class=\"kind\">{}</span></dt><dd>{}</dd></div>\n",
                code.name(),
                code.status().as_u16(),
                prose(code.meaning()),
            ),
        );
    }
    out.push_str("</dl>\n");
    out
}

fn permissions() -> String {
    let mut out = String::from("<dl class=\"fields\">\n");
    for scope in Scope::all() {
        let flags = scope.flags();
        let key = flags.has(catalogue::KEY) && !flags.has(catalogue::NOT_KEY);
        let on = match (key, flags.has(catalogue::USER)) {
            (true, true) => "keys and user tokens",
            (true, false) => "keys",
            (false, true) => "user tokens",
            (false, false) => "by role only",
        };
        put(
            &mut out,
            format_args!(
                "<div><dt><code>{}</code><span class=\"kind\">{on}</span></dt><dd>{}</dd></div>\n",
                scope.name(),
                prose(scope.entry().description),
            ),
        );
    }
    out.push_str("</dl>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_and_every_object_it_names_is_there() {
        let html = render(&crate::openapi_json());
        for (_, path, id) in crate::routes_of_api() {
            assert!(html.contains(&format!("<article id=\"{id}\"")), "{id}");
            assert!(html.contains(&format!("<code>{path}</code>")), "{path}");
        }
        let mut rest = html.as_str();
        while let Some((_, after)) = rest.split_once("href=\"#") {
            let (target, after) = after.split_once('"').unwrap();
            assert!(html.contains(&format!("id=\"{target}\"")), "#{target} leads nowhere");
            rest = after;
        }
        assert!(!html.contains("{{") && !html.contains(" style="));
    }

    #[test]
    fn the_document_is_described_and_its_order_kept() {
        let html = render(&crate::openapi_json());
        assert!(html.contains("Embedded chat and the authentication in front of it."));
        let message = html.split("id=\"object-MessageView\"").nth(1).unwrap();
        assert!(message.find("<code>id</code>").unwrap() < message.find("<code>attachments</code>").unwrap());
    }
}
