//! `serve`: the service.

use std::sync::Arc;

use amiwarden_core::Timestamp;
use anyhow::{Context, anyhow};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::args::{FormatArg, Global, ServeArgs};
use super::failure::{Failure, Outcome};
use super::{interrupt, prepare, terminal};
use crate::config::Config;
use crate::driver::control::{Control, Phase, PolicyStatus, Status, channel};
use crate::driver::{Driver, Supervisor};
use crate::http::{self, Limits, RenderMetrics, Token};
use crate::metrics::Metrics;
use crate::notify::{Courier, Notifiers, Surroundings};
use crate::pause::PauseFile;
use crate::report::{List, ListColumn};
use crate::rules::Rules;
use crate::schedule::{Schedule, host_id};

/// So many times of each schedule are told in advance.
const TIMES_SHOWN: usize = 3;

pub(super) async fn serve(global: &Global, args: &ServeArgs) -> Result<Outcome, Failure> {
    let rules = load(global).map_err(Failure::Usage)?;
    let (now, host) = (Timestamp::now(), host_id());
    if args.check {
        terminal::print(&timetable(&rules, now, &host, global)?)?;
        return Ok(Outcome::Fine);
    }
    for it in &rules.config.schedules {
        let times = times(&it.schedule, now, &host).join(", ");
        tracing::info!(schedule = %it.schedule.name, "schedule {} is due at {times}", it.schedule.name);
    }
    let cloud = prepare::connect(global, &rules.config, None).await?;
    let store = prepare::open_store(&rules.config).await?;
    cloud.seed(&store).await?;

    let publisher = cloud.connection.publisher();
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), PauseFile::of(&rules.config))?;
    let notifiers = Notifiers::new(&rules.config.notify, Some(publisher), Surroundings::REAL)?
        .counted_by(metrics.clone());
    notifiers.warn_of_secrets();
    let (notifiers, courier) = Courier::new(notifiers, rules.config.store.path.clone());
    let (stop, stop_now) = interrupt::stop_on_signals();
    let (control, desk) = channel(first_status(&rules, now), PauseFile::of(&rules.config));
    // Beside the driver, and up until that has ended: whoever watches sees it stop.
    let stop_http = CancellationToken::new();
    let rendered = metrics.clone();
    let render: RenderMetrics = Box::new(move || Ok(rendered.render()?));
    let server = answer_http(&rules.config, control, render, stop_http.clone()).await?;
    let driver = Driver {
        load: loader(global, &rules.config),
        rules: Arc::new(rules),
        connection: Arc::new(cloud.connection.clone()),
        desk,
        notifiers,
        supervisor: Supervisor::of_this_process(),
        metrics,
        host,
        stop,
        stop_now,
    };
    // Delivery ends after the driver, and not in the middle of what it is told last.
    let delivered = CancellationToken::new();
    let courier = tokio::spawn(courier.serve(delivered.clone()));
    let ended = driver.drive(store).await;
    delivered.cancel();
    if let Err(error) = courier.await {
        tracing::error!(%error, "the delivery of notifications ended abnormally");
    }
    stop_http.cancel();
    if let Some(server) = server
        && let Err(error) = server.await
    {
        tracing::error!(%error, "the HTTP server ended abnormally");
    }
    cloud.close().await;
    ended?;
    Ok(Outcome::Fine)
}

/// Listens, before the service calls itself ready, and answers until `stop`. `None` where nothing is listened to.
async fn answer_http(
    config: &Config,
    control: Control,
    metrics: RenderMetrics,
    stop: CancellationToken,
) -> Result<Option<JoinHandle<()>>, Failure> {
    let settings = &config.http;
    let token = settings.token_file.as_ref().map(Token::load).transpose().map_err(Failure::usage)?;
    let listening = http::bind(settings.listen)
        .await
        .with_context(|| {
            format!(
                "[http] listen = {}: nothing can listen there; choose another, or \"off\"",
                settings.listen
            )
        })
        .map_err(Failure::Usage)?;
    let Some(http::Listening { listener, address }) = listening else { return Ok(None) };
    tracing::info!(%address, "listening for HTTP at http://{address}");
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "whoever reaches {address} can read what amiwarden knows");
    }
    let limits = Limits::default();
    let parts = http::Parts {
        control,
        store: config.store.path.clone(),
        metrics,
        token,
        ready_within: settings.ready_within,
        now: Timestamp::now,
    };
    let router = http::router(parts, limits.request);
    Ok(Some(tokio::spawn(http::serve(listener, router, limits, stop))))
}

/// Configuration and policies, fit for a service.
fn load(global: &Global) -> anyhow::Result<Rules> {
    let config = prepare::load_config(global, None).map_err(Failure::into_error)?;
    if config.schedules.is_empty() {
        return Err(anyhow!(
            "no [[schedule]] says when to run: add one{}, such as\n\n[[schedule]]\nname = \"nightly\"\ncron = \"12 3 * * *\"",
            config.origin.as_ref().map(|file| format!(" to {}", file.display())).unwrap_or_default()
        ));
    }
    let rules = Rules::load(config)?;
    rules.check_enforcement()?;
    Ok(rules)
}

/// Reads everything again while the service runs. What the service has opened at its start stays as it is.
fn loader(global: &Global, at_start: &Config) -> crate::driver::Load {
    let (global, at_start) = (global.clone(), at_start.clone());
    Box::new(move || {
        let mut rules = load(&global)?;
        let config = &mut rules.config;
        if config.store != at_start.store
            || config.aws != at_start.aws
            || config.http != at_start.http
            || config.pause_file != at_start.pause_file
        {
            tracing::warn!(
                "[store], [aws], [[account]], [organization], [http] or limits.pause_file has changed: that takes \
                 effect when the service is restarted"
            );
            config.pause_file.clone_from(&at_start.pause_file);
            config.http = at_start.http.clone();
            config.store = at_start.store.clone();
            config.aws = at_start.aws.clone();
            // What is rehearsed until then is rehearsed under the configuration that is in force.
            rules.digest = config.digest();
        }
        Ok(rules)
    })
}

fn first_status(rules: &Rules, now: Timestamp) -> Status {
    Status {
        version: env!("CARGO_PKG_VERSION"),
        started_at: now,
        phase: Phase::Idle,
        last: None,
        schedules: Vec::new(),
        policies: PolicyStatus {
            digest: rules.digest_of_policies(),
            count: rules.book.policies.policies().len(),
            loaded_at: now,
            rejected: None,
        },
    }
}

fn times(schedule: &Schedule, now: Timestamp, host: &str) -> Vec<String> {
    schedule.next_times(now, host, TIMES_SHOWN).iter().map(ToString::to_string).collect()
}

/// When each schedule is due next, in the form that was asked for.
fn timetable(rules: &Rules, now: Timestamp, host: &str, global: &Global) -> Result<Vec<u8>, Failure> {
    let schedules: Vec<&Schedule> = rules.config.schedules.iter().map(|it| &it.schedule).collect();
    let mut out = Vec::new();
    if global.format == FormatArg::Json {
        let schedules = schedules.iter().map(|schedule| {
            json!({
                "name": schedule.name, "cron": schedule.expression.text(),
                "time_zone": schedule.expression.time_zone(), "next": times(schedule, now, host),
            })
        });
        let document = json!({ "schema": 1, "schedules": schedules.collect::<Vec<_>>() });
        serde_json::to_writer_pretty(&mut out, &document)?;
        out.push(b'\n');
        return Ok(out);
    }
    let column = |title| ListColumn { title, is_prose: false };
    let rows = schedules.iter().flat_map(|schedule| {
        times(schedule, now, host).into_iter().map(|time| {
            vec![
                schedule.name.clone(),
                schedule.expression.text().to_owned(),
                schedule.expression.time_zone().to_owned(),
                time,
            ]
        })
    });
    let list = List {
        columns: vec![column("schedule"), column("cron"), column("time zone"), column("due")],
        rows: rows.collect(),
    };
    match global.format {
        FormatArg::Csv => list.write_csv(&mut out)?,
        FormatArg::Markdown => list.write_markdown(&mut out)?,
        FormatArg::Table | FormatArg::Json => list.write_table(&terminal::style(global), &mut out)?,
    }
    Ok(out)
}
