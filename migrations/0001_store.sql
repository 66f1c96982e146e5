-- The store of amiwarden: what was seen, what was decided, what was done, and the ledger that proves it.
--
-- Instants are UTC seconds since 1970. Names of the domain (`ami-…`, a run's id, a plan's digest) are columns that
-- end in `_key`; `<table>_id` is a small number of this file alone, so that rows that point at each other stay
-- small. What is looked up is a column; what is only ever read back whole is JSON.

-- 'AMIW': tells an amiwarden store from any other SQLite file.
pragma application_id = 1095584087;

-- Runs ---------------------------------------------------------------------------------------------------------

create table run (
    -- In the order in which runs began: "as of run N" means rows with run_id <= N.
    run_id        integer primary key,
    run_key       text    not null unique,
    command       text    not null,
    mode          text    not null check (mode in ('observe', 'enforce')),
    version       text    not null,
    config_digest text    not null,
    started_at    integer not null,
    -- 'running' until the run ends; a run that is found so when the next one begins has died.
    state         text    not null check (state in ('running', 'finished', 'stopped', 'died')),
    finished_at   integer,
    plan_id       integer references plan,
    -- The counts of a run that ended.
    images        integer,
    steps         integer,
    held          integer,
    kept          integer,
    errors        integer,
    done          integer,
    failed        integer,
    api_calls     integer
) strict;

create index run_by_plan on run (plan_id);

-- A policy as it stood in some run. Many runs share a row: a row is added when anything about a policy changes.
create table policy (
    policy_id  integer primary key,
    name       text not null,
    digest     text not null,
    origin     text not null,
    parameters text not null,
    text       text not null,
    unique (name, digest, origin, parameters)
) strict;

create index policy_by_digest on policy (digest);

create table run_policy (
    run_id    integer not null references run,
    policy_id integer not null references policy,
    primary key (run_id, policy_id)
) strict, without rowid;

create table scope (
    scope_id integer primary key,
    account  text not null,
    region   text not null,
    unique (account, region)
) strict;

-- How completely a run read a scope.
create table run_scope (
    run_id        integer not null references run,
    scope_id      integer not null references scope,
    images        integer not null,
    gaps          text    not null,
    dry_run_error text,
    primary key (run_id, scope_id)
) strict, without rowid;

-- Images -------------------------------------------------------------------------------------------------------

-- Every image ever seen, as it was when it was last seen.
create table image (
    image_id    integer primary key,
    scope_id    integer not null references scope,
    image_key   text    not null,
    name        text,
    state       text    not null,
    -- When a complete reading no longer held it; null while it is there.
    gone_at     integer,
    -- The decision that stands; null before the first.
    decision_id integer references decision,
    unique (scope_id, image_key)
) strict;

create index image_by_key on image (image_key);

-- Changes of an image's presence and state over time. A run in which an image is as before adds nothing.
create table sighting (
    sighting_id integer primary key,
    image_id    integer not null references image,
    run_id      integer not null references run,
    at          integer not null,
    kind        text    not null check (kind in ('first-seen', 'state-changed', 'gone', 'returned')),
    state       text    not null
) strict;

create index sighting_by_image on sighting (image_id);

-- Since when an image has been seen disabled without a break. EC2 does not tell. Apart from `image`, because a
-- date may be known before the first run has seen the image.
create table disabled_since (
    scope_id  integer not null references scope,
    image_key text    not null,
    since     integer not null,
    primary key (scope_id, image_key)
) strict, without rowid;

-- Decisions ----------------------------------------------------------------------------------------------------

-- Decisions over time: a row where an image's decision differs from the one before it in more than wording.
create table decision (
    decision_id integer primary key,
    image_id    integer not null references image,
    run_id      integer not null references run,
    at          integer not null,
    -- SHA-256 over what counts as the decision. Equal keys: the same decision.
    key         blob    not null,
    -- The decision; null where the run that read the scope came to none, because it did not see the image.
    body        text,
    -- SHA-256 over the body, so that the digest of a set of decisions is had without reading them all.
    digest      blob    not null
) strict;

create index decision_by_image on decision (image_id, run_id);
create index decision_by_run on decision (run_id);

-- That a run decided about a scope, and the digest over all decisions that stood for it then.
create table decision_set (
    run_id   integer not null references run,
    scope_id integer not null references scope,
    at       integer not null,
    images   integer not null,
    digest   blob    not null,
    primary key (run_id, scope_id)
) strict, without rowid;

-- Plans and steps ----------------------------------------------------------------------------------------------

-- A plan is named by its content: the same plan, made again, is not stored again.
create table plan (
    plan_id  integer primary key,
    plan_key text    not null unique,
    run_id   integer not null references run,
    at       integer not null,
    body     text    not null
) strict;

-- What rehearsals, and decisions not to try, said of the steps of a plan over time: a row where it differs from
-- what the last run said of the same step of the same plan.
create table step_report (
    step_report_id integer primary key,
    plan_id        integer not null references plan,
    step_index     integer not null,
    run_id         integer not null references run,
    rehearsal      text    not null,
    -- Null while the run has not come to it.
    outcome        text
) strict;

create index step_report_by_step on step_report (plan_id, step_index);

-- A change, written down before its first byte is sent, with the state that undoing it restores.
create table intent (
    intent_id  integer primary key,
    run_id     integer not null references run,
    plan_id    integer not null references plan,
    step_index integer not null,
    scope_id   integer not null references scope,
    image_key  text    not null,
    step       text    not null,
    before     text    not null,
    at         integer not null
) strict;

create index intent_by_image on intent (image_key);
create index intent_by_run on intent (run_id, plan_id, step_index);

-- What became of it. A second row only after an unknown one.
create table outcome (
    outcome_id integer primary key,
    intent_id  integer not null references intent,
    outcome    text    not null check (
        outcome in ('done', 'already-done', 'skipped-changed', 'failed', 'unknown', 'not-attempted')
    ),
    report     text    not null,
    at         integer not null
) strict;

create index outcome_by_intent on outcome (intent_id);

create trigger intent_is_not_updated before update on intent
begin
    select raise(abort, 'an intent is never changed');
end;

create trigger intent_is_not_deleted before delete on intent
begin
    select raise(abort, 'an intent is never deleted');
end;

create trigger outcome_is_not_updated before update on outcome
begin
    select raise(abort, 'an outcome is never changed');
end;

create trigger outcome_is_not_deleted before delete on outcome
begin
    select raise(abort, 'an outcome is never deleted');
end;

-- What a person has accepted although a guard tripped.
create table acceptance (
    acceptance_id integer primary key,
    scope_id      integer not null references scope,
    image_key     text    not null,
    action        text    not null,
    plan_key      text    not null,
    at            integer not null,
    unique (scope_id, image_key, action)
) strict;

-- The ledger ---------------------------------------------------------------------------------------------------

-- Append-only. Each hash covers the entry and the hash before it, so any edit, deletion or reordering breaks the
-- chain; a truncation is found by comparing with the head that is kept outside this file.
create table ledger (
    sequence integer primary key,
    at       integer not null,
    kind     text    not null,
    run_key  text,
    body     text    not null,
    hash     blob    not null check (length(hash) = 32)
) strict;

create trigger ledger_grows_at_its_end before insert on ledger
when new.sequence is not (select coalesce(max(sequence), 0) + 1 from ledger)
begin
    select raise(abort, 'a ledger entry goes to the end of the ledger');
end;

create trigger ledger_is_not_updated before update on ledger
begin
    select raise(abort, 'a ledger entry is never changed');
end;

create trigger ledger_is_not_deleted before delete on ledger
begin
    select raise(abort, 'a ledger entry is never deleted');
end;
