//! The log as one JSON object a line, flat: `timestamp`, `level`, `target`, `message`, and the fields of the event and
//! of the spans around it, such as `run_id`.
//!
//! Flat, unlike the form that comes with `tracing-subscriber`, because a collector of logs finds `run_id` by its name
//! and not in a list of spans. What is nearer to the event goes over what is further out.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

/// The names that the line has for itself. A field of such a name is left out.
const RESERVED: [&str; 3] = ["timestamp", "level", "target"];

/// JSON on standard error.
pub(super) fn layer() -> impl Layer<Registry> + Send + Sync {
    tracing_subscriber::fmt::layer()
        .fmt_fields(JsonFields::new())
        .event_format(FlatJson)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // A reader of the log who has seen enough must not end a run.
        .log_internal_errors(false)
}

struct FlatJson;

impl<S, N> FormatEvent<S, N> for FlatJson
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Fields(Map::new());
        for span in context.event_scope().into_iter().flat_map(tracing_subscriber::registry::Scope::from_root)
        {
            let extensions = span.extensions();
            let written = extensions.get::<FormattedFields<N>>();
            let fields = written.and_then(|fields| serde_json::from_str::<Map<String, Value>>(fields).ok());
            line.0.extend(fields.into_iter().flatten());
        }
        event.record(&mut line);
        line.0.retain(|name, _| !RESERVED.contains(&name.as_str()));
        let metadata = event.metadata();
        line.put("timestamp", jiff::Timestamp::now().to_string());
        line.put("level", metadata.level().to_string());
        line.put("target", metadata.target());
        let text = serde_json::to_string(&line.0).map_err(|_| fmt::Error)?;
        writeln!(writer, "{text}")
    }
}

/// The fields of a line. Numbers and truth stay what they are; everything else is text.
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // `r#type` is `type`: how Rust has to spell a word is no concern of the reader.
        self.put(field.name().trim_start_matches("r#"), format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use amiwarden_core::RunId;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::telemetry::run_span;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let writer = written.clone();
        let layer = tracing_subscriber::fmt::layer()
            .fmt_fields(JsonFields::new())
            .event_format(FlatJson)
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(Registry::default().with(layer), log);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_flat_and_holds_the_fields_of_event_and_spans() {
        let lines = lines(|| {
            tracing::info!("outside");
            let _run = run_span(&RunId::new("run-1")).entered();
            let _inner = tracing::info_span!("inner", region = "eu-west-1", count = 1).entered();
            tracing::warn!(count = 2, share = 0.5, done = true, what = ?Some("x"), "of \"{}\"\nlines", 2);
        });
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["message"], lines[0].get("run_id")), (&Value::from("outside"), None));
        let line = &lines[1];
        assert_eq!(line["run_id"], "run-1");
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "of \"2\"\nlines");
        assert_eq!(line["region"], "eu-west-1");
        // The event's own field, not the span's.
        assert_eq!((&line["count"], &line["share"], &line["done"]), (&2.into(), &0.5.into(), &true.into()));
        assert_eq!(line["what"], "Some(\"x\")");
        line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }

    #[test]
    fn no_field_takes_the_place_of_what_the_line_says_itself() {
        let lines = lines(|| tracing::error!(level = "fine", timestamp = "never", "it broke"));
        assert_eq!(lines[0]["level"], "ERROR");
        assert_ne!(lines[0]["timestamp"], "never");
    }
}
